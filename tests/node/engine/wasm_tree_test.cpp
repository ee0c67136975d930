#include "crypto/little_endian.hpp"
#include "node/worker/wasm/tree_run.hpp"
#include "tests/node/engine/engine_rig.hpp"

#include <map>
#include <random>

using namespace tessera;
using namespace tessera::wasm;

namespace {

// A task is a u32 n: it contributes one u64, 1, and spawns n / 2, n / 3, ... n / 5 where that is
// above 0.
constexpr auto fans = R"((module
  (import "tessera0" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "tessera0" "write" (func $write (param i32 i32)))
  (import "tessera0" "spawn" (func $spawn (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "run") (result i32) (local $n i32) (local $by i32)
    (drop (call $read (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 4)))
    (local.set $n (i32.load (i32.const 0)))
    (local.set $by (i32.const 2))
    (loop $each
      (i32.store (i32.const 4) (i32.div_u (local.get $n) (local.get $by)))
      (if (i32.load (i32.const 4)) (then (call $spawn (i32.const 4) (i32.const 4))))
      (local.set $by (i32.add (local.get $by) (i32.const 1)))
      (br_if $each (i32.lt_u (local.get $by) (i32.const 6))))
    (i64.store (i32.const 8) (i64.const 1))
    (call $write (i32.const 8) (i32.const 8))
    (i32.const 0))))";

std::uint64_t nodes(std::uint32_t n) {
  static std::map<std::uint32_t, std::uint64_t> known;
  if (const auto k = known.find(n); k != known.end())
    return k->second;
  std::uint64_t sum = 1;
  for (std::uint32_t by = 2; by < 6; ++by)
    if (n / by)
      sum += nodes(n / by);
  return known[n] = sum;
}

Bytes task_of(std::uint32_t n) {
  Bytes bytes;
  put(bytes, n);
  return bytes;
}

constexpr std::uint64_t lanes = 16;

struct Outcome {
  std::uint64_t count = 0, tasks = 0, rounds = 0;
  std::vector<Bytes> states;
};

// Rounds until no task waits. With dice, lanes run and merge in other instances and orders.
Outcome run_tree(std::uint32_t n, std::uint64_t budget, std::mt19937_64* dice = nullptr) {
  static const auto module = rig::compiled(rig::wat(fans));
  const auto merge = *Merge::named("count");
  auto state = task_of(n);
  Outcome o;
  for (;;) {
    const auto fresh = [&] {
      return TreeRun{ModuleRun{module, {.merge = merge, .round = true, .state = state}},
                     merge,
                     state,
                     o.rounds == 0,
                     lanes,
                     budget};
    };
    auto one = fresh();
    std::vector<Bytes> partials(lanes);
    for (std::uint64_t i = 0; i < lanes; ++i) {
      const auto lane = dice ? lanes - 1 - i : i;
      if (dice && (*dice)() % 2) {
        auto another = fresh();
        REQUIRE(another.run(lane, lane + 1, partials[lane]).ok());
      } else {
        REQUIRE(one.run(lane, lane + 1, partials[lane]).ok());
      }
    }
    for (auto width = lanes; width > 1; width /= 2)
      for (std::uint64_t i = 0; i < width / 2; ++i) {
        Bytes merged;
        REQUIRE(one.merge(partials[2 * i], partials[2 * i + 1], merged).ok());
        partials[i] = std::move(merged);
      }
    Bytes next;
    auto finisher = fresh();
    REQUIRE(finisher.finish(partials[0], next).ok());
    const auto used = finisher.usage();
    o.tasks += used.tasks_run;
    o.rounds += 1;
    o.states.push_back(next);
    if (used.over) {
      REQUIRE(next.size() == 8);
      o.count = get<std::uint64_t>(next, 0);
      return o;
    }
    CHECK(used.tasks_left == Bag::of(next)->tasks.size());
    state = std::move(next);
  }
}

} // namespace

TEST_CASE("a tree job runs each task once, whatever the budget") {
  for (const std::uint32_t n : {0u, 1u, 2u, 100u, 5000u})
    for (const std::uint64_t budget : {1, 2, 7, 1000, 1 << 20}) {
      CAPTURE(n);
      CAPTURE(budget);
      const auto o = run_tree(n, budget);
      CHECK(o.count == nodes(n));
      CHECK(o.tasks == nodes(n));
    }
}

TEST_CASE("a round's bytes do not tell who ran which lane") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    CAPTURE(seed);
    std::mt19937_64 dice{seed};
    CHECK(run_tree(3000, 50, &dice).states == run_tree(3000, 50).states);
  }
}

TEST_CASE("a larger budget takes fewer rounds") {
  CHECK(run_tree(5000, 1000).rounds < run_tree(5000, 10).rounds);
}

TEST_CASE("tasks that are too many to wait fail the lane") {
  // Each spawns 64 copies of a mebibyte that never end.
  const auto module = rig::compiled(rig::wat(R"((module
    (import "tessera0" "spawn" (func $spawn (param i32 i32)))
    (memory (export "memory") 17)
    (func (export "run") (result i32) (local $i i32)
      (loop $each
        (call $spawn (i32.const 0) (i32.const 1048576))
        (br_if $each (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 15))))
      (i32.const 0))))"));
  const auto merge = *Merge::named("count");
  TreeRun run{ModuleRun{module, {.merge = merge, .round = true}}, merge, {}, true, 1, 1000};
  Bytes out;
  const auto ran = run.run(0, 1, out);
  REQUIRE_FALSE(ran.ok());
  CHECK(ran.error().code == "E734");
}

TEST_CASE("a state or a partial that is no bag is said to be none") {
  const auto module = rig::compiled(rig::wat(fans));
  const auto merge = *Merge::named("count");
  const Bytes nonsense{1, 2, 3};
  TreeRun run{ModuleRun{module, {.merge = merge, .round = true, .state = nonsense}},
              merge,
              nonsense,
              false,
              1,
              10};
  Bytes out;
  CHECK(run.run(0, 1, out).error().code == "E706");
  CHECK(run.merge(nonsense, nonsense, out).error().code == "E711");
  CHECK(run.finish(nonsense, out).error().code == "E711");
}
