#include "actors/rounds.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace tessera;
using namespace std::chrono_literals;

namespace {

const NodeId us{{1}}, another{{2}};

SpecPtr sealed(const JobSpec& spec) {
  SignedSpec job;
  job.spec = spec;
  Bytes name{spec.nonce.begin(), spec.nonce.end()};
  for (const auto& input : spec.inputs)
    name.insert(name.end(), input.blob.bytes.begin(), input.blob.bytes.end());
  job.id = digest_of("a test's job", {name});
  return std::make_shared<const SignedSpec>(std::move(job));
}

Partial partial_of(std::string_view text) {
  return {blob_id(view(text)), text.size(), to_bytes(view(text))};
}

SpecPtr job_of(std::uint32_t rounds, std::string_view state = "") {
  JobSpec spec;
  spec.submitter = us;
  spec.nonce[0] = 9;
  spec.kernel = "wasm";
  spec.items = 8;
  spec.shape = Shape::rounds;
  spec.rounds = rounds;
  spec.inputs = {{blob_id(view("module")), 6, Input::Role::module}};
  if (!state.empty())
    spec.inputs.push_back({blob_id(view(state)), state.size(), Input::Role::state});
  return sealed(spec);
}

struct Bench {
  explicit Bench(SpecPtr job, const JobStatus& told = {}) : spec(std::move(job)) {
    rounds.emplace(RoundsConfig{us, sealed}, spec, told, now);
    take(rounds->start(now));
  }

  void take(RoundsEffects effects) {
    begins.clear();
    opens.clear();
    ends.clear();
    cancels.clear();
    for (auto& effect : effects) {
      if (auto* b = std::get_if<BeginRound>(&effect))
        begins.push_back(*b);
      else if (auto* o = std::get_if<OpenRound>(&effect))
        opens.push_back(o->round);
      else if (auto* e = std::get_if<JobEnded>(&effect))
        ends.push_back(*e);
      else if (auto* c = std::get_if<CancelRound>(&effect))
        cancels.push_back(c->round);
      else
        idle = true;
    }
    if (!begins.empty())
      last = begins.back();
  }
  void written() { take(rounds->begun(last.round->id, now)); }
  JobStatus round_status(JobState state) const {
    JobStatus s;
    s.spec = last.round;
    s.root = us;
    s.state = state;
    s.leaves_done = 8;
    s.peers = 2;
    s.fuel = 100;
    s.reruns.silent = 1;
    s.shares = {{us, 6, 0, 3}, {another, 2, 1, 0}};
    return s;
  }
  void done(std::string_view result, bool over = false) {
    take(rounds->round_told(round_status(JobState::done), partial_of(result), {.over = over}, now));
  }
  void cancel(const NodeId& who) {
    auto word = std::make_shared<SignedCancel>();
    word->job = spec->id;
    word->seal.key = who;
    take(rounds->cancel(CancelJob{word}, now));
  }

  SpecPtr spec;
  Time now{1h};
  std::optional<Rounds> rounds;
  std::vector<BeginRound> begins;
  std::vector<SpecPtr> opens;
  std::vector<JobEnded> ends;
  std::vector<JobId> cancels;
  bool idle = false;
  BeginRound last;
};

} // namespace

TEST_CASE("a round is the same range job whenever it is asked for, of its number and state") {
  const auto job = job_of(5, "first");
  const auto one = round_spec(*job, 1, blob_id(view("first")), 5);
  CHECK(one == round_spec(*job, 1, blob_id(view("first")), 5));
  CHECK(one.shape == Shape::range);
  CHECK(one.rounds == 0);
  CHECK(one.parent == job->id);
  CHECK(one.round == 1);
  CHECK(one.submitter == us);
  CHECK(one.items == 8);
  CHECK(one.inputs == job->spec.inputs);
  const auto two = round_spec(*job, 2, blob_id(view("second")), 6);
  CHECK(two.nonce != one.nonce);
  CHECK(two.input(Input::Role::state)->blob == blob_id(view("second")));
  CHECK(two.input(Input::Role::module));
  CHECK_FALSE(round_spec(*job, 2, blob_id({}), 0).input(Input::Role::state));
}

