#include "actors/steal.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <map>

using namespace tessera;
using namespace std::chrono_literals;

namespace {

NodeId node(std::uint8_t n) {
  NodeId id;
  id.key[0] = n;
  return id;
}

// How long a queue lasts when each side works off its part: what the share is meant to shorten.
double rid_of(double queue, double share, std::uint32_t slots) {
  return queue / slots - queue * (1 - share) / slots;
}

} // namespace

TEST_CASE("a share goes by the two powers, and is at most half") {
  CHECK(steal_share(1, 1) == 0.5);
  CHECK(steal_share(3, 1) == 0.25);
  CHECK(steal_share(1, 100) == 0.5);
  CHECK(steal_share(4, power_of(2, 2)) == 0.5);
}

TEST_CASE("a victim without slots keeps nothing, a thief without slots gets nothing") {
  CHECK(steal_share(power_of(1, 0), power_of(1, 2)) == 1);
  CHECK(steal_share(power_of(1, 2), power_of(1, 0)) == 0);
  CHECK(steal_share(0, 0) == 0);
}

TEST_CASE("claims out of range count as no power") {
  CHECK(power_of(std::numeric_limits<double>::quiet_NaN(), 4) == 0);
  CHECK(power_of(std::numeric_limits<double>::infinity(), 4) == 0);
  CHECK(power_of(-1, 4) == 0);
  CHECK(power_of(1, 1u << 31) == 0);
  CHECK(steal_share(1, std::numeric_limits<double>::quiet_NaN()) == 0);
}

TEST_CASE("the gain is the time that the victim is rid of") {
  std::mt19937_64 dice{3};
  for (int i = 0; i < 1000; ++i) {
    const Victim victim{node(1), dice() % 1000000, 1 + double(dice() % 8),
                        std::uint32_t(1 + dice() % 16), 5ms};
    const auto thief = power_of(1 + double(dice() % 8), std::uint32_t(1 + dice() % 16));
    const auto share = steal_share(victim.speed * victim.slots, thief);
    CHECK(steal_gain_ns(victim, thief) ==
          doctest::Approx(rid_of(double(victim.stealable_ns), share, victim.slots)));
  }
}

TEST_CASE("a score is within 0 and 1, falls with distance and rises with work") {
  std::mt19937_64 dice{4};
  for (int i = 0; i < 1000; ++i) {
    Victim victim{node(1), 1 + dice() % (1ull << 40), 1, std::uint32_t(dice() % 5),
                  Duration(dice() % 1000000)};
    const auto score = steal_score(victim, 2);
    CHECK((score >= 0 && score < 1));
    auto farther = victim;
    farther.rtt += 10ms;
    CHECK(steal_score(farther, 2) < score);
    auto richer = victim;
    richer.stealable_ns *= 4;
    CHECK(steal_score(richer, 2) >= score);
  }
}

TEST_CASE("nobody is picked among none, and the one among one") {
  std::mt19937_64 dice{5};
  CHECK(!pick_victim({}, 1, 4, dice));
  CHECK(pick_victim({{node(7), 1, 1, 1, 1ms}}, 1, 4, dice) == node(7));
}

TEST_CASE("the single best of many is asked by few thieves, the worst by hardly any") {
  std::vector<Victim> victims;
  for (std::uint8_t i = 0; i < 40; ++i)
    victims.push_back({node(i), 1000000ull * (i + 1), 1, 1, 5ms});
  std::mt19937_64 dice{6};
  std::map<NodeId, int> asked;
  for (int i = 0; i < 10000; ++i)
    ++asked[*pick_victim(victims, 1, 4, dice)];
  // Of 4 throws among 40 one falls on the best in 1 - (39/40)^4 = 9.6 %.
  CHECK(asked[node(39)] > 800);
  CHECK(asked[node(39)] < 1150);
  int poorer_half = 0;
  for (std::uint8_t i = 0; i < 20; ++i)
    poorer_half += asked[node(i)];
  CHECK(poorer_half < 900); // All 4 throws in the poorer half: 1/16.
}

TEST_CASE("among few, too, the best is not always asked") {
  const std::vector<Victim> victims{{node(1), 1000, 1, 1, 5ms}, {node(2), 1000000, 1, 1, 5ms}};
  std::mt19937_64 dice{8};
  int second = 0;
  for (int i = 0; i < 1000; ++i)
    second += pick_victim(victims, 1, 4, dice) == node(1);
  CHECK(second > 20);
  CHECK(second < 120);
}
