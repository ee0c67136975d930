#include "actors/lifelines.hpp"
#include "tests/actors/scheduler_rig.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace tessera;
using namespace tessera::rig;
using namespace std::chrono_literals;

namespace {

Scheduler scheduler(std::uint32_t slots = 1, std::size_t lifelines = 4) {
  SchedulerConfig c;
  c.self = node(100);
  c.slots = slots;
  c.kernels = {"shape@1"};
  c.lifelines = lifelines;
  return {c, 7};
}

StealAsk lifeline(std::uint64_t ask, double speed = 1, std::uint32_t wait_ms = 10'000) {
  return {ask, 1, speed, {"shape@1"}, wait_ms};
}

// Leaves that are queued, beyond what the own slots could start.
QueueReport queue(std::uint64_t leaves, std::uint64_t leases = 0) {
  QueueReport r;
  r.queued_leaves = leaves;
  r.queued_ns = leaves * 1'000'000'000;
  r.leases = leases;
  return r;
}

Grant grant_of(std::uint64_t ask, LeaseId lease = 77) {
  auto spec = std::make_shared<SignedSpec>();
  spec->id = job(1);
  spec->spec.kernel = "shape";
  return {ask, spec, {Lease{job(1), lease, 0, {Block{0, 0}}, {node(1)}}}};
}

// Idle, with one lifeline to the only peer.
struct Idle {
  Scheduler s = scheduler();
  NodeId peer = node(1);
  StealAsk laid;

  Idle() {
    const auto asks = sent<StealAsk>(s.peer_up(peer, t0));
    REQUIRE(asks.size() == 1);
    CHECK(asks[0].first == peer);
    laid = asks[0].second;
    CHECK(laid.wait_ms == lifeline_wait_ms);
  }
};

} // namespace

TEST_CASE("an idle node lays lifelines to as many peers as it may, and to each once") {
  auto s = scheduler(1, 3);
  std::set<NodeId> laid;
  std::set<std::uint64_t> asks;
  for (std::uint8_t n = 1; n < 9; ++n)
    for (const auto& [to, ask] : sent<StealAsk>(s.peer_up(node(n), t0))) {
      laid.insert(to);
      asks.insert(ask.ask);
    }
  CHECK(laid.size() == 3);
  CHECK(asks.size() == 3);
  CHECK(s.next_wake() == t0 + 10s);
  CHECK(sent<StealAsk>(s.wake(t0 + 9s)).empty());
  CHECK(sent<StealAsk>(s.wake(t0 + 10s)).size() == 3); // Those are forgotten by now.
}

TEST_CASE("who has work, no slots, or pauses, lays none") {
  auto busy = scheduler();
  busy.job_opened(job(1), node(1), "shape@1", t0);
  busy.queue_changed(job(1), queue(100), t0);
  CHECK(sent<StealAsk>(busy.peer_up(node(1), t0)).empty());
  auto slotless = scheduler(0);
  CHECK(sent<StealAsk>(slotless.peer_up(node(1), t0)).empty());
  auto paused = scheduler();
  paused.pause(t0);
  CHECK(sent<StealAsk>(paused.peer_up(node(1), t0)).empty());
}

TEST_CASE("somebody who has work is asked, and no lifeline laid instead") {
  auto s = scheduler();
  s.peer_up(node(1), t0);
  Record record;
  record.subject = node(1);
  record.slots = 1;
  record.speed = 1;
  record.stealable_ns = 1'000'000;
  const auto asks = sent<StealAsk>(s.peer_record(record, t0));
  REQUIRE(asks.size() == 1);
  CHECK(asks[0].second.wait_ms == 0);
}

