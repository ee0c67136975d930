#include "tests/actors/job_bench.hpp"

#include <algorithm>

// What a root tells people, and what a job's spec wishes: deadline and requirements.
using namespace tessera;
using namespace tessera::bench;

namespace {

// A bench of a job whose spec is changed.
struct Told : Bench {
  explicit Told(std::uint64_t leaves, const std::function<void(JobSpec&)>& change = {})
      : Bench(leaves) {
    auto changed = std::make_shared<SignedSpec>(*spec);
    if (change)
      change(changed->spec);
    spec = changed;
  }
  bool said(const Seat& seat, const std::string& words) {
    const auto log = seat.job->view(1, now).log;
    return std::any_of(log.begin(), log.end(), [&](const LogEntry& entry) {
      return entry.text.find(words) != std::string::npos;
    });
  }
};

const Error crash{"E701", "a worker process died", "", ""}, no{"E720", "no", "", ""};

void fail_one(Bench& b, Seat& s, const Error& why) {
  const auto start = s.work.front();
  s.work.pop_front();
  b.apply(s, s.job->work_failed(start.id, why, b.now));
}

JobConfig with(Worker worker) {
  JobConfig config;
  config.worker = std::move(worker);
  return config;
}

} // namespace

TEST_CASE("a job that is not done in time fails, and its leases are dropped everywhere") {
  Told b{64, [](JobSpec& spec) { spec.deadline_ms = 5000; }};
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.deliver_all();
  b.work_off(t, 3);
  b.pass(4900ms);
  CHECK_FALSE(a.ended);
  b.pass(200ms);
  REQUIRE(a.ended);
  CHECK(a.ended->state == JobState::failed);
  CHECK(a.ended->error.code == late_code);
  CHECK(a.ended->error.why.find("of 64 microtasks were done") != std::string::npos);
  b.pass(10s);
  CHECK(t.idle);
  CHECK(t.queue.queued_leaves == 0);
  CHECK(b.said(a, "failed after"));
}

