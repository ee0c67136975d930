#include "tests/sim/world.hpp"

#include <doctest/doctest.h>

using namespace tessera;
using namespace tessera::sim;
using namespace std::chrono_literals;

namespace {

constexpr auto warm_up = 3s; // Records are round.

// Nodes without faults, and one job at node 0. `pace`: how fast a slot really is; the record
// says 1.
struct Balance {
  explicit Balance(std::uint64_t seed) : world(seed) {
    world.latency_max = world.jitter_max = 500us;
  }

  Index add(std::uint32_t slots, double pace = 1) {
    JobConfig config;
    config.slots = slots;
    const auto n = world.add(config);
    world.set_pace(n, pace);
    return n;
  }

  // Seconds that a job of so many leaves takes.
  double run(std::uint64_t leaves, Duration leaf = 1ms) {
    world.run(warm_up, [] { return false; });
    const auto begin = world.now();
    world.submit(0, leaves, double(std::chrono::nanoseconds(leaf).count()), Form::small);
    REQUIRE(world.run(600s, [this] { return world.all_ended(); }));
    const auto span = world.now() - begin;
    REQUIRE(world.run(60s, [this] { return world.quiet(); }));
    world.check_ends();
    return std::chrono::duration<double>(span).count();
  }

  double leaves_of(Index n) const {
    const auto& all = world.leaves_by_node();
    const auto found = all.find(world.id_of(n));
    return found == all.end() ? 0 : double(found->second);
  }

  World world;
};

template<class Claim>
void each_seed(Claim claim) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Balance b(seed);
    claim(b);
    CHECK(b.world.totals.jobs.leaves_rerun == 0);
  }
}

} // namespace

TEST_CASE("two equal nodes share a job evenly, and neither idles") {
  each_seed([](Balance& b) {
    b.add(1);
    b.add(1);
    CHECK(b.run(10'000) < 5 / 0.95);
    CHECK(b.leaves_of(0) == doctest::Approx(5'000).epsilon(0.1));
  });
}

TEST_CASE("a thief four times as slow as it says has a fifth: the root takes back the rest") {
  each_seed([](Balance& b) {
    b.add(1);
    b.add(1, 0.25);
    CHECK(b.run(10'000) < 8 / 0.95);
    CHECK(b.leaves_of(1) == doctest::Approx(2'000).epsilon(0.2));
    CHECK(b.world.totals.jobs.hand_backs > 0);
  });
}

TEST_CASE("a root four times as slow as it says keeps a fifth") {
  each_seed([](Balance& b) {
    b.add(1, 0.25);
    b.add(1);
    CHECK(b.run(10'000) < 8 / 0.93);
    CHECK(b.leaves_of(0) == doctest::Approx(2'000).epsilon(0.2));
  });
}

TEST_CASE("who joins two seconds after the submission has its share from then on") {
  each_seed([](Balance& b) {
    b.add(1);
    b.add(1);
    b.world.later(warm_up + 2s, [&b] { b.add(1); });
    const auto took = b.run(10'000);
    CHECK(took < 4 / 0.93);
    CHECK(b.leaves_of(2) == doctest::Approx((took - 2) * 1'000).epsilon(0.2));
  });
}

TEST_CASE("where peers are in touch a short job spreads before records tell of it") {
  each_seed([](Balance& b) {
    for (int i = 0; i < 16; ++i)
      b.add(2);
    b.world.acquaint();
    CHECK(b.run(2'000) < 0.15); // 0.0625 when all begin at once. Records are told each 0.25 s.
  });
}

TEST_CASE("of a submitter without slots all is stolen, evenly") {
  each_seed([](Balance& b) {
    b.add(0);
    b.add(1);
    b.add(1);
    CHECK(b.run(10'000) < 5 / 0.9);
    CHECK(b.leaves_of(1) == doctest::Approx(5'000).epsilon(0.1));
  });
}

TEST_CASE("few long leaves are not handed to and fro by nodes that all work") {
  each_seed([](Balance& b) {
    b.add(1);
    b.add(1);
    CHECK(b.run(5, 10s) < 36.5); // Three in a row, of at most 12 s.
    CHECK(b.world.totals.jobs.leases_given < 10);
    CHECK(b.world.totals.jobs.hand_backs < 10);
  });
}