TEST_CASE("a lifeline's grant is accepted once, and a new one is laid when the work is over") {
  Idle i;
  const auto effects = i.s.receive(i.peer, grant_of(i.laid.ask), t0 + 5s);
  CHECK(all<AcceptLeases>(effects).size() == 1);
  CHECK(sent<StealAsk>(effects).empty()); // The leases are on their way.
  CHECK(sent<LeaseRefused>(i.s.receive(i.peer, grant_of(i.laid.ask, 78), t0 + 5s)).size() == 1);
  i.s.job_opened(job(1), node(1), "shape@1", t0 + 5s);
  const auto asks = sent<StealAsk>(i.s.queue_changed(job(1), queue(0, 1), t0 + 6s));
  REQUIRE(asks.size() == 1);
  CHECK(asks[0].second.wait_ms == lifeline_wait_ms);
  CHECK(asks[0].second.ask != i.laid.ask);
}

TEST_CASE("a lifeline's grant from somebody else, or after the peer went down, is refused aloud") {
  Idle i;
  CHECK(sent<LeaseRefused>(i.s.receive(node(2), grant_of(i.laid.ask), t0)).size() == 1);
  i.s.peer_down(i.peer, t0);
  CHECK(sent<LeaseRefused>(i.s.receive(i.peer, grant_of(i.laid.ask), t0)).size() == 1);
}

TEST_CASE("who found work meanwhile takes a lifeline's grant all the same") {
  Idle i;
  i.s.job_opened(job(9), node(9), "shape@1", t0);
  i.s.queue_changed(job(9), queue(100), t0);
  const auto effects = i.s.receive(i.peer, grant_of(i.laid.ask), t0);
  REQUIRE(all<AcceptLeases>(effects).size() == 1);
  CHECK(all<AcceptLeases>(effects)[0].leases.at(0).id == 77);
}

TEST_CASE("after an empty grant no lifeline is laid there for a second") {
  Idle i;
  CHECK(sent<StealAsk>(i.s.receive(i.peer, Grant{i.laid.ask, nullptr, {}}, t0)).empty());
  CHECK(i.s.next_wake() == t0 + 1s);
  CHECK(sent<StealAsk>(i.s.wake(t0 + 1s)).size() == 1);
}

TEST_CASE("an ask that waits is answered when work comes, once") {
  auto s = scheduler();
  CHECK(s.receive(node(1), lifeline(5), t0).empty());
  s.job_opened(job(1), node(100), "shape@1", t0 + 1s);
  const auto gives = all<GiveWork>(s.queue_changed(job(1), queue(10), t0 + 1s));
  REQUIRE(gives.size() == 1);
  CHECK(gives[0].asker == node(1));
  CHECK(gives[0].ask.ask == 5);
  CHECK(gives[0].share == doctest::Approx(0.5));
  CHECK(all<GiveWork>(s.queue_changed(job(1), queue(20), t0 + 2s)).empty());
}

TEST_CASE("with work at hand a lifeline is an ask like any other") {
  auto s = scheduler();
  s.job_opened(job(1), node(100), "shape@1", t0);
  s.queue_changed(job(1), queue(10), t0);
  CHECK(all<GiveWork>(s.receive(node(1), lifeline(5), t0)).size() == 1);
}

