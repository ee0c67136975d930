#include "actors/parts.hpp"
#include "tests/actors/job_bench.hpp"

using namespace tessera;
using namespace tessera::bench;

namespace {

PartSpan run(std::uint64_t first, std::uint64_t leaves, std::uint8_t n) {
  return {first, leaves, node(n), false};
}
PartSpan merge(std::uint64_t first, std::uint64_t leaves) {
  return {first, leaves, node(1), true};
}
std::vector<PartSpan> told(std::initializer_list<PartSpan> all) {
  std::vector<PartSpan> parts;
  for (const auto& part : all)
    add_part(parts, part);
  return parts;
}

} // namespace

TEST_CASE("runs of one node that touch are told as one") {
  CHECK(told({run(0, 2, 1), run(2, 2, 1)}) == std::vector{run(0, 4, 1)});
  CHECK(told({run(2, 2, 1), run(0, 2, 1)}) == std::vector{run(0, 4, 1)});
  CHECK(told({run(0, 2, 1), run(4, 2, 1), run(2, 2, 1)}) == std::vector{run(0, 6, 1)});
  CHECK(told({run(0, 2, 1), run(2, 2, 2)}).size() == 2);
  CHECK(told({run(0, 2, 1), run(3, 2, 1)}).size() == 2);
}

TEST_CASE("a merge is told instead of those that it is made of") {
  CHECK(told({merge(0, 2), merge(2, 2), merge(0, 4)}) == std::vector{merge(0, 4)});
  CHECK(told({merge(0, 2), merge(2, 2)}).size() == 2); // Side by side is not merged.
  CHECK(told({run(0, 2, 1), merge(0, 2)}).size() == 2);
}

TEST_CASE("a root that is watched tells each leaf, and who ran it; else nothing") {
  for (const bool watched : {true, false}) {
    Bench bench(512);
    auto& root = bench.root(1);
    auto& thief = bench.lessee(2);
    root.job->watch(watched);
    thief.job->watch(watched); // No root: it tells nothing.
    bench.steal(thief, root);
    bench.run_out(root);
    CHECK(thief.parts.empty());
    if (!watched) {
      CHECK(root.parts.empty());
      continue;
    }
    std::map<NodeId, std::uint64_t> ran;
    std::uint64_t merges = 0;
    for (const auto& part : root.parts) {
      merges += part.merged;
      if (!part.merged) {
        REQUIRE(part.node);
        ran[*part.node] += bench.tree.size(part.block);
      }
    }
    CHECK(ran[root.id] + ran[thief.id] == 512);
    CHECK(ran[thief.id] > 0);
    CHECK(merges > 0);
  }
}
