#include "tests/node/slot_rig.hpp"

#include <csignal>

using namespace tessera;
using rig::SlotRig, rig::gate;
using namespace std::chrono_literals;

// A slot whose worker dies, hangs, lies or is full, and whose jobs are dropped.
namespace {

constexpr std::size_t opened_max = 16; // Of slot_actor.cpp.

struct Watched {
  explicit Watched(const SlotRig& rig) : pid(rig.worker()), gone(rig::watch(pid)) {}
  bool is_gone() const { return rig::readable(gone.get()); }

  pid_t pid;
  Fd gone;
};

WorkId finish(SlotRig& rig, const SpecPtr& spec) {
  return rig.start(spec, FinishWork{SlotRig::inlined("")});
}

} // namespace

TEST_CASE("a worker that dies is replaced, and what waited behind is no worse for it") {
  SlotRig rig;
  const auto other = rig.job_of("range", to_bytes(view("input")));
  CHECK(rig.text_done(finish(rig, other)) == "input");
  const Watched before{rig};
  const auto crash = rig.start(rig.job_of("crashing")), lost = finish(rig, other);
  const auto failures = rig.failures(2);
  CHECK(failures[0].id == crash);
  CHECK(failures[1].id == lost);
  CHECK(failures[0].why.code == "E710");
  CHECK(failures[1].why.code == "E709");
  CHECK(rig.frees() == 2);
  CHECK(before.is_gone());
  CHECK(rig.text_done(finish(rig, other)) == "input"); // It is opened again.
  CHECK(rig.shelf.asked.size() == 2);
  CHECK_FALSE(rig.ended);
}

TEST_CASE("what waits a second behind another job's call is given back, and answered once") {
  SlotRig rig;
  const auto slow = rig.job_of("gated"), quick = rig.job_of("range");
  gate.shut();
  const auto first = rig.start(slow), own = rig.start(slow, RunWork{{0, 1}});
  const auto trial = rig.start(quick, RunWork{{0, 1}}, false); // Whoever asked for it waits.
  const auto behind = rig.start(quick);
  rig.stage.pass(990ms);
  CHECK(rig.job.size() == 0);
  rig.stage.pass(10ms);
  const auto back = rig.failures(1);
  CHECK(back[0].id == behind);
  CHECK(back[0].why.code == "E709");
  CHECK(rig.frees() == 0); // No more is to be sent here.
  const auto late = rig.start(quick, RunWork{{0, 2}});
  CHECK(rig.failures(1)[0].id == late);
  rig.stage.pass(1h);
  gate.open();
  std::size_t frees = 0;
  rig.until([&] { return (frees += rig.frees()) == 4; });
  const auto done = rig.job.take<WorkDone>();
  REQUIRE(done.size() == 3);
  CHECK(done[0].id == first);
  CHECK(done[1].id == own);
  CHECK(done[2].id == trial);
  CHECK(rig.job.size() == 0);
  CHECK(rig.text_done(rig.start(quick)) == "0-1 ");
}

TEST_CASE("a worker found dead when it is wanted is replaced") {
  SlotRig rig;
  const Watched before{rig};
  rig.zygote.kill(before.pid);
  REQUIRE(before.is_gone());
  CHECK(rig.failed(rig.start(rig.job_of("range"))) == "E710");
  CHECK(rig.text_done(rig.start(rig.job_of("range"))) == "0-1 ");
}

TEST_CASE("a worker that speaks nonsense is replaced") {
  SlotRig rig;
  const Watched before{rig};
  CHECK(rig.failed(rig.start(rig.job_of("nonsense"))) == "E710");
  CHECK(before.is_gone());
  CHECK(rig.text_done(rig.start(rig.job_of("range"))) == "0-1 ");
}

TEST_CASE("a slot dies of an answer to what it never asked, and takes its worker along") {
  SlotRig rig;
  const Watched before{rig};
  rig.start(rig.job_of("lying"));
  rig.until([&] { return rig.ended; });
  CHECK(before.is_gone());
  CHECK(rig.job.size() == 0); // Its jobs learn it from the wiring.
}