TEST_CASE("a round is opened once it is written, and its result is the next one's state") {
  Bench b{job_of(5, "first")};
  REQUIRE(b.begins.size() == 1);
  CHECK(b.begins[0].round->spec.round == 1);
  CHECK(b.begins[0].state == Partial{blob_id(view("first")), 5, {}}); // Its bytes are here already.
  CHECK(b.begins[0].before == JobId{});
  CHECK(b.opens.empty());
  b.written();
  REQUIRE(b.opens.size() == 1);
  CHECK(b.opens[0]->id == b.last.round->id);
  const auto one = b.last.round->id;
  b.done("second");
  REQUIRE(b.begins.size() == 1);
  CHECK(b.ends.empty());
  CHECK(b.begins[0].round->spec.round == 2);
  CHECK(b.begins[0].state == partial_of("second"));
  CHECK(b.begins[0].before == one);
  CHECK(b.begins[0].told.round == 2);
  b.written();
  CHECK(b.opens.size() == 1);
}

TEST_CASE("a job of rounds ends when step says so, and with its last round") {
  Bench b{job_of(3)};
  b.written();
  SUBCASE("over") {
    b.done("result", true);
    CHECK(b.rounds->status(b.now).round == 1);
  }
  SUBCASE("the last") {
    for (auto state : {"second", "third"}) {
      b.done(state);
      CHECK(b.ends.empty());
      b.written();
    }
    b.done("result");
    CHECK(b.rounds->status(b.now).round == 3);
  }
  REQUIRE(b.ends.size() == 1);
  CHECK(b.begins.empty());
  CHECK(b.ends[0].state == JobState::done);
  CHECK(b.ends[0].result == partial_of("result"));
  CHECK(b.rounds->status(b.now).result == partial_of("result").digest);
}

TEST_CASE("a round that fails, fails the job with its error") {
  Bench b{job_of(3)};
  b.written();
  auto status = b.round_status(JobState::failed);
  status.error = {"E727", "what", "why", "fix"};
  b.take(b.rounds->round_told(status, {}, {}, b.now));
  REQUIRE(b.ends.size() == 1);
  CHECK(b.ends[0].state == JobState::failed);
  CHECK(b.ends[0].error == status.error);
  CHECK(b.rounds->status(b.now).error == status.error);
}

TEST_CASE("its submitter cancels a job of rounds, and with it the round that runs") {
  Bench b{job_of(3)};
  b.written();
  b.cancel(another);
  CHECK(b.ends.empty());
  b.cancel(us);
  REQUIRE(b.ends.size() == 1);
  CHECK(b.ends[0].state == JobState::cancelled);
  CHECK(b.cancels == std::vector{b.last.round->id});
  b.cancel(us);
  CHECK(b.ends.empty());
  b.done("late", true);
  CHECK(b.ends.empty());
  CHECK(b.rounds->status(b.now).state == JobState::cancelled);
}

TEST_CASE("a round that was not written yet when the job was cancelled is never opened") {
  Bench b{job_of(3)};
  b.cancel(us);
  b.written();
  CHECK(b.opens.empty());
}

TEST_CASE("a late word from the round before, or a second one, moves nothing") {
  Bench b{job_of(9)};
  b.written();
  const auto before = b.round_status(JobState::done);
  b.done("second");
  b.take(b.rounds->round_told(before, partial_of("other"), {.over = true}, b.now));
  CHECK(b.begins.empty());
  CHECK(b.ends.empty());
  b.take(b.rounds->begun(before.spec->id, b.now));
  CHECK(b.opens.empty());
  b.written();
  b.written();
  CHECK(b.opens.empty());
}

