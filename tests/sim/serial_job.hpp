#pragma once

#include "actors/block.hpp"
#include "net/manifest.hpp"
#include "net/message.hpp"

#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>

// A job's arithmetic without a kernel: a leaf is a hash of job and number, a merge a hash of left
// and right in that order. The serial run over the tree is the oracle of every run over a mesh.
namespace tessera::sim {

inline std::uint64_t mixed(std::uint64_t x) { // splitmix64's finisher (Steele, Lea, Flood 2014).
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

inline std::uint64_t lane(const Digest& d, int i) {
  std::uint64_t x;
  std::memcpy(&x, d.bytes.data() + 8 * i, 8);
  return x;
}

inline Digest hashed(const Digest& left, const Digest& right, std::uint64_t salt) {
  Digest out;
  std::uint64_t state = mixed(salt);
  for (int i = 0; i < 4; ++i)
    state = mixed(mixed(state ^ lane(left, i)) + lane(right, i));
  for (int i = 0; i < 4; ++i) {
    state = mixed(state);
    std::memcpy(out.bytes.data() + 8 * i, &state, 8);
  }
  return out;
}

// Of a job's partials. ordered: manifests, of a blob for each leaf.
enum class Form { small, big, ordered };

class SerialJob {
public:
  SerialJob(SpecPtr spec, Form form)
      : spec_(std::move(spec)), tree_(spec_->spec.leaves()), form_(form) {}

  std::optional<std::uint64_t> poison; // The leaf on which the kernel says no.
  double leaf_ns = 1e6;                // On a node of speed 1.

  const SpecPtr& spec() const { return spec_; }
  const JobId& id() const { return spec_->id; }
  const BlockTree& tree() const { return tree_; }

  Partial merge(const Partial& left, const Partial& right) const {
    if (form_ == Form::ordered)
      return partial(
          Manifest::joined(*Manifest::of(left.bytes), *Manifest::of(right.bytes), [&](Bytes bytes) {
            const auto id = blob_id(bytes);
            manifests_[id] = std::move(bytes);
            return id;
          }));
    return partial(hashed(left.digest, right.digest, 2));
  }
  Partial finish(const Partial& whole) const {
    return form_ == Form::ordered ? whole : partial(hashed(whole.digest, id(), 3));
  }
  bool ordered() const { return form_ == Form::ordered; }
  // All blobs under a partial; none where it is no manifest.
  std::vector<BlobId> under(const Partial& p) const {
    std::vector<BlobId> blobs;
    if (!p.manifest)
      return blobs;
    ManifestWalk walk{*Manifest::of(p.bytes)};
    while (const auto part = walk.next()) {
      blobs.push_back(part->blob);
      if (!part->manifest)
        walk.pass();
      else if (!walk.enter(manifests_.at(part->blob)))
        std::abort();
    }
    return blobs;
  }
  Partial result() const { return finish(serial(tree_.root())); }

  // Its leaves from left to right, merged at the tree's cuts; remembered, for it is pure.
  const Partial& serial(Block block) const {
    const auto known = serial_.find(block);
    if (known != serial_.end())
      return known->second;
    if (tree_.size(block) == 1)
      return serial_[block] = leaf(hashed(id(), Digest{}, 100 + tree_.begin(block)));
    const auto [left, right] = tree_.halves(block);
    const auto merged = merge(serial(left), serial(right));
    return serial_[block] = merged;
  }

private:
  Partial leaf(const Digest& value) const {
    return form_ == Form::ordered ? partial(Manifest{0, {{value, 1, false}}}) : partial(value);
  }
  static Partial partial(const Manifest& manifest) {
    auto bytes = manifest.encoded();
    const auto id = blob_id(bytes);
    const auto size = bytes.size();
    return {id, size, std::move(bytes), true};
  }

  // Some of a big job's partials are too large to travel in messages.
  Partial partial(const Digest& value) const {
    if (form_ == Form::big && value.bytes[7] % 2)
      return {value, partial_inline_bytes_max + 1 + value.bytes[6], {}, false};
    return {value, value.bytes.size(), to_bytes(value.view()), false};
  }

  SpecPtr spec_;
  BlockTree tree_;
  Form form_;
  mutable std::map<BlobId, Bytes> manifests_; // That others name.
  mutable std::map<Block, Partial> serial_;
};

} // namespace tessera::sim
