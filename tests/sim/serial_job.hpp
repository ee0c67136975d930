#pragma once

#include "actors/block.hpp"
#include "net/message.hpp"

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

class SerialJob {
public:
  SerialJob(SpecPtr spec, bool big)
      : spec_(std::move(spec)), tree_(spec_->spec.leaves()), big_(big) {}

  std::optional<std::uint64_t> poison; // The leaf on which the kernel says no.
  double leaf_ns = 1e6;                // On a node of speed 1.

  const SpecPtr& spec() const { return spec_; }
  const JobId& id() const { return spec_->id; }
  const BlockTree& tree() const { return tree_; }

  Partial merge(const Partial& left, const Partial& right) const {
    return partial(hashed(left.digest, right.digest, 2));
  }
  Partial finish(const Partial& whole) const { return partial(hashed(whole.digest, id(), 3)); }
  Partial result() const { return finish(serial(tree_.root())); }

  // Its leaves from left to right, merged at the tree's cuts; remembered, for it is pure.
  const Partial& serial(Block block) const {
    const auto known = serial_.find(block);
    if (known != serial_.end())
      return known->second;
    if (tree_.size(block) == 1)
      return serial_[block] = partial(hashed(id(), Digest{}, 100 + tree_.begin(block)));
    const auto [left, right] = tree_.halves(block);
    const auto merged = merge(serial(left), serial(right));
    return serial_[block] = merged;
  }

private:
  // Some of a big job's partials are too large to travel in messages.
  Partial partial(const Digest& value) const {
    if (big_ && value.bytes[7] % 2)
      return {value, partial_inline_bytes_max + 1 + value.bytes[6], {}};
    return {value, value.bytes.size(), to_bytes(value.view())};
  }

  SpecPtr spec_;
  BlockTree tree_;
  bool big_;
  mutable std::map<Block, Partial> serial_;
};

} // namespace tessera::sim
