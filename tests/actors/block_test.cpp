#include "actors/block.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <vector>

using namespace tessera;

namespace {

const std::vector<std::uint64_t> small_trees{1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 64, 100, 127};

// Every block of a small tree, found the slow way: cut [0, leaves) at powers of two.
std::map<std::pair<std::uint64_t, std::uint64_t>, Block> blocks_of(std::uint64_t leaves) {
  std::map<std::pair<std::uint64_t, std::uint64_t>, Block> by_span;
  for (int level = 0; level < 8; ++level)
    for (std::uint64_t index = 0; index << level < leaves; ++index) {
      const auto begin = index << level;
      const auto end = std::min(leaves, begin + (std::uint64_t{1} << level));
      by_span.try_emplace({begin, end}, Block{std::uint8_t(level), index}); // Lowest level wins.
    }
  return by_span;
}

} // namespace

TEST_CASE("a block has one name: the lowest level that covers the same leaves") {
  for (auto leaves : small_trees) {
    const BlockTree tree(leaves);
    std::map<Block, bool> names;
    for (const auto& [span, name] : blocks_of(leaves))
      names[name] = true;
    for (std::uint8_t level = 0; level < 9; ++level)
      for (std::uint64_t index = 0; index < leaves + 2; ++index) {
        CAPTURE(leaves);
        CAPTURE(int(level));
        CAPTURE(index);
        CHECK(tree.valid({level, index}) == names.contains({level, index}));
      }
  }
}

TEST_CASE("spans, halves, parents and siblings agree with the slow cut") {
  for (auto leaves : small_trees) {
    const BlockTree tree(leaves);
    for (const auto& [span, b] : blocks_of(leaves)) {
      CAPTURE(leaves);
      CAPTURE(span.first);
      CAPTURE(span.second);
      CHECK(tree.begin(b) == span.first);
      CHECK(tree.end(b) == span.second);
      CHECK(tree.size(b) == span.second - span.first);
      if (b.level == 0)
        continue;
      const auto [left, right] = tree.halves(b);
      CHECK(tree.valid(left));
      CHECK(tree.valid(right));
      CHECK(tree.begin(left) == span.first);
      CHECK(tree.end(left) == tree.begin(right));
      CHECK(tree.end(right) == span.second);
      // The left half is a whole power of two, and never the smaller one.
      CHECK(tree.size(left) == std::uint64_t{1} << left.level);
      CHECK(tree.size(left) >= tree.size(right));
      CHECK(tree.parent(left) == b);
      CHECK(tree.parent(right) == b);
      CHECK(tree.sibling(left) == right);
      CHECK(tree.sibling(right) == left);
    }
    CHECK_FALSE(tree.parent(tree.root()));
    CHECK(tree.size(tree.root()) == leaves);
  }
}

TEST_CASE("one block contains another when its span does") {
  for (auto leaves : {5ull, 8ull, 13ull}) {
    const BlockTree tree(leaves);
    const auto all = blocks_of(leaves);
    for (const auto& [a, outer] : all)
      for (const auto& [b, inner] : all)
        CHECK(tree.contains(outer, inner) == (a.first <= b.first && b.second <= a.second));
  }
}

TEST_CASE("the largest trees keep their arithmetic") {
  for (auto leaves : {1ull << 63, (1ull << 63) - 1, (1ull << 62) + 1}) {
    const BlockTree tree(leaves);
    std::mt19937_64 dice(leaves);
    for (int i = 0; i < 200; ++i) {
      auto b = tree.root();
      while (b.level > 0) {
        const auto [left, right] = tree.halves(b);
        REQUIRE(tree.valid(left));
        REQUIRE(tree.valid(right));
        REQUIRE(tree.size(left) + tree.size(right) == tree.size(b));
        REQUIRE(tree.parent(right) == b);
        b = dice() % 2 ? left : right;
      }
      REQUIRE(tree.size(b) == 1);
    }
    CHECK(tree.end(tree.root()) == leaves);
    CHECK_FALSE(tree.valid({64, 0}));
    CHECK_FALSE(tree.valid({0, leaves}));
    CHECK_FALSE(tree.valid({63, 1}));
  }
}
