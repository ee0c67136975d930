#include "node/call_clock.hpp"

#include <doctest/doctest.h>

using namespace tessera;
using namespace std::chrono_literals;

namespace {

const Time zero{};

} // namespace

TEST_CASE("a call's time begins when those before it are over") {
  CallClock clock;
  clock.sent(1, 10s, zero);
  clock.sent(2, 3s, zero + 1s);
  CHECK(clock.next_wake() == zero + 10s);
  CHECK_FALSE(clock.overdue(zero + 10s - 1ns));
  CHECK(clock.overdue(zero + 10s) == 1);
  clock.answered(1, zero + 9s);
  CHECK(clock.first() == 2);
  CHECK(clock.next_wake() == zero + 12s);
  CHECK(clock.overdue(zero + 12s) == 2);
  clock.answered(2, zero + 12s);
  CHECK_FALSE(clock.next_wake());
  clock.sent(3, 1s, zero + 60s);
  CHECK(clock.next_wake() == zero + 61s);
}

TEST_CASE("a call without a limit never is overdue, and neither is what waits behind it") {
  CallClock clock;
  clock.sent(1, std::nullopt, zero);
  clock.sent(2, 1s, zero);
  CHECK_FALSE(clock.next_wake());
  CHECK_FALSE(clock.overdue(zero + 1h));
  clock.answered(1, zero + 1h);
  CHECK(clock.overdue(zero + 1h + 1s) == 2);
}

TEST_CASE("in a hurry all that is there must be over at once, and what comes later soon") {
  CallClock clock;
  clock.sent(1, std::nullopt, zero);
  clock.sent(2, 10s, zero);
  clock.hurry(zero + 1s, 2s);
  clock.sent(3, 10s, zero);
  clock.sent(4, 1s, zero);
  clock.sent(5, 10s, zero, true);
  CHECK(clock.overdue(zero + 1s) == 1);
  CHECK(clock.hurried(zero + 1s));
  clock.answered(1, zero + 990ms);
  CHECK(clock.overdue(zero + 1s) == 2);
  clock.answered(2, zero + 990ms);
  CHECK(clock.next_wake() == zero + 2990ms);
  CHECK(clock.hurried(zero + 2990ms));
  clock.answered(3, zero + 1s);
  CHECK(clock.overdue(zero + 2s) == 4); // Of its own limit.
  CHECK_FALSE(clock.hurried(zero + 2s));
  clock.answered(4, zero + 2s);
  CHECK(clock.next_wake() == zero + 12s);
}

TEST_CASE("hurry outlives a worker, and is over when it is said to be") {
  CallClock clock;
  clock.hurry(zero + 1s, 2s);
  clock.clear();
  clock.sent(1, std::nullopt, zero + 5s);
  CHECK(clock.next_wake() == zero + 7s);
  clock.relax();
  CHECK_FALSE(clock.next_wake());
  clock.sent(2, std::nullopt, zero + 5s);
  clock.answered(1, zero + 6s);
  CHECK_FALSE(clock.next_wake());
}

TEST_CASE("a call that was refused before it was under way takes no time from the first") {
  CallClock clock;
  clock.sent(1, 5s, zero);
  clock.sent(2, 5s, zero);
  clock.answered(2, zero + 4s);
  clock.answered(77, zero + 4s);
  CHECK(clock.next_wake() == zero + 5s);
  clock.clear();
  CHECK_FALSE(clock.first());
}
