#pragma once

#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"

#include <cstdint>
#include <optional>
#include <vector>

// Ordered output (a job merged by concat) as names of blobs, so that the bytes stay where they were
// made and only their names flow up (architecture 4.4). A partial begins with a byte that tells
// which form it has, then a u64 of fuel:
//
//   0  the bytes themselves, up to ordered_bytes_max
//   1  a manifest: rows {u8 whether the blob is a manifest, u64 output bytes in it, 32 bytes id}
//
// Which bytes and which rows is a pure function of the leaves' outputs and the job's tree
// (node/worker/ordered_run.hpp), whoever merged what.
namespace tessera {

inline constexpr std::uint64_t ordered_bytes_max = 16 * 1024; // A guess; then it goes to a blob.
inline constexpr std::size_t manifest_parts_max = 32;         // A manifest is inline in messages.
inline constexpr std::size_t ordered_head_bytes = 9;

enum class OrderedForm : std::uint8_t { bytes = 0, manifest = 1 };

struct Manifest {
  struct Part {
    BlobId blob;
    std::uint64_t size = 0; // Of the output in it or, of a manifest, under it.
    bool manifest = false;

    bool operator==(const Part&) const = default;
  };

  std::uint64_t fuel = 0;  // Of all calls that made it; in a blob 0.
  std::vector<Part> parts; // 1 ... manifest_parts_max, in order.

  std::uint64_t size() const; // Of all output under it.
  Bytes encoded() const;
  // Nothing: not a manifest.
  static std::optional<Manifest> of(ByteView bytes);
  // Left's rows, then right's. Where they are too many, each side becomes a blob of its own:
  // `aside` takes its bytes and names them.
  template<class Aside>
  static Manifest joined(Manifest left, Manifest right, Aside aside);
  bool operator==(const Manifest&) const = default;
};

template<class Aside>
Manifest Manifest::joined(Manifest left, Manifest right, Aside aside) {
  const auto fuel = left.fuel + right.fuel;
  const auto in_one_row = [&](Manifest& side) {
    if (side.parts.size() <= 1)
      return;
    side.fuel = 0;
    side.parts = {{aside(side.encoded()), side.size(), true}};
  };
  if (left.parts.size() + right.parts.size() > manifest_parts_max) {
    in_one_row(left);
    in_one_row(right);
  }
  left.fuel = fuel;
  left.parts.insert(left.parts.end(), right.parts.begin(), right.parts.end());
  return left;
}

// The blobs under a manifest from its first byte to its last. Manifests on the way are asked for
// like pieces, and opened.
class ManifestWalk {
public:
  explicit ManifestWalk(const Manifest& top);

  std::optional<Manifest::Part> next() const; // Nothing: at the end.
  void pass();                                // Behind it; behind a manifest, behind all of it.
  // `next` is a manifest, and these are its bytes. False: they are not, or of another size.
  bool enter(ByteView bytes);

private:
  void push(const Manifest& manifest);

  std::vector<Manifest::Part> ahead_; // The last is next.
};

} // namespace tessera