TEST_CASE("a slot that is ended takes its worker along, whatever that computes") {
  SlotRig rig;
  const Watched before{rig};
  rig.start(rig.job_of("endless"));
  rig.stage.end(rig.slot);
  CHECK(rig.ended);
  CHECK(before.is_gone());
}

TEST_CASE("a slot that gets no worker dies") {
  auto zygote = rig::new_zygote();
  const auto gone = rig::watch(zygote.pid());
  SUBCASE("at first") {
    ::kill(zygote.pid(), SIGKILL);
    REQUIRE(rig::readable(gone.get()));
    const SlotRig rig{std::move(zygote)};
    CHECK(rig.ended);
  }
  SUBCASE("when its worker is gone") {
    SlotRig rig{std::move(zygote)};
    ::kill(rig.zygote.pid(), SIGKILL);
    REQUIRE(rig::readable(gone.get()));
    rig.until([&] { return rig.ended; });
  }
}

TEST_CASE("what a dropped job runs is killed, and nobody hears of it but the scheduler") {
  SlotRig rig;
  const auto hanging = rig.job_of("endless"), other = rig.job_of("range");
  const Watched before{rig};
  rig.start(hanging);
  const auto waiting = rig.start(other);
  rig.stage.tell(rig.slot, DropJob{hanging->id});
  CHECK(before.is_gone());
  const auto failures = rig.failures(1); // It waited behind.
  CHECK(failures[0].id == waiting);
  CHECK(failures[0].why.code == "E709");
  CHECK(rig.frees() == 2);
  CHECK(rig.text_done(rig.start(other)) == "0-1 ");
}

TEST_CASE("a dropped job that runs nothing is closed, and its worker stays") {
  SlotRig rig;
  const auto spec = rig.job_of("range", to_bytes(view("input")));
  const Watched before{rig};
  for (std::size_t times = 1; times <= 3; ++times) {
    CHECK(rig.text_done(finish(rig, spec)) == "input");
    CHECK(rig.shelf.asked.size() == times);
    rig.stage.tell(rig.slot, DropJob{spec->id});
    rig.stage.tell(rig.slot, DropJob{spec->id}); // Of no job now.
  }
  CHECK(rig.worker() == before.pid);
}

TEST_CASE("a dropped job does not begin when its blobs come") {
  SlotRig rig;
  const auto answering = rig.store();
  rig.new_store(rig.stage.ear().actor());
  const auto dropped = rig.job_of("endless", to_bytes(view("input")));
  rig.start(dropped);
  rig.stage.tell(rig.slot, DropJob{dropped->id});
  rig.start(dropped); // By its next actor.
  rig.stage.tell(rig.slot, DropJob{rig.job_of("range")->id});
  rig.new_store(answering);
  CHECK(rig.frees() == 1);
  const Watched before{rig};
  rig.stage.tell(rig.slot, DropJob{dropped->id});
  CHECK(before.is_gone()); // That one ran.
  CHECK(rig.frees() == 1);
  CHECK(rig.job.size() == 0);
}

TEST_CASE("work whose job was opened while its blobs were fetched goes on with what it needs") {
  SlotRig rig;
  const auto answering = rig.store();
  rig.new_store(rig.stage.ear().actor());
  const auto spec = rig.job_of("range", to_bytes(view("input")));
  rig.start(spec, FinishWork{rig.stored('1')});
  rig.start(spec, FinishWork{rig.stored('2')});
  rig.new_store(answering);
  rig.until([&] { return rig.job.size() == 2; });
  const auto news = rig.job.take<WorkDone>();
  REQUIRE(news.size() == 2);
  for (std::size_t i : {0, 1}) {
    CHECK(news[i].id == i + 1);
    CHECK(rig.shelf.kept.at(i).second[0] == '1' + int(i));
    CHECK(rig.shelf.kept.at(i).second.back() == 't');
  }
}

TEST_CASE("work whose job was closed while its blobs were fetched gets all that it needs") {
  SlotRig rig;
  const auto answering = rig.store();
  const auto spec = rig.job_of("range", to_bytes(view("input")));
  CHECK(rig.text_done(finish(rig, spec)) == "input");
  rig.new_store(rig.stage.ear().actor());
  const auto id = rig.start(spec, FinishWork{rig.stored('l')});
  SUBCASE("by a worker's death") {
    CHECK(rig.failed(rig.start(rig.job_of("crashing"))) == "E710");
  }
  SUBCASE("for others") {
    for (std::size_t i = 0; i < opened_max; ++i)
      CHECK(rig.text_done(rig.start(rig.job_of("range"))) == "0-1 ");
  }
  rig.new_store(answering);
  const auto size = rig.done(id).partial.size;
  CHECK(size == partial_inline_bytes_max + 1 + 5);
}

