#pragma once

#include "net/block.hpp"

#include <cassert>
#include <optional>
#include <utility>

// Arithmetic of dyadic blocks over a fixed number of leaves. The tree's shape belongs to the job:
// it depends on `leaves` alone. A block's one name is the lowest level that covers the same leaves;
// other names are refused.
namespace tessera {

class BlockTree {
public:
  explicit BlockTree(std::uint64_t leaves); // 1 ... 2^63

  std::uint64_t leaves() const { return leaves_; }
  Block root() const;
  bool valid(Block b) const; // In range, and under its one name.
  std::uint64_t begin(Block b) const { return b.index << b.level; }
  std::uint64_t end(Block b) const; // Cut at the last leaf.
  std::uint64_t size(Block b) const { return end(b) - begin(b); }

  // The two halves under their one names; only for blocks of more than one leaf.
  std::pair<Block, Block> halves(Block b) const;
  std::optional<Block> parent(Block b) const; // Nothing above the root.
  Block sibling(Block b) const;               // Not for the root.
  bool contains(Block outer, Block inner) const;
  // The block of any (level, index) in range, under its one name.
  Block named(std::uint8_t level, std::uint64_t index) const;

private:
  std::uint64_t leaves_;
};

} // namespace tessera