TEST_CASE("a round whose job went without a word that came is opened again") {
  Bench b{job_of(9)};
  const auto one = b.last.round->id;
  b.take(b.rounds->round_gone(one, b.now));
  CHECK(b.opens.empty()); // Its job never was.
  b.written();
  b.take(b.rounds->round_gone(one, b.now));
  REQUIRE(b.opens.size() == 1);
  CHECK(b.opens[0]->id == one);
  b.done("second");
  b.written();
  b.take(b.rounds->round_gone(one, b.now)); // As each goes, a while after its end.
  CHECK(b.opens.empty());
}

TEST_CASE("people see the leaves of the round, and all else of the whole job") {
  Bench b{job_of(9)};
  CHECK(b.rounds->status(b.now).state == JobState::queued);
  b.written();
  b.done("second");
  b.now += 3s;
  auto now = b.rounds->status(b.now);
  CHECK(now.state == JobState::running);
  CHECK(now.round == 2);
  CHECK(now.leaves_done == 0);
  CHECK(now.elapsed_ms == 3000);
  b.written();
  auto running = b.round_status(JobState::running);
  running.leaves_done = 3;
  running.fuel = 0;
  b.take(b.rounds->round_told(running, {}, {}, b.now));
  now = b.rounds->status(b.now);
  CHECK(now.spec == b.spec);
  CHECK(now.leaves_done == 3);
  CHECK(now.peers == 2);
  CHECK(now.fuel == 100);
  CHECK(now.reruns.silent == 2);
  CHECK(now.shares == std::vector<NodeShare>{{us, 12, 0, 6}, {another, 4, 2, 0}});
  b.done("third");
  b.written();
  b.done("result", true);
  now = b.rounds->status(b.now);
  CHECK(now.fuel == 300);
  CHECK(now.reruns.silent == 3);
  CHECK(now.shares == std::vector<NodeShare>{{us, 18, 0, 9}, {another, 6, 3, 0}});
}

TEST_CASE("an ended job of rounds lingers, then is idle") {
  Bench b{job_of(1)};
  b.written();
  CHECK_FALSE(b.rounds->next_wake());
  b.done("result");
  REQUIRE(b.rounds->next_wake());
  b.take(b.rounds->wake(b.now));
  CHECK_FALSE(b.idle);
  b.now = *b.rounds->next_wake();
  b.take(b.rounds->wake(b.now));
  CHECK(b.idle);
  CHECK_FALSE(b.rounds->next_wake());
}

// A node that dies again and again, at any point, has what the store had written; each state is a
// function of the one before.
TEST_CASE("killed at any point, a job of rounds comes to the same result with the same totals") {
  const auto next = [](const JobSpec& round) {
    const auto* state = round.input(Input::Role::state);
    return "after " + std::to_string(round.round) + " " +
           (state ? to_hex(state->blob).substr(0, 8) : "nothing");
  };
  const auto job = job_of(40);
  std::string expected;
  std::uint64_t deaths = 0;
  for (std::uint64_t seed = 0; seed != 200; ++seed) {
    INFO("seed ", seed);
    std::mt19937_64 dice{seed};
    std::optional<BeginRound> written;
    std::optional<Bench> b;
    std::vector<JobEnded> ends;
    bool open = false;
    const auto dies = [&] { return seed != 0 && dice() % 16 == 0; };
    while (ends.empty()) {
      if (!b || dies()) {
        deaths += b.has_value();
        b.emplace(job, written ? written->told : JobStatus{});
        open = false;
        continue;
      }
      if (!open) {
        CHECK((!written || b->last.round->spec.round <= written->round->spec.round + 1));
        written = b->last; // Once more, or the next one.
        if (dies()) {
          b.reset();
          continue;
        }
        b->written();
        REQUIRE(b->opens.size() == 1);
        CHECK(b->opens[0]->id == written->round->id);
        open = true;
      }
      b->done(next(b->last.round->spec), b->last.round->spec.round == 33);
      ends = b->ends;
      open = false;
    }
    const auto status = b->rounds->status(b->now);
    CHECK(status.round == 33);
    CHECK(status.fuel == 3300);
    CHECK(status.shares == std::vector<NodeShare>{{us, 198, 0, 99}, {another, 66, 33, 0}});
    const auto result = std::string{text_of(ends[0].result.bytes)};
    if (seed == 0)
      expected = result;
    CHECK(result == expected);
  }
  CHECK(deaths > 400);
}