TEST_CASE("of too many open jobs the one used longest ago is closed") {
  SlotRig rig;
  std::vector<SpecPtr> jobs;
  for (std::size_t i = 0; i <= opened_max; ++i)
    jobs.push_back(rig.job_of("range", to_bytes(view("input " + std::to_string(i)))));
  for (std::size_t i = 0; i < opened_max; ++i)
    rig.text_done(finish(rig, jobs[i]));
  rig.text_done(finish(rig, jobs[0]));
  CHECK(rig.shelf.asked.size() == opened_max);
  rig.text_done(finish(rig, jobs[opened_max]));
  rig.shelf.asked.clear();
  rig.text_done(finish(rig, jobs[0]));
  CHECK(rig.shelf.asked.empty());
  CHECK(rig.text_done(finish(rig, jobs[1])) == "input 1");
  CHECK(rig.shelf.asked.size() == 1);
}

TEST_CASE("a worker keeps room for jobs to come, however many there were") {
  SlotRig rig;
  for (std::size_t i = 0; i <= open_jobs_max; ++i)
    CHECK(rig.text_done(rig.start(rig.job_of("range"))) == "0-1 ");
}

TEST_CASE("a job with a call under way is not closed for another") {
  SlotRig rig;
  gate.shut();
  std::vector<SpecPtr> jobs;
  for (std::size_t i = 0; i < 2 * opened_max; ++i) {
    jobs.push_back(rig.job_of("gated", to_bytes(view("input"))));
    rig.start(jobs.back());
  }
  gate.open();
  rig.until([&] { return rig.job.size() == jobs.size(); });
  CHECK(rig.job.take<WorkDone>().size() == jobs.size());
  CHECK(rig.frees() == jobs.size());
  rig.shelf.asked.clear();
  rig.text_done(finish(rig, jobs[0]));
  CHECK(rig.shelf.asked.empty());
}

TEST_CASE("what the worker's socket does not take waits, and is lost with the worker only") {
  constexpr std::size_t many = 300; // Far more than a socket buffers.
  for (const bool dies : {false, true}) {
    CAPTURE(dies);
    SlotRig rig;
    gate.shut();
    const auto held_up = rig.job_of("gated"), other = rig.job_of("range");
    rig.start(held_up);
    const auto wide = SlotRig::inlined(std::string(partial_inline_bytes_max / 2 - 2, 'w'));
    for (std::size_t i = 0; i < many; ++i)
      rig.start(other, MergeWork{{1, 0}, wide, wide});
    if (dies)
      rig.stage.tell(rig.slot, DropJob{held_up->id});
    else
      gate.open();
    rig.until([&] { return rig.job.size() == many + !dies; });
    CHECK(rig.job.take<WorkDone>().size() == (dies ? 0 : many + 1));
    CHECK(rig.job.take<WorkFailed>().size() == (dies ? many : 0));
    CHECK(rig.frees() == many + 1);
    gate.open();
    CHECK(rig.text_done(rig.start(other)) == "0-1 ");
  }
}

TEST_CASE("a request past the worker's bounds fails its own call, and no other") {
  SlotRig rig;
  auto& api = rig.stage.ear();
  const auto input = blob_id(view("input"));
  rig.shelf.files[input] = to_bytes(view("input"));
  rig.stage.tell_as(api.actor(), rig.slot,
                    PrepareFor{"preparing", Bytes(call_params_bytes_max + 1), input});
  const auto answers = api.take<Prepared>();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].why.code == "E708");
  auto spec = *rig.job_of("range");
  spec.spec.params.resize(call_params_bytes_max + 1);
  CHECK(rig.failed(rig.start(std::make_shared<const SignedSpec>(spec))) == "E705");
  CHECK(rig.text_done(rig.start(rig.job_of("range"))) == "0-1 ");
}
