#include "tests/actors/job_actor_rig.hpp"

using namespace tessera;
using namespace tessera::rig;
using namespace std::chrono_literals;

// What a job has of the store: its journal, and blobs on their way here.

TEST_CASE("what is done is journaled, again by a new store while it is not answered") {
  JobRig rig{job_of(2)};
  rig.done(rig.take(), "one");
  rig.stage.pass(1s);
  const auto journaled = rig.store.take<JournalFor>();
  REQUIRE(journaled.size() == 1);
  CHECK(journaled[0].job == rig.spec->id);
  REQUIRE(journaled[0].blocks.done.size() == 1);
  auto& successor = rig.stage.ear();
  auto wiring = rig.wiring();
  wiring.store = successor.actor();
  SUBCASE("not answered") {
    rig.rewire(wiring);
    const auto again = successor.take<JournalFor>();
    REQUIRE(again.size() == 1);
    CHECK(again[0].blocks.sequence == journaled[0].blocks.sequence);
    CHECK(again[0].blocks.done == journaled[0].blocks.done);
    rig.rewire(wiring);
    CHECK(successor.size() == 0);
  }
  SUBCASE("answered") {
    rig.tell(Journaled{journaled[0].blocks.sequence});
    rig.rewire(wiring);
    CHECK(successor.size() == 0);
  }
}

TEST_CASE("a thief may forget what is journaled") {
  JobRig rig{job_of(64)};
  rig.say(rig.result_of_thief(partial_of("half")));
  const auto taken = rig.sent<Receipt>();
  REQUIRE(taken.size() == 1);
  CHECK_FALSE(taken[0].covered);
  rig.stage.pass(1s);
  rig.tell(Journaled{rig.store.take<JournalFor>().at(0).blocks.sequence});
  const auto covered = rig.sent<Receipt>();
  REQUIRE(covered.size() == 1);
  CHECK(covered[0].covered);
}

TEST_CASE("that a job ended is told to a new store too") {
  JobRig rig{job_of(1)};
  rig.run_through();
  auto& successor = rig.stage.ear();
  auto wiring = rig.wiring();
  wiring.store = successor.actor();
  rig.rewire(wiring);
  const auto ends = successor.take<JournalEnd>();
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].result == partial_of("result"));
}

TEST_CASE("leased work waits for its input, which the lessor has") {
  JobRig rig{job_of(8, true), false};
  rig.tell(LeasedFrom{peer, lease_from(peer, 7, {{0, 0}})});
  const auto pulls = rig.store.take<PullFor>();
  REQUIRE(pulls.size() == 1);
  CHECK(pulls[0].blob == input);
  CHECK(pulls[0].holders == std::vector{peer});
  auto report = rig.queue();
  CHECK(report.queued_leaves == 1);
  CHECK(report.runnable == 0);
  SUBCASE("it comes") {
    rig.tell(BlobHere{input});
    CHECK(rig.queue().runnable == 1);
    rig.tell(LeasedFrom{peer, lease_from(peer, 8, {{0, 1}})});
    CHECK(rig.store.take<PullFor>().empty()); // It is here.
    CHECK(rig.queue().runnable == 2);
  }
  SUBCASE("nobody has it") {
    rig.tell(BlobGone{input});
    const auto results = rig.sent<LeaseResult>();
    REQUIRE(results.size() == 1);
    CHECK(results[0].undone == std::vector<Block>{{0, 0}});
    CHECK(results[0].last);
  }
  SUBCASE("a new store is asked for it until it has come") {
    auto wiring = rig.wiring();
    for (const bool here : {false, true}) {
      auto& successor = rig.stage.ear();
      wiring.store = successor.actor();
      rig.rewire(wiring);
      const auto again = successor.take<PullFor>();
      CHECK(again.size() == (here ? 0 : 1));
      if (!here) {
        CHECK(again.at(0).holders == std::vector{peer});
        rig.tell(BlobHere{input});
      }
    }
  }
}

TEST_CASE("a root has its input") {
  JobRig rig{job_of(8, true)};
  CHECK(rig.queue().runnable > 0);
  CHECK(rig.store.size() == 0);
}

TEST_CASE("a large partial of a thief is pulled from its holder before it counts") {
  JobRig rig{job_of(64)};
  const Partial large{digest_of(view("large")), partial_inline_bytes_max + 1, {}};
  rig.say(rig.result_of_thief(large));
  const auto pulls = rig.store.take<PullFor>();
  REQUIRE(pulls.size() == 1);
  CHECK(pulls[0].blob == large.digest);
  CHECK(pulls[0].holders == std::vector{stranger});
  const auto leaves_done = [&] {
    rig.stage.pass(1s);
    return rig.api.take<JobNews>().back().status.leaves_done;
  };
  SUBCASE("it comes") {
    rig.tell(BlobHere{large.digest});
    CHECK(leaves_done() == 32);
  }
  SUBCASE("it is gone") {
    rig.tell(BlobGone{large.digest});
    CHECK(leaves_done() == 0);
    CHECK(rig.queue().queued_leaves == 64);
    auto wiring = rig.wiring();
    auto& successor = rig.stage.ear();
    wiring.store = successor.actor();
    rig.rewire(wiring);
    CHECK(successor.take<PullFor>().empty());
  }
}
