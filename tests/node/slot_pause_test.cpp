#include "tests/node/slot_rig.hpp"

using namespace tessera;
using rig::SlotRig, rig::gate;
using namespace std::chrono_literals;

// A slot of a node whose owner wants the machine.

TEST_CASE("what ends in the moment after a pause is not done in vain") {
  SlotRig rig;
  const auto job = rig.job_of("gated");
  gate.shut();
  const auto first = rig.start(job), second = rig.start(job, RunWork{{0, 1}});
  rig.pause();
  rig.stage.pass(490ms);
  CHECK(rig.job.size() == 0);
  gate.open();
  rig.until([&] { return rig.job.size() == 2; });
  const auto done = rig.job.take<WorkDone>();
  REQUIRE(done.size() == 2);
  CHECK(done[0].id == first);
  CHECK(done[1].id == second);
  const auto before = rig.worker();
  rig.stage.pass(10s);
  CHECK(rig.worker() == before);
}

TEST_CASE("an endless loop is gone half a second after a pause, and what waits behind it") {
  SlotRig rig;
  const auto before = rig.worker();
  const auto endless = rig.start(rig.job_of("endless")), behind = rig.start(rig.job_of("range"));
  rig.stage.pass(200ms);
  rig.pause();
  rig.stage.pass(490ms);
  CHECK(rig.job.size() == 0);
  rig.stage.pass(10ms);
  const auto failures = rig.failures(2);
  CHECK(failures[0].id == endless);
  CHECK(failures[0].why.code == paused_code);
  CHECK(failures[1].id == behind);
  CHECK(failures[1].why.code == "E709");
  CHECK(rig.frees() == 2);
  CHECK(rig.worker() != before);
}

TEST_CASE("a paused slot runs no leaves of jobs, until it is resumed") {
  SlotRig rig;
  rig.pause();
  const auto job = rig.job_of("range");
  CHECK(rig.failed(rig.start(job)) == paused_code);
  CHECK(rig.shelf.asked.empty());
  const auto trial = rig.start(job, RunWork{{0, 0}}, false); // Somebody here asked for this one.
  rig.until([&] { return rig.job.size() > 0; });
  CHECK(rig.job.take<WorkDone>().at(0).id == trial);
  CHECK(rig.frees() == 0);
  rig.pause(false);
  CHECK(rig.text_done(rig.start(job)) == "0-1 ");
}

TEST_CASE("leaves whose blobs come after the pause do not begin") {
  SlotRig rig;
  auto& store = rig.stage.ear();
  const auto fake = rig.store();
  rig.new_store(store.actor());
  const auto id = rig.start(rig.job_of("range", to_bytes(view("input"))));
  rig.pause();
  rig.new_store(fake);
  CHECK(rig.failed(id) == paused_code);
}

TEST_CASE("a paused slot merges and finishes, each for a second at most") {
  SlotRig rig;
  rig.pause();
  const auto job = rig.job_of("range");
  const auto left = SlotRig::inlined("left "), right = SlotRig::inlined("right ");
  CHECK(rig.text_done(rig.start(job, MergeWork{{1, 0}, left, right})) == "(left right )");
  const auto endless = rig.job_of("endless");
  const auto trial = rig.start(endless, RunWork{{0, 0}}, false);
  const auto behind = rig.start(endless, FinishWork{left});
  rig.stage.pass(990ms);
  CHECK(rig.job.size() == 0);
  rig.stage.pass(10ms);
  const auto failures = rig.failures(2);
  CHECK(failures[0].id == trial);
  CHECK(failures[0].why.code == paused_code);
  CHECK(failures[1].id == behind);
  CHECK(failures[1].why.code == "E709");
}

TEST_CASE("resumed in time, a slot goes on with what it was at") {
  SlotRig rig;
  const auto job = rig.job_of("gated");
  gate.shut();
  const auto id = rig.start(job);
  rig.pause();
  rig.stage.pass(490ms);
  rig.pause(false);
  rig.stage.pass(1h);
  gate.open();
  CHECK(rig.text_done(id) == "0-1 ");
}
