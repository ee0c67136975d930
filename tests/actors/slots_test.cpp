#include "actors/slots.hpp"
#include "tests/actors/scheduler_rig.hpp"

#include <doctest/doctest.h>

using namespace tessera;
using namespace tessera::rig;
using namespace std::chrono_literals;

namespace {

// With one piece of work in the care of slot 0.
Slots busy(Duration piece) {
  Slots slots{2};
  slots.asked(0, job(1));
  CHECK(slots.answered(0, job(1), piece, t0));
  return slots;
}

} // namespace

TEST_CASE("what was asked for a slot is in its care until the job says that it has none") {
  Slots slots{2};
  slots.asked(0, job(1));
  CHECK(slots.care(0) == 1);
  CHECK(slots.least_busy() == 1);
  CHECK(slots.idle() == 1);
  CHECK(slots.answered(0, job(1), std::nullopt, t0));
  CHECK(slots.idle() == 2);
  CHECK_FALSE(slots.answered(0, job(1), std::nullopt, t0));
}

TEST_CASE("a job that is forgotten has nothing asked of it, and keeps what slots have of it") {
  auto slots = busy(10ms);
  slots.asked(0, job(1));
  slots.asked(0, job(2));
  slots.forget(job(1));
  CHECK(slots.care(0) == 2);
}

TEST_CASE("a piece that is over before its job said that it was taken is in nobody's care") {
  Slots slots{1};
  slots.asked(0, job(1));
  slots.freed(0, t0);
  CHECK(slots.answered(0, job(1), 10ms, t0));
  CHECK(slots.care(0) == 0);
  CHECK(slots.idle_in(10ms, t0) == 10ms);
}

TEST_CASE("of the span ahead a slot is idle for what its work leaves of it") {
  const auto slots = busy(10ms);
  CHECK(slots.idle_in(10ms, t0) == 10ms); // Of the other slot.
  CHECK(slots.idle_in(15ms, t0) == 20ms);
  CHECK(slots.dry_at(4ms, t0) == t0 + 6ms + Duration(1));
}

TEST_CASE("what takes longer than it should takes as long again, and is waited for no more") {
  const auto slots = busy(10ms);
  CHECK(slots.idle_in(40ms, t0 + 20ms) == 60ms);
  CHECK_FALSE(slots.dry_at(4ms, t0 + 10ms));
}

TEST_CASE("a new worker has nothing in its care") {
  auto slots = busy(10ms);
  slots.reset(0);
  CHECK(slots.idle() == 2);
}

TEST_CASE("the number of no slot changes nothing") {
  Slots slots{1};
  CHECK_FALSE(slots.answered(1, job(1), 10ms, t0));
  slots.freed(1, t0);
  slots.reset(1);
  CHECK(slots.idle() == 1);
}