namespace {

SpecPtr tree_of(std::uint32_t budget) {
  auto spec = job_of(0xffffffff, "task")->spec;
  spec.shape = Shape::tree;
  spec.budget = budget;
  return sealed(spec);
}

struct Tree : Bench {
  using Bench::Bench;
  // A round in which so many tasks ran, each so long.
  void ran(std::uint64_t tasks, std::uint64_t left, Duration each) {
    const auto ns = std::uint64_t(std::chrono::nanoseconds(each).count()) * tasks;
    take(rounds->round_told(round_status(JobState::done), partial_of("bag"),
                            {left == 0, tasks, left, ns}, now));
  }
  std::uint32_t budget() const { return last.round->spec.budget; }
};

} // namespace

TEST_CASE("a tree job's rounds run as many tasks a lane as take 20 ms, within bounds") {
  Tree t{tree_of(0)};
  CHECK(t.budget() == 256);
  CHECK(t.last.told.tasks_left == 1);
  t.written();
  t.ran(100, 50, 100us); // 200 of these.
  CHECK(t.budget() == 200);
  t.written();
  t.ran(1000, 70, 1us); // 20,000 of these, but not at once.
  CHECK(t.budget() == 3200);
  t.written();
  t.ran(1000, 70, 1us);
  CHECK(t.budget() == 20'000);
  t.written();
  t.ran(1, 70, 1h);
  CHECK(t.budget() == 1);
  for (int i = 0; i < 8; ++i) {
    t.written();
    t.ran(1000, 70, 1ns);
  }
  CHECK(t.budget() == 1 << 20);
  const auto status = t.rounds->status(t.now);
  CHECK(status.tasks_run == 100 + 1000 + 1000 + 1 + 8 * 1000);
  CHECK(status.tasks_left == 70);
  CHECK(status.budget == 1 << 20);
  t.written();
  t.ran(70, 0, 1us);
  REQUIRE(t.ends.size() == 1);
  CHECK(t.ends[0].state == JobState::done);
  CHECK(t.rounds->status(t.now).tasks_left == 0);
}

TEST_CASE("a tree job's own budget holds in each round") {
  Tree t{tree_of(77)};
  for (int i = 0; i < 3; ++i) {
    CHECK(t.budget() == 77);
    t.written();
    t.ran(1000, 70, 1us);
  }
}

TEST_CASE("a tree job that is resumed goes on with the very round that it was in") {
  Tree t{tree_of(0)};
  t.written();
  t.ran(100, 50, 100us);
  Tree again{t.spec, t.last.told};
  CHECK(again.last.round->id == t.last.round->id);
  CHECK(again.rounds->status(again.now).tasks_run == 100);
}

TEST_CASE("a job of rounds whose time is over fails, between two rounds too") {
  auto spec = job_of(5)->spec;
  spec.deadline_ms = 3'600'000 + 10'000; // Unix time is that of the bench's clock here.
  Bench r{sealed(spec)};
  REQUIRE(r.rounds->next_wake() == Time{1h + 10s});
  r.now += 9s;
  r.take(r.rounds->wake(r.now));
  CHECK(r.ends.empty());
  r.now += 1s;
  r.take(r.rounds->wake(r.now));
  REQUIRE(r.ends.size() == 1);
  CHECK(r.ends[0].state == JobState::failed);
  CHECK(r.ends[0].error.code == late_code);
  CHECK(r.cancels.size() == 1);
  REQUIRE_FALSE(r.ends[0].log.empty());
  CHECK(r.ends[0].log.back().text.starts_with("failed in round 1: E460"));
}
