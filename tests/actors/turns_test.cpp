#include "actors/turns.hpp"

#include "scheduler_rig.hpp"

#include <doctest/doctest.h>

using namespace tessera;
using namespace tessera::rig;

namespace {

JobEntry of(std::uint8_t submitter) {
  JobEntry entry;
  entry.submitter = node(submitter);
  return entry;
}

QueueReport runnable(std::uint64_t leaves) {
  QueueReport report;
  report.runnable = report.queued_leaves = leaves;
  return report;
}

} // namespace

TEST_CASE("a job that reports nothing is known, and has no turn") {
  Turns turns;
  for (std::uint8_t j : {1, 2, 3})
    turns.open(job(j), of(j));
  turns.report(job(2), runnable(1));
  CHECK(turns.size() == 3);
  CHECK(turns.busy().size() == 1);
  CHECK(turns.next(true) == job(2));
  turns.report(job(2), runnable(0));
  CHECK(turns.size() == 3);
  CHECK(turns.busy().empty());
  CHECK_FALSE(turns.next(true));
  REQUIRE(turns.find(job(2)));
  CHECK(turns.find(job(2))->submitter == node(2));
  for (std::uint8_t j : {1, 2})
    turns.close(job(j));
  CHECK(turns.size() == 1);
  CHECK_FALSE(turns.find(job(2)));
}

TEST_CASE("what is given to a thief needs no leaf that a slot could start") {
  Turns turns;
  auto entry = of(1);
  entry.kernel = "shape@1";
  turns.open(job(1), entry);
  auto report = runnable(4);
  report.runnable = 0; // Its input is on its way.
  turns.report(job(1), report);
  StealAsk wish;
  wish.kernels = {"shape@1"};
  CHECK_FALSE(turns.next(true));
  CHECK(turns.choose(wish) == job(1));
}

TEST_CASE("a job that has something again comes after those that had all the time") {
  Turns turns;
  for (std::uint8_t j : {1, 2, 3}) {
    turns.open(job(j), of(9));
    turns.report(job(j), runnable(1));
  }
  turns.report(job(1), runnable(0));
  turns.report(job(1), runnable(1));
  CHECK(turns.next(true) == job(2));
  CHECK(turns.next(true) == job(3));
  CHECK(turns.next(true) == job(1));
}

TEST_CASE("a job that closes amid its submitter's others leaves their turns as they were") {
  Turns turns;
  for (std::uint8_t j : {1, 2, 3}) {
    turns.open(job(j), of(9));
    turns.report(job(j), runnable(1));
  }
  turns.close(job(2));
  CHECK(turns.next(true) == job(1));
  CHECK(turns.next(true) == job(3));
  turns.close(job(1));
  turns.close(job(3));
  CHECK_FALSE(turns.next(true));
}
