#pragma once

#include "actors/block.hpp"
#include "crypto/digest.hpp"
#include "node/kernels/kernel.hpp"

// Runs the leaves of a block in order and merges upward inside it, at the job's dyadic cuts. Like a
// binary counter: after n leaves one partial lives for each bit of n, so memory is O(log leaves).
// Its buffers are used again, so that a leaf costs what the kernel makes it cost.
namespace tessera {

// A job's cut into leaves.
struct Leaves {
  BlockTree tree;
  std::uint64_t items = 0, leaf_items = 1;

  // Nothing: not 1 ... 2^63 items, or leaves of none.
  static std::optional<Leaves> of(std::uint64_t items, std::uint64_t leaf_items);
  std::pair<std::uint64_t, std::uint64_t> range(std::uint64_t leaf) const; // [begin, end) of items.
};

// The Merkle tree of an executor's word: over a block's leaves, cut as the block is.
Digest leaf_digest(ByteView partial);                          // domain "tessera leaf"
Digest leaves_digest(const Digest& left, const Digest& right); // domain "tessera leaves"

class BlockRun {
public:
  // `block` must be valid in leaves.tree.
  Status run(KernelRun& kernel, const Leaves& leaves, Block block, bool want_digests);

  // Of the last block that ran; until the next.
  ByteView partial() const { return live_.front().bytes; }
  Digest digest() const { return live_.front().digest; } // Zero unless wanted.

  void trim(std::size_t bytes_max); // Gives large buffers back to the system.

private:
  struct Live {
    Bytes bytes;
    Digest digest;
  };

  Status run_leaf(KernelRun& kernel, const Leaves& leaves, std::uint64_t leaf);
  Status merge_last_two(KernelRun& kernel);

  std::vector<Live> live_; // The first depth_ hold partials, from the left; the rest are spare.
  std::size_t depth_ = 0;
  Bytes merged_;
  bool want_digests_ = false;
};

} // namespace tessera
