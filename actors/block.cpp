#include "actors/block.hpp"

#include <algorithm>
#include <bit>

namespace tessera {

BlockTree::BlockTree(std::uint64_t leaves) : leaves_(leaves) {
  assert(leaves >= 1 && leaves <= (1ull << 63));
}

Block BlockTree::root() const {
  return {std::uint8_t(std::bit_width(leaves_ - 1)), 0};
}

std::uint64_t BlockTree::end(Block b) const {
  const auto size = std::uint64_t{1} << b.level;
  return std::min(leaves_, begin(b) + std::min(size, leaves_ - begin(b)));
}

Block BlockTree::named(std::uint8_t level, std::uint64_t index) const {
  const auto begin = index << level;
  assert(begin < leaves_);
  // What the cut leaves of the block; a level that reaches as far says the same with less.
  const auto left = leaves_ - begin;
  const auto lowest = std::uint8_t(std::bit_width(left - 1));
  const auto to = std::min(level, lowest);
  return {to, begin >> to};
}

bool BlockTree::valid(Block b) const {
  if (b.level > 63 || b.index > (leaves_ - 1) >> b.level)
    return false;
  return named(b.level, b.index) == b;
}

std::pair<Block, Block> BlockTree::halves(Block b) const {
  assert(valid(b) && b.level > 0);
  const auto level = std::uint8_t(b.level - 1);
  return {named(level, b.index * 2), named(level, b.index * 2 + 1)};
}

std::optional<Block> BlockTree::parent(Block b) const {
  assert(valid(b));
  const auto top = root().level;
  for (auto level = b.level; level < top; ++level) {
    const auto up = named(std::uint8_t(level + 1), begin(b) >> (level + 1));
    if (up != b)
      return up;
  }
  return std::nullopt;
}

Block BlockTree::sibling(Block b) const {
  const auto [left, right] = halves(*parent(b));
  return left == b ? right : left;
}

bool BlockTree::contains(Block outer, Block inner) const {
  return begin(outer) <= begin(inner) && end(inner) <= end(outer);
}

} // namespace tessera