TEST_CASE("done before its time is over is done, and nothing comes of the deadline") {
  Told b{16, [](JobSpec& spec) { spec.deadline_ms = 60'000; }};
  auto& a = b.root(1);
  b.run_out(a);
  CHECK(a.ended->state == JobState::done);
  b.pass(100s);
  CHECK(a.job->status(b.now).state == JobState::done);
}

TEST_CASE("a root that comes back too late says so at once") {
  Told b{16, [](JobSpec& spec) { spec.deadline_ms = 5000; }};
  b.now += 10s;
  auto& a = b.root(1);
  REQUIRE(a.job->next_wake());
  b.pass(1ms);
  REQUIRE(a.ended);
  CHECK(a.ended->error.code == late_code);
}

TEST_CASE("a deadline goes by the clock of the root") {
  Told b{16, [](JobSpec& spec) { spec.deadline_ms = 1'000'005'000; }};
  JobConfig config;
  config.unix_ms_at_zero = 1'000'000'000;
  auto& a = b.root(1, config);
  b.pass(4900ms);
  CHECK_FALSE(a.ended);
  b.pass(200ms);
  CHECK(a.ended);
}

TEST_CASE("a root that lacks what its job requires runs no leaf, but merges and finishes") {
  Told b{64, [](JobSpec& spec) { spec.require = {1 << 30, "x86_64"}; }};
  auto& a = b.root(1, with({1 << 20, "x86_64"}));
  CHECK(a.queue.runnable == 0);
  CHECK(a.queue.queued_leaves == 64);
  CHECK_FALSE(b.take(a));
  CHECK_FALSE(a.job->view(0, b.now).able);
  auto& t = b.lessee(2, with({1 << 30, "x86_64"}));
  StealAsk ask{++b.asks, 1, 1, {"shape@1"}, 0, {1 << 20, "x86_64"}};
  b.apply(a, a.job->give(t.id, ask, 1, b.now)); // It says that it has less.
  b.deliver_all();
  CHECK(t.queue.queued_leaves == 0);
  ask.worker = {1 << 30, "x86_64"};
  for (int i = 0; i < 8; ++i) {
    ask.ask = ++b.asks;
    b.apply(a, a.job->give(t.id, ask, 1, b.now));
    b.deliver_all();
  }
  b.run_out(a);
  CHECK(a.ended->result.digest == serial_result(64));
  const auto shares = a.job->status(b.now).shares;
  for (const auto& share : shares)
    CHECK((share.leaves == 0) == (share.node == a.id));
}

TEST_CASE("leaves that run again are counted by why") {
  Told b{64};
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.deliver_all();
  SUBCASE("who had them went") {
    b.kill(t);
    b.pass(2s);
    CHECK(a.job->counters().reruns == Reruns{.peer_gone = 32});
    CHECK(b.said(a, "is gone: 32 microtasks queued again"));
  }
  SUBCASE("who had them says nothing") {
    b.cut = [&](const Letter& l) { return l.from == t.id; };
    b.pass(20s);
    CHECK(a.job->counters().reruns == Reruns{.silent = 32});
    CHECK(b.said(a, "said nothing for too long: 32 microtasks queued again"));
    CHECK(b.said(a, "is silent"));
  }
  SUBCASE("a worker died") {
    REQUIRE(b.take(a));
    fail_one(b, a, crash);
    CHECK(a.job->counters().reruns == Reruns{.crashed = 1});
    CHECK(b.said(a, "failed at " + to_text(a.id).substr(0, 4) + ": E701 a worker process died"));
  }
  SUBCASE("a leaf failed at the thief, and is tried here") {
    REQUIRE(b.take(t));
    fail_one(b, t, no);
    b.pass(1s);
    CHECK(a.job->counters().reruns == Reruns{.failed = 1});
    CHECK(b.said(a, "failed at " + to_text(t.id).substr(0, 4) + ": E720 no"));
    const auto failed = a.job->view(0, b.now).failed;
    REQUIRE(failed.size() == 1);
    CHECK(failed[0].code == "E720");
    CHECK(failed[0].times == 1);
  }
}

TEST_CASE("a root's log tells a job's life, and is with what the journal keeps of its end") {
  Told b{64};
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.deliver_all();
  b.run_out(a);
  const auto& log = a.ended->log;
  REQUIRE(log.size() >= 4);
  CHECK(log.front().text == "accepted: 64 microtasks of shape");
  CHECK(log[1].text == "to " + to_text(t.id).substr(0, 4) + ": 32 microtasks");
  CHECK(log.back().text.starts_with("done after "));
  for (std::size_t i = 0; i < log.size(); ++i)
    CHECK(log[i].number == i + 1);
  CHECK(t.job->view(1, b.now).log.empty()); // A lessee tells nobody.
}

TEST_CASE(
    "what was logged goes to the journal with the next blocks, once, and on after a restart") {
  Told b{64};
  b.auto_journal = false;
  auto& a = b.root(1);
  b.work_off(a, 4);
  b.pass(200ms);
  REQUIRE_FALSE(a.journal.empty());
  const auto kept = a.journal.front().log;
  REQUIRE(kept.size() == 2);
  for (std::size_t i = 1; i < a.journal.size(); ++i)
    CHECK(a.journal[i].log.empty());
  auto again = Job::root({.self = node(1)}, b.spec, a.journal.front().done, 9, b.now, {}, kept);
  const auto log = again.view(1, b.now).log;
  REQUIRE(log.size() == 3);
  CHECK(log[2].text.starts_with("goes on after a restart: "));
  CHECK(log[2].number == 3);
}

TEST_CASE("a log keeps its newest thousand entries, and their numbers tell how many went") {
  JobLog log;
  for (int i = 0; i < 1500; ++i)
    log.say(i, std::string(300, 'x'));
  const auto all = log.since(0);
  CHECK(all.size() == log_entries_max);
  CHECK(all.front().number == 501);
  CHECK(all.front().text.size() == log_text_bytes_max);
  CHECK(log.since(1500).size() == 1);
  CHECK(log.take_fresh().size() == log_entries_max);
  CHECK(log.take_fresh().empty());
}

TEST_CASE("a view tells where each leaf is, and with whom") {
  Told b{64};
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.deliver_all();
  REQUIRE(b.take(a));
  b.pass(2s);
  const auto view = a.job->view(0, b.now);
  CHECK(view.leased == 32);
  CHECK(view.running == 1);
  CHECK(view.queued == 31);
  REQUIRE(view.out.size() == 1);
  CHECK(view.out[0].peer == t.id);
  CHECK(view.out[0].leaves == 32);
  CHECK(view.out[0].since >= 2s);
  CHECK_FALSE(view.out[0].suspected);
  CHECK(view.log.empty());
}

TEST_CASE("what nodes spent and what came to them adds up at the root") {
  Told b{64};
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.deliver_all();
  b.run_out(a);
  std::uint64_t cpu = 0, received = 0;
  for (const auto& share : a.job->status(b.now).shares) {
    cpu += share.cpu_ns;
    received += share.received_bytes;
    CHECK(share.slots == 1);
  }
  CHECK(cpu == a.ended->round.cpu_ns);
  CHECK(cpu > 0);
  CHECK(received >= 32); // The partial of the thief's half.
}
