#include "tests/actors/job_actor_rig.hpp"

using namespace tessera;
using namespace tessera::rig;
using namespace std::chrono_literals;

TEST_CASE("a job enrols before it reports, and people hear of it") {
  for (const bool root : {true, false}) {
    JobRig rig{job_of(8), root};
    CHECK(rig.scheduler.begins_with<JobHere>());
    const auto here = rig.scheduler.take<JobHere>();
    REQUIRE(here.size() == 1);
    CHECK(here[0].job == rig.job);
    CHECK(here[0].spec == rig.spec);
    CHECK(rig.queue().queued_leaves == (root ? 8 : 0));
    const auto news = rig.api.take<JobNews>();
    REQUIRE_FALSE(news.empty());
    CHECK(news[0].rooted == root);
    CHECK(news[0].status.spec == rig.spec);
  }
}

TEST_CASE("work goes to the slot that asks, and its result into the job") {
  JobRig rig{job_of(1)};
  rig.queue();
  rig.run_through();
  CHECK(rig.queue().runnable == 0);
  const auto ends = rig.store.take<JournalEnd>();
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].status.state == JobState::done);
  CHECK(ends[0].status.leaves_done == 1);
  CHECK(ends[0].result == partial_of("result"));
  for (const auto& news : rig.api.take<JobNews>()) // The end is the store's to tell.
    CHECK(news.status.state != JobState::done);
  CHECK(rig.slots[0]->take<DropJob>().size() == 1); // Whatever of it ran twice is for nobody.
  CHECK(rig.gets_nothing());
}

TEST_CASE("work that failed is given out again") {
  JobRig rig{job_of(1)};
  const auto work = rig.take();
  CHECK(rig.gets_nothing(1));
  rig.tell(WorkFailed{work.id, {"E710", "a worker process died", "", ""}});
  CHECK(std::holds_alternative<RunWork>(rig.take(1).work));
}

TEST_CASE("a leaf that fails too often fails the job, with the reason that its kernel gave") {
  JobRig rig{job_of(1)};
  for (std::uint32_t i = 0; i <= rig.spec->spec.retries; ++i) {
    CHECK(rig.store.size() == 0);
    rig.tell(WorkFailed{rig.take().id, {"E799", "this leaf fails", "", ""}});
  }
  const auto ends = rig.store.take<JournalEnd>();
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].status.state == JobState::failed);
  CHECK(ends[0].status.error.code == "E799");
}

TEST_CASE("a root goes on where its journal left it") {
  JobRig rig{job_of(2), true, {{{0, 0}, partial_of("one")}}};
  CHECK(rig.queue().queued_leaves == 1);
  CHECK(std::get<RunWork>(rig.take().work).block == Block{0, 1});
}

TEST_CASE("a lessor hears what ran here, and how long it took") {
  JobRig rig{changed(job_of(8), [](JobSpec& s) { s.trust = Trust::spot; }), false};
  rig.tell(LeasedFrom{peer, lease_from(peer, 7, {{0, 0}})});
  const auto leaves = digest_of(view("leaves"));
  rig.tell(WorkDone{rig.take().id, partial_of("done"), leaves, 1000});
  const auto results = rig.sent<LeaseResult>();
  REQUIRE(results.size() == 1);
  CHECK(results[0].done == std::vector<BlockResult>{{{0, 0}, partial_of("done")}});
  CHECK(results[0].ran == std::vector<Commitment::Ran>{{{0, 0}, leaves}});
  CHECK(results[0].cpu_ns == 1000);
}

TEST_CASE("a slot's death is no fault of the leaf that it ran") {
  JobRig rig{changed(job_of(1), [](JobSpec& s) { s.retries = 0; })};
  rig.take();
  auto wiring = rig.wiring();
  wiring.slots[0] = rig.stage.ear().actor();
  rig.rewire(wiring);
  CHECK(rig.store.size() == 0);
  CHECK(std::holds_alternative<RunWork>(rig.take(1).work));
}

TEST_CASE("what the slots of old had is given to the new ones, and the scheduler counts it off") {
  JobRig rig{job_of(2)};
  const auto lost = rig.take(0), kept = rig.take(1);
  rig.scheduler.clear();
  auto& successor = rig.stage.ear();
  auto wiring = rig.wiring();
  wiring.slots[0] = successor.actor();
  rig.rewire(wiring);
  const auto freed = rig.scheduler.take<SlotFree>();
  REQUIRE(freed.size() == 1);
  CHECK(freed[0].slot == 0);
  rig.rewire(wiring);
  CHECK(rig.scheduler.take<SlotFree>().empty());
  rig.done(kept, "the other");
  rig.tell(TakeWork{rig.spec->id, 0});
  const auto again = successor.take<StartFor>();
  REQUIRE(again.size() == 1);
  CHECK(std::get<RunWork>(again[0].work).block == std::get<RunWork>(lost.work).block);
  CHECK(again[0].id != lost.id);
}

TEST_CASE("work that is over is not lost with its slot") {
  JobRig rig{job_of(2)};
  rig.done(rig.take(0), "done");
  const auto failed = rig.take(0);
  rig.tell(WorkFailed{failed.id, {"E710", "a worker process died", "", ""}});
  rig.scheduler.clear();
  auto wiring = rig.wiring();
  wiring.slots[0] = rig.stage.ear().actor();
  rig.rewire(wiring);
  CHECK(rig.scheduler.take<SlotFree>().empty());
}