TEST_CASE("an ask waits no longer than it said, nor once its asker is gone, busy or our lessor") {
  const auto answered = [](auto meanwhile) {
    auto s = scheduler();
    s.receive(node(1), lifeline(5), t0);
    meanwhile(s);
    s.job_opened(job(2), node(100), "shape@1", t0 + 2s);
    return all<GiveWork>(s.queue_changed(job(2), queue(10), t0 + 2s)).size() == 1;
  };
  const auto says_busy_after = [](Duration since) {
    return [since](Scheduler& s) {
      Record busy;
      busy.subject = node(1);
      busy.stealable_ns = 1;
      s.peer_record(busy, t0 + since);
    };
  };
  CHECK(answered([](Scheduler&) {}));
  CHECK_FALSE(answered([](Scheduler& s) { s.receive(node(1), lifeline(5, 1, 2'000), t0); }));
  CHECK_FALSE(answered([](Scheduler& s) { s.peer_down(node(1), t0); }));
  CHECK_FALSE(answered(says_busy_after(1500ms)));
  CHECK(answered(says_busy_after(1ms))); // The record may be older than the ask.
  CHECK_FALSE(answered([](Scheduler& s) {
    const auto laid = sent<StealAsk>(s.peer_up(node(1), t0));
    REQUIRE(laid.size() == 1);
    s.receive(node(1), grant_of(laid[0].second.ask), t0);
  }));
}

TEST_CASE("those who wait share by their powers, as long as there are leaves") {
  auto s = scheduler();
  s.receive(node(1), lifeline(1, 2), t0);
  s.receive(node(2), lifeline(2, 1), t0);
  s.job_opened(job(1), node(100), "shape@1", t0);
  CHECK(all<GiveWork>(s.queue_changed(job(1), queue(1), t0)).empty()); // Its own slot has it.
  const auto gives = all<GiveWork>(s.queue_changed(job(1), queue(100), t0));
  REQUIRE(gives.size() == 2);
  CHECK(gives[0].share == doctest::Approx(0.5)); // 2 of 4.
  CHECK(gives[1].share == doctest::Approx(0.5)); // 1 of the 2 that are left.
}

TEST_CASE("who claims to be a million times as fast leaves something to the rest") {
  auto s = scheduler();
  s.receive(node(1), lifeline(1), t0);
  s.receive(node(2), lifeline(2, 1e6), t0);
  s.job_opened(job(1), node(100), "shape@1", t0);
  const auto gives = all<GiveWork>(s.queue_changed(job(1), queue(100), t0));
  REQUIRE(gives.size() == 2);
  CHECK(gives[0].asker == node(1));
  CHECK(gives[0].share == doctest::Approx(1.0 / 18));
  CHECK(gives[1].share == doctest::Approx(0.5));
}

TEST_CASE("a node without slots gives a single leaf to the first of those who wait") {
  auto s = scheduler(0);
  s.receive(node(1), lifeline(1), t0);
  s.receive(node(2), lifeline(2), t0);
  s.job_opened(job(1), node(100), "shape@1", t0);
  const auto gives = all<GiveWork>(s.queue_changed(job(1), queue(1), t0));
  REQUIRE(gives.size() == 1);
  CHECK(gives[0].asker == node(1));
}

TEST_CASE("an ask for other kernels goes on waiting") {
  auto s = scheduler();
  s.receive(node(1), lifeline(5), t0);
  s.job_opened(job(1), node(100), "other@1", t0);
  CHECK(all<GiveWork>(s.queue_changed(job(1), queue(10), t0)).empty());
  s.job_opened(job(2), node(100), "shape@1", t0);
  CHECK(all<GiveWork>(s.queue_changed(job(2), queue(10), t0)).size() == 1);
}

TEST_CASE("an ask of no power, or to somebody who pauses, is answered at once") {
  auto s = scheduler();
  CHECK(sent<Grant>(s.receive(node(1), lifeline(5, 0), t0)).size() == 1);
  s.pause(t0);
  CHECK(sent<Grant>(s.receive(node(1), lifeline(5), t0)).size() == 1);
}

TEST_CASE("of too many asks that wait the oldest is answered, and a peer has one") {
  WaitingAsks waiting;
  for (std::size_t n = 0; n < waiting_max; ++n)
    CHECK_FALSE(waiting.keep(node(std::uint8_t(n)), lifeline(n), t0));
  CHECK_FALSE(waiting.keep(node(1), lifeline(1000), t0));
  const auto out = waiting.keep(node(200), lifeline(200), t0);
  REQUIRE(out);
  CHECK(out->asker == node(0));
  CHECK(waiting.powers().size() == waiting_max);
}

TEST_CASE("a wait is cut to what is sensible") {
  WaitingAsks waiting;
  waiting.keep(node(1), lifeline(1, 1, ~0u), t0);
  waiting.expire(t0 + 59s);
  CHECK_FALSE(waiting.empty());
  waiting.expire(t0 + 60s);
  CHECK(waiting.empty());
}
