#include "node/wasm/bag.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace tessera;
using wasm::Bag;

namespace {

Bytes written(const Bag& bag) {
  Bytes bytes;
  bag.append_to(bytes);
  return bytes;
}

} // namespace

TEST_CASE("a bag is read as it was written") {
  std::mt19937_64 dice{1};
  for (int round = 0; round < 200; ++round) {
    std::vector<Bytes> tasks(dice() % 5);
    for (auto& task : tasks)
      task.assign(dice() % 9, std::uint8_t(dice()));
    const Bytes contribution(dice() % 4, 7);
    Bag bag{dice(), dice(), {}, {tasks.begin(), tasks.end()}};
    if (dice() % 2)
      bag.contribution = contribution;
    const auto bytes = written(bag);
    const auto read = Bag::of(bytes);
    REQUIRE(read);
    CHECK(read->run == bag.run);
    CHECK(read->fuel == bag.fuel);
    CHECK(read->contribution.has_value() == bag.contribution.has_value());
    CHECK(written(*read) == bytes);
  }
}

TEST_CASE("what ends early, or says more than it has, is no bag") {
  const Bytes task{1, 2, 3}, contribution{9, 9};
  const auto whole = written({5, 6, contribution, {task, task}});
  std::size_t bags = 0;
  for (std::size_t n = 0; n < whole.size(); ++n)
    bags += Bag::of(ByteView{whole}.first(n)).has_value();
  CHECK(bags == 2);                              // Without its last task, or without both.
  for (const std::size_t at : {16u, 17u, 27u}) { // The flag, and two sizes.
    auto bad = whole;
    bad[at] = 200;
    CHECK_FALSE(Bag::of(bad));
  }
  auto silent = whole;
  silent[16] = 0;
  CHECK_FALSE(Bag::of(silent)); // A contribution of nobody.
}