TEST_CASE("a thief is answered by the job itself") {
  JobRig rig{job_of(64)};
  rig.tell(GiveWork{rig.spec->id, peer, {5, 1, 1, {"shape@1"}}, 0.25});
  const auto grants = rig.sent<Grant>();
  REQUIRE(grants.size() == 1);
  CHECK(grants[0].ask == 5);
  CHECK(grants[0].spec == rig.spec);
  REQUIRE(grants[0].leases.size() == 1);
  CHECK(grants[0].leases[0].path == std::vector{us});
  CHECK(rig.queue().queued_leaves == 48);
}

TEST_CASE("what was leased to a peer comes back when it is down, at once when it is born again") {
  for (const bool reborn : {false, true}) {
    JobRig rig{job_of(64)};
    rig.tell(PeerNews{PeerNews::Kind::up, peer, 1});
    rig.tell(GiveWork{rig.spec->id, peer, {5, 1, 1, {"shape@1"}}, 0.5});
    CHECK(rig.queue().queued_leaves == 32);
    rig.tell(reborn ? PeerNews{PeerNews::Kind::up, peer, 2} : PeerNews{PeerNews::Kind::down, peer});
    if (!reborn) {
      CHECK(rig.scheduler.take<QueueChanged>().empty());
      rig.stage.pass(2s);
    }
    CHECK(rig.queue().queued_leaves == 64);
  }
}

TEST_CASE("messages of peers reach the job") {
  JobRig rig{job_of(64)};
  const auto cancel = std::make_shared<SignedCancel>();
  cancel->job = rig.spec->id;
  cancel->seal.key = us;
  rig.say(CancelJob{cancel});
  const auto ends = rig.store.take<JournalEnd>();
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].status.state == JobState::cancelled);
}

TEST_CASE("a new scheduler and a new api hear of the job, the old ones not twice") {
  JobRig rig{job_of(8)};
  rig.scheduler.clear();
  rig.stage.pass(1s);
  rig.api.clear();
  auto wiring = rig.wiring();
  rig.rewire(wiring);
  CHECK(rig.scheduler.size() == 0);
  auto &scheduler = rig.stage.ear(), &api = rig.stage.ear();
  wiring.scheduler = scheduler.actor();
  wiring.api = api.actor();
  rig.rewire(wiring);
  CHECK(scheduler.take<JobHere>().size() == 1);
  const auto reports = scheduler.take<QueueChanged>();
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].report.queued_leaves == 8);
  CHECK(api.take<JobNews>().size() == 1);
}

TEST_CASE("a lessee gives signs of life each second") {
  JobRig rig{job_of(8), false};
  rig.tell(LeasedFrom{peer, lease_from(peer, 7, {{0, 0}})});
  rig.stage.pass(3s);
  CHECK(rig.sent<LeaseBeat>().size() == 3);
}

TEST_CASE("people hear of news at most ten times a second") {
  JobRig rig{job_of(64)};
  rig.stage.pass(1s);
  rig.api.clear();
  rig.done(rig.take(), "one");
  rig.done(rig.take(), "another");
  CHECK(rig.api.size() == 0);
  rig.stage.pass(100ms);
  const auto news = rig.api.take<JobNews>();
  REQUIRE(news.size() == 1);
  CHECK(news[0].status.leaves_done == 2);
  rig.take();
  rig.stage.pass(100ms);
  CHECK(rig.api.take<JobNews>().size() == 1);
  rig.tell(PeerNews{PeerNews::Kind::down, stranger}); // No news.
  rig.stage.pass(100ms);
  CHECK(rig.api.take<JobNews>().empty());
}

TEST_CASE("a job hears that its node is paused, and resumed") {
  JobRig rig{job_of(8)};
  const auto runnable = [&] { return rig.scheduler.take<QueueChanged>().back().report.runnable; };
  CHECK(runnable() > 0);
  auto wiring = rig.wiring();
  wiring.pause = Pause{1, {}};
  rig.rewire(wiring);
  CHECK(runnable() == 0);
  rig.scheduler.clear();
  wiring.pause = Pause{1, 2}; // It is for another time.
  rig.rewire(wiring);
  CHECK(rig.scheduler.size() == 0);
  rig.rewire(rig.wiring());
  CHECK(runnable() > 0);
}

TEST_CASE("a job that hands back what it was leased is gone once its lessor has it") {
  JobRig rig{job_of(8), false};
  rig.tell(LeasedFrom{peer, lease_from(peer, 7, {{0, 0}})});
  rig.stage.tell(rig.job, leave_atom_v);
  const auto results = rig.sent<LeaseResult>();
  REQUIRE(results.size() == 1);
  CHECK(results[0].last);
  CHECK(rig.node.size() == 0);
  rig.say(Receipt{rig.spec->id, 7, results[0].sequence, true});
  for (auto* slot : rig.slots)
    CHECK(slot->take<DropJob>().size() == 1);
  const auto gone = rig.node.take<JobGone>();
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].job == rig.spec->id);
  rig.scheduler.clear();
  rig.tell(TakeWork{rig.spec->id, 0});
  CHECK(rig.scheduler.size() == 0); // Nobody is there.
}
