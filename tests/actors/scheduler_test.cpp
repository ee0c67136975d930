#include "tests/actors/scheduler_rig.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace tessera;
using namespace tessera::rig;
using namespace std::chrono_literals;

namespace {

SchedulerConfig config(std::uint32_t slots = 1, std::uint32_t pipeline = 2) {
  SchedulerConfig c;
  c.self = node(100);
  c.slots = slots;
  c.pipeline = pipeline;
  c.kernels = {"shape@1"};
  c.lifelines = 0; // Those that are about them lay some.
  return c;
}

Record record(std::uint8_t of, std::uint64_t stealable_ns, std::uint64_t sequence = 1) {
  Record r;
  r.subject = node(of);
  r.sequence = sequence;
  r.slots = 1;
  r.speed = 1;
  r.stealable_ns = stealable_ns;
  return r;
}

QueueReport queue(std::uint64_t runnable, std::uint64_t leaves = 0, std::uint64_t ns = 0,
                  std::uint64_t piece_ns = 0, std::uint64_t leases = 0) {
  return {runnable, leaves, ns, piece_ns, leases};
}

StealAsk wish(std::uint64_t ask, std::vector<std::string> kernels = {"shape@1"}) {
  return {ask, 1, 1, std::move(kernels), 0};
}

Grant grant_of(std::uint64_t ask, std::uint8_t of, std::string kernel = "shape") {
  auto spec = std::make_shared<SignedSpec>();
  spec->id = job(of);
  spec->spec.kernel = std::move(kernel);
  return {ask, spec, {Lease{job(of), 77, 1, {Block{0, 0}}, {node(1)}}}};
}

// An idle node next to one that has work, and the ask that follows.
struct Asking {
  Scheduler scheduler{config(), 7};
  NodeId victim = node(1);
  std::uint64_t ask = 0;

  Asking() {
    scheduler.peer_up(victim, t0);
    const auto asks = sent<StealAsk>(scheduler.peer_record(record(1, 1000000), t0));
    REQUIRE(asks.size() == 1);
    REQUIRE(asks[0].first == victim);
    ask = asks[0].second.ask;
  }
};

// A job actor that always has the work it reported.
void answer(Scheduler& scheduler, std::map<JobId, std::uint64_t>& left, std::vector<JobId>& order,
            SchedulerEffects effects) {
  for (std::size_t i = 0; i < effects.size(); ++i)
    if (const auto* take = std::get_if<TakeWork>(&effects[i])) {
      const auto taken = *take;
      order.push_back(taken.job);
      auto more = scheduler.queue_changed(taken.job, queue(--left[taken.job]), t0);
      effects.insert(effects.end(), more.begin(), more.end());
      more = scheduler.took(taken.job, taken.slot, true, t0);
      effects.insert(effects.end(), more.begin(), more.end());
    }
}

} // namespace

TEST_CASE("a slot is given as much as its pipeline holds, and the emptiest slot comes first") {
  Scheduler s{config(2, 2), 1};
  s.job_opened(job(1), node(1), "shape@1", t0);
  const auto takes = all<TakeWork>(s.queue_changed(job(1), queue(100), t0));
  REQUIRE(takes.size() == 4);
  CHECK(takes[0].slot != takes[1].slot);
  CHECK(takes[2].slot != takes[3].slot);
  for (const auto& take : takes)
    CHECK(all<TakeWork>(s.took(take.job, take.slot, true, t0)).empty());
  const auto next = all<TakeWork>(s.slot_free(1, t0));
  REQUIRE(next.size() == 1);
  CHECK(next[0].slot == 1);
}

TEST_CASE("long pieces do not wait in a slot behind others, where no thief gets them") {
  Scheduler s{config(2, 2), 1};
  s.job_opened(job(1), node(1), "shape@1", t0);
  CHECK(all<TakeWork>(s.queue_changed(job(1), queue(5, 5, 5'000'000'000), t0)).size() == 2);
  // Short ones do, and merges.
  s.job_opened(job(2), node(1), "shape@1", t0);
  CHECK(all<TakeWork>(s.queue_changed(job(2), queue(1, 0, 0), t0)).size() == 1);
  CHECK(all<TakeWork>(s.queue_changed(job(2), queue(9, 9, 90'000'000), t0)).size() == 1);
}

TEST_CASE("no more work is asked of a job than it reported") {
  Scheduler s{config(4, 2), 1};
  s.job_opened(job(1), node(1), "shape@1", t0);
  CHECK(all<TakeWork>(s.queue_changed(job(1), queue(3), t0)).size() == 3);
}

TEST_CASE("submitters take turns, then each one's jobs, whatever the number of jobs") {
  Scheduler s{config(1, 1), 1};
  std::map<JobId, std::uint64_t> left;
  for (std::uint8_t j : {1, 2, 3}) // Three jobs of one, one job of another.
    s.job_opened(job(j), node(1), "shape@1", t0);
  s.job_opened(job(9), node(2), "shape@1", t0);
  std::vector<JobId> order;
  for (std::uint8_t j : {1, 2, 3, 9}) {
    left[job(j)] = 50;
    answer(s, left, order, s.queue_changed(job(j), queue(50), t0));
  }
  order.clear();
  for (int i = 0; i < 60; ++i)
    answer(s, left, order, s.slot_free(0, t0));
  REQUIRE(order.size() == 60);
  std::map<JobId, int> served;
  for (const auto& id : order)
    ++served[id];
  CHECK(served[job(9)] == 30);
  for (std::uint8_t j : {1, 2, 3})
    CHECK(served[job(j)] == 10);
}

TEST_CASE("a job that has nothing for a slot is left alone until it says something, or a second") {
  Scheduler s{config(1, 1), 1};
  s.job_opened(job(1), node(1), "shape@1", t0);
  REQUIRE(all<TakeWork>(s.queue_changed(job(1), queue(1), t0)).size() == 1);
  CHECK(all<TakeWork>(s.took(job(1), 0, false, t0)).empty());
  CHECK(all<TakeWork>(s.wake(t0 + 999ms)).empty());
  REQUIRE(s.next_wake() == t0 + 1s);
  CHECK(all<TakeWork>(s.wake(t0 + 1s)).size() == 1);
  s.took(job(1), 0, false, t0 + 1s);
  CHECK(all<TakeWork>(s.queue_changed(job(1), queue(2), t0 + 1s)).size() == 1);
}

TEST_CASE("a closed job frees the places that it was asked for") {
  Scheduler s{config(1, 2), 1};
  s.job_opened(job(1), node(1), "shape@1", t0);
  s.job_opened(job(2), node(1), "shape@1", t0);
  REQUIRE(all<TakeWork>(s.queue_changed(job(1), queue(2), t0)).size() == 2);
  REQUIRE(all<TakeWork>(s.queue_changed(job(2), queue(2), t0)).empty());
  CHECK(all<TakeWork>(s.job_closed(job(1), t0)).size() == 2);
}

TEST_CASE("work that is over before its job said that it was taken leaves no place occupied") {
  Scheduler s{config(1, 1), 1};
  s.job_opened(job(1), node(1), "shape@1", t0);
  REQUIRE(all<TakeWork>(s.queue_changed(job(1), queue(5), t0)).size() == 1);
  s.slot_free(0, t0);
  CHECK(all<TakeWork>(s.took(job(1), 0, true, t0)).size() == 1);
}

TEST_CASE("a new worker's slot is empty, and stray news of slots breaks nothing") {
  Scheduler s{config(1, 2), 1};
  s.job_opened(job(1), node(1), "shape@1", t0);
  s.queue_changed(job(1), queue(9), t0);
  s.took(job(1), 0, true, t0);
  s.took(job(1), 0, true, t0);
  CHECK(all<TakeWork>(s.slot_reset(0, t0)).size() == 2);
  s.slot_free(5, t0);
  s.took(job(1), 5, true, t0);
  s.slot_reset(5, t0);
  s.took(job(7), 0, false, t0);
}

TEST_CASE("a node without slots offers slot 0 for merges, asks nobody, and gives all") {
  Scheduler s{config(0, 1), 1};
  s.peer_up(node(1), t0);
  CHECK(sent<StealAsk>(s.peer_record(record(1, 1000000), t0)).empty());
  s.job_opened(job(1), node(1), "shape@1", t0);
  const auto effects = s.queue_changed(job(1), queue(1, 8, 1000), t0);
  REQUIRE(all<TakeWork>(effects).size() == 1);
  CHECK(all<TakeWork>(effects)[0].slot == 0);
  CHECK(s.load().slots_free == 0);
  const auto gives = all<GiveWork>(s.receive(node(2), wish(1), t0));
  REQUIRE(gives.size() == 1);
  CHECK(gives[0].share == 1);
}

TEST_CASE("an idle node asks once, of whom a record says that there is work") {
  Asking a;
  CHECK(a.scheduler.peer_record(record(2, 5000), t0).empty());
  CHECK(a.scheduler.next_wake() == t0 + 1s);
}

TEST_CASE("nobody is asked while enough is queued here, and again before it runs dry") {
  Scheduler s{config(2), 7};
  s.peer_up(node(1), t0);
  s.rtt_measured(node(1), 10ms, t0);
  s.job_opened(job(1), node(1), "shape@1", t0);
  s.queue_changed(job(1), queue(9, 9, 50'000'000), t0);
  CHECK(sent<StealAsk>(s.peer_record(record(1, 1'000'000'000), t0)).empty());
  // Two round trips, two slots: 40 ms of slot time.
  CHECK(sent<StealAsk>(s.queue_changed(job(1), queue(9, 9, 41'000'000), t0)).empty());
  CHECK(sent<StealAsk>(s.queue_changed(job(1), queue(9, 9, 39'000'000), t0)).size() == 1);
}

TEST_CASE("where there is no session one is wanted first, then asked over") {
  Scheduler s{config(), 7};
  const auto effects = s.peer_record(record(1, 1000000), t0);
  REQUIRE(all<WantSession>(effects).size() == 1);
  CHECK(sent<StealAsk>(effects).empty());
  CHECK(sent<StealAsk>(s.peer_up(node(1), t0 + 5ms)).size() == 1);
}

TEST_CASE("an unreachable victim is left alone, and somebody else is tried after the back-off") {
  Scheduler s{config(), 7};
  s.peer_record(record(1, 1000000), t0);
  s.peer_up(node(2), t0);
  s.peer_record(record(2, 1000000), t0);
  s.peer_unreachable(node(1), t0);
  const auto due = s.next_wake();
  REQUIRE(due);
  const auto asks = sent<StealAsk>(s.wake(*due));
  REQUIRE(asks.size() == 1);
  CHECK(asks[0].first == node(2));
}

TEST_CASE("a grant that was asked for is accepted, and no other ask goes out until it arrived") {
  Asking a;
  const auto effects = a.scheduler.receive(a.victim, grant_of(a.ask, 1), t0);
  const auto accepted = all<AcceptLeases>(effects);
  REQUIRE(accepted.size() == 1);
  CHECK(accepted[0].lessor == a.victim);
  CHECK(accepted[0].leases.size() == 1);
  CHECK(sent<StealAsk>(effects).empty());
  a.scheduler.job_opened(job(1), node(1), "shape@1", t0);
  CHECK(sent<StealAsk>(a.scheduler.queue_changed(job(1), queue(0), t0)).empty()); // Not there yet.
  const auto there = a.scheduler.queue_changed(job(1), queue(1, 0, 0, 0, 1), t0);
  CHECK(sent<StealAsk>(there).size() == 1);
}

TEST_CASE("the leases of a second grant are awaited too, or a second passes") {
  Asking a;
  auto& s = a.scheduler;
  s.job_opened(job(1), node(1), "shape@1", t0);
  s.queue_changed(job(1), queue(0, 0, 0, 0, 5), t0); // Of grants before.
  auto grant = grant_of(a.ask, 1);
  grant.leases.push_back(grant.leases[0]);
  grant.leases[1].id = 78;
  REQUIRE(all<AcceptLeases>(s.receive(a.victim, grant, t0)).size() == 1);
  CHECK(sent<StealAsk>(s.queue_changed(job(1), queue(0, 0, 0, 0, 6), t0)).empty());
  CHECK(s.next_wake() == t0 + 1s);
  CHECK(sent<StealAsk>(s.wake(t0 + 1s)).size() == 1);
}

TEST_CASE("with slots at work, others are asked two round trips before these run dry") {
  Scheduler s{config(1, 1), 7};
  s.peer_up(node(1), t0);
  s.rtt_measured(node(1), 5ms, t0);
  s.job_opened(job(1), node(1), "shape@1", t0);
  s.queue_changed(job(1), queue(1, 0, 0, 50'000'000), t0);
  s.took(job(1), 0, true, t0);
  CHECK(sent<StealAsk>(s.peer_record(record(1, 1'000'000'000), t0)).empty());
  CHECK(sent<StealAsk>(s.wake(t0 + 40ms)).empty());
  REQUIRE(s.next_wake() == t0 + 40ms + Duration(1));
  CHECK(sent<StealAsk>(s.wake(*s.next_wake())).size() == 1);
}

TEST_CASE("nobody is asked for a slot whose work takes longer than was thought, until it is over") {
  Scheduler s{config(1, 1), 7};
  s.peer_up(node(1), t0);
  s.rtt_measured(node(1), 5ms, t0);
  s.job_opened(job(1), node(1), "shape@1", t0);
  s.queue_changed(job(1), queue(1, 0, 0, 15'000'000), t0);
  s.took(job(1), 0, true, t0);
  CHECK(sent<StealAsk>(s.peer_record(record(1, 1'000'000'000), t0 + 20ms)).empty());
  CHECK_FALSE(s.next_wake());
  CHECK(sent<StealAsk>(s.slot_free(0, t0 + 9s)).size() == 1);
}

TEST_CASE("what could only be run a second time keeps nobody from asking, and may be stolen") {
  Scheduler s{config(1, 1), 7};
  s.peer_up(node(1), t0);
  s.job_opened(job(1), node(1), "shape@1", t0);
  s.queue_changed(job(1), queue(1, 8, 0, 1'000'000), t0);
  CHECK(sent<StealAsk>(s.peer_record(record(1, 1'000'000'000), t0)).size() == 1);
  CHECK(s.load().stealable_ns == 1);
  CHECK(all<GiveWork>(s.receive(node(2), wish(1), t0)).size() == 1);
}

TEST_CASE("a victim whose empty grant came with work handed back may be asked again at once") {
  enum { nothing, before_the_grant, after_it };
  for (const auto came_back : {nothing, before_the_grant, after_it}) {
    Asking a;
    auto& s = a.scheduler;
    s.job_opened(job(1), node(1), "shape@1", t0);
    s.queue_changed(job(1), queue(0), t0);
    if (came_back == before_the_grant)
      s.queue_changed(job(1), queue(1, 64, 64'000'000), t0);
    CHECK(sent<StealAsk>(s.receive(a.victim, Grant{a.ask, nullptr, {}}, t0)).empty());
    if (came_back == after_it)
      s.queue_changed(job(1), queue(1, 64, 64'000'000), t0);
    const auto asks = sent<StealAsk>(s.queue_changed(job(1), queue(0), t0 + 10ms));
    CHECK(asks.size() == (came_back != nothing));
  }
}

TEST_CASE("every lease of an unasked grant is refused aloud") {
  Asking a;
  auto grant = grant_of(a.ask + 1, 1);
  grant.leases.push_back(grant.leases[0]);
  grant.leases[1].id = 78;
  auto effects = a.scheduler.receive(a.victim, grant, t0);
  const auto refused = sent<LeaseRefused>(effects);
  REQUIRE(refused.size() == 2);
  CHECK(refused[0].second.lease == 77);
  CHECK(refused[1].second.lease == 78);
  CHECK(all<AcceptLeases>(effects).empty());
  // The right number from the wrong node is unasked as well.
  effects = a.scheduler.receive(node(2), grant_of(a.ask, 1), t0);
  CHECK(sent<LeaseRefused>(effects).size() == 1);
  CHECK(all<AcceptLeases>(effects).empty());
}

TEST_CASE("a grant after its patience is refused; the same grant twice is taken once, in silence") {
  Asking late;
  late.scheduler.wake(t0 + 1s);
  CHECK(sent<LeaseRefused>(late.scheduler.receive(late.victim, grant_of(late.ask, 1), t0 + 1s))
            .size() == 1);
  Asking twice;
  twice.scheduler.receive(twice.victim, grant_of(twice.ask, 1), t0);
  CHECK(twice.scheduler.receive(twice.victim, grant_of(twice.ask, 1), t0).empty());
}

TEST_CASE("of two grants for one ask the second is refused, even when the first was empty") {
  for (const bool first_is_empty : {false, true}) {
    Asking a;
    auto first = grant_of(a.ask, 1);
    if (first_is_empty)
      first.leases.clear();
    a.scheduler.receive(a.victim, first, t0);
    auto second = grant_of(a.ask, 1);
    second.leases[0].id = 99;
    CHECK(sent<LeaseRefused>(a.scheduler.receive(a.victim, second, t0)).size() == 1);
  }
}

TEST_CASE("grants that cannot be worked on are refused with the reason") {
  const auto why = [](Grant grant, std::size_t jobs_max = 8) {
    auto c = config();
    c.jobs_max = jobs_max;
    Scheduler s{c, 7};
    s.job_opened(job(50), node(1), "shape@1", t0);
    s.peer_up(node(1), t0);
    grant.ask = sent<StealAsk>(s.peer_record(record(1, 1000000), t0)).at(0).second.ask;
    const auto effects = s.receive(node(1), grant, t0);
    CHECK(all<AcceptLeases>(effects).empty());
    const auto refused = sent<LeaseRefused>(effects);
    REQUIRE(refused.size() == 1);
    return refused[0].second.why;
  };
  CHECK(why(grant_of(0, 1, "other")) == "unknown kernel");
  CHECK(why(grant_of(0, 1), 1) == "no room for another job");
  auto without = grant_of(0, 1);
  without.spec = nullptr;
  CHECK(why(without) == "a grant without its spec");
  auto mixed = grant_of(0, 1);
  mixed.leases[0].job = job(2);
  CHECK(why(mixed) == "a lease of another job");
}

TEST_CASE(
    "empty grants are followed by pauses that double up to a second, until new work appears") {
  Asking a;
  for (std::uint8_t n = 2; n < 12; ++n) {
    a.scheduler.peer_up(node(n), t0);
    a.scheduler.peer_record(record(n, 1000000), t0);
  }
  auto now = t0;
  auto victim = a.victim;
  auto ask = a.ask;
  const auto empty = [&] { return a.scheduler.receive(victim, Grant{ask, nullptr, {}}, now); };
  for (const auto pause : {20ms, 40ms, 80ms, 160ms, 320ms, 640ms, 1000ms, 1000ms}) {
    CHECK(sent<StealAsk>(empty()).empty());
    REQUIRE(a.scheduler.next_wake() == now + pause);
    now += pause;
    const auto asks = sent<StealAsk>(a.scheduler.wake(now));
    REQUIRE(asks.size() == 1);
    CHECK((asks[0].first != victim || pause == 1000ms)); // Left alone for a second.
    CHECK(asks[0].second.ask != ask);
    victim = asks[0].first;
    ask = asks[0].second.ask;
  }
  CHECK(sent<StealAsk>(empty()).empty());
  const auto asks = sent<StealAsk>(a.scheduler.peer_record(record(5, 2000000, 2), now));
  REQUIRE(asks.size() == 1);
  victim = asks[0].first;
  ask = asks[0].second.ask;
  empty();
  CHECK(a.scheduler.next_wake() == now + 20ms); // From the start again.
}

TEST_CASE(
    "the only one who has work is asked again after a second, though its record is the same") {
  Asking a;
  CHECK(a.scheduler.receive(a.victim, Grant{a.ask, nullptr, {}}, t0).empty());
  REQUIRE(a.scheduler.next_wake() == t0 + 20ms);
  CHECK(a.scheduler.wake(t0 + 20ms).empty());
  REQUIRE(a.scheduler.next_wake() == t0 + 1s);
  CHECK(sent<StealAsk>(a.scheduler.wake(t0 + 1s)).size() == 1);
}

TEST_CASE("a victim that goes down is asked no more, though its record stays") {
  Asking a;
  CHECK(sent<StealAsk>(a.scheduler.peer_down(a.victim, t0)).empty());
  CHECK(sent<LeaseRefused>(a.scheduler.receive(a.victim, grant_of(a.ask, 1), t0)).size() == 1);
}

TEST_CASE("a leaving or forgotten peer is not asked") {
  Scheduler s{config(), 7};
  s.peer_up(node(1), t0);
  auto leaving = record(1, 1000);
  leaving.leaving = true;
  CHECK(s.peer_record(leaving, t0).empty());
  s.peer_forgotten(node(1), t0);
  CHECK(!s.next_wake());
}

TEST_CASE("an ask goes to the job with the most queued time that the asker can run") {
  Scheduler s{config(), 7};
  s.job_opened(job(1), node(1), "shape@1", t0);
  s.job_opened(job(2), node(1), "shape@1", t0);
  s.job_opened(job(3), node(1), "other@1", t0);
  s.queue_changed(job(1), queue(1, 5, 100), t0);
  s.queue_changed(job(2), queue(1, 5, 200), t0);
  s.queue_changed(job(3), queue(1, 5, 900), t0);
  const auto first = all<GiveWork>(s.receive(node(2), wish(5), t0));
  REQUIRE(first.size() == 1);
  CHECK(first[0].job == job(2));
  CHECK(first[0].share == 0.5);
  CHECK(first[0].ask.ask == 5);
  CHECK(all<GiveWork>(s.receive(node(2), wish(6, {"other@1"}), t0)).at(0).job == job(3));
  const auto none = sent<Grant>(s.receive(node(2), wish(7, {"strange@1"}), t0));
  REQUIRE(none.size() == 1);
  CHECK(none[0].second.ask == 7);
  CHECK(none[0].second.leases.empty());
}

TEST_CASE("a merge alone is nothing to steal") {
  Scheduler s{config(), 7};
  s.job_opened(job(1), node(1), "shape@1", t0);
  s.queue_changed(job(1), queue(3, 0, 0), t0);
  CHECK(s.load().stealable_ns == 0);
  CHECK(sent<Grant>(s.receive(node(2), wish(7), t0)).size() == 1);
}

TEST_CASE("a paused node asks nobody, refuses what still comes, and gives all") {
  Asking a;
  a.scheduler.job_opened(job(1), node(1), "shape@1", t0);
  a.scheduler.pause(t0);
  CHECK(sent<LeaseRefused>(a.scheduler.receive(a.victim, grant_of(a.ask, 1), t0)).size() == 1);
  a.scheduler.queue_changed(job(1), queue(0, 4, 10), t0);
  CHECK(all<GiveWork>(a.scheduler.receive(node(2), wish(1), t0)).at(0).share == 1);
  CHECK(a.scheduler.load() == OwnLoad{0, 8, true});
  CHECK(!a.scheduler.next_wake());
  const auto effects = a.scheduler.resume(t0);
  CHECK(sent<StealAsk>(effects).size() == 1);
  CHECK(a.scheduler.load().slots_free > 0);
  CHECK_FALSE(a.scheduler.load().paused);
}

TEST_CASE("a paused node takes what jobs have to merge or finish, a piece at a time") {
  Scheduler s{config(2, 2), 7};
  s.job_opened(job(1), node(1), "shape@1", t0);
  s.pause(t0);
  const auto first = all<TakeWork>(s.queue_changed(job(1), queue(9, 0, 0), t0));
  REQUIRE(first.size() == 1);
  CHECK(first[0].slot == 0);
  CHECK(all<TakeWork>(s.took(job(1), 0, true, t0)).empty());
  CHECK(s.load().slots_free == 0);
  CHECK(all<TakeWork>(s.slot_free(0, t0)).size() == 1);
  CHECK(all<TakeWork>(s.resume(t0)).size() == 3);
}

TEST_CASE("a node that leaves takes nothing, though it were paused") {
  Asking a;
  a.scheduler.job_opened(job(1), node(1), "shape@1", t0);
  a.scheduler.pause(t0);
  a.scheduler.leave(t0);
  CHECK(all<TakeWork>(a.scheduler.queue_changed(job(1), queue(4, 4, 10), t0)).empty());
  CHECK(sent<LeaseRefused>(a.scheduler.receive(a.victim, grant_of(a.ask, 1), t0)).size() == 1);
  CHECK(all<GiveWork>(a.scheduler.receive(node(2), wish(1), t0)).at(0).share == 1);
  CHECK(a.scheduler.load().slots_free == 0);
  CHECK(!a.scheduler.next_wake());
  CHECK(all<TakeWork>(a.scheduler.resume(t0)).empty());
}

TEST_CASE("our load is told when it changes, and only then") {
  Scheduler s{config(2, 1), 7};
  CHECK(s.load() == OwnLoad{2, 0});
  s.job_opened(job(1), node(1), "shape@1", t0);
  auto loads = all<OwnLoad>(s.queue_changed(job(1), queue(1, 9, 1000), t0));
  REQUIRE(loads.size() == 1);
  CHECK(loads[0] == OwnLoad{1, 512});
  CHECK(all<OwnLoad>(s.queue_changed(job(1), queue(1, 9, 900), t0)).empty());
  loads = all<OwnLoad>(s.queue_changed(job(1), queue(1, 9, 0), t0));
  REQUIRE(loads.size() == 1);
  CHECK(loads[0].stealable_ns == 1); // Unknown, but there.
}

TEST_CASE("no job that was opened is forgotten, however many leases could be had") {
  auto c = config(1, 2);
  c.jobs_max = 4;
  Scheduler s{c, 7};
  std::set<JobId> served;
  for (std::uint8_t j = 0; j < 100; ++j) {
    s.job_opened(job(j), node(j), "shape@1", t0);
    for (const auto& take : all<TakeWork>(s.queue_changed(job(j), queue(1), t0))) {
      served.insert(take.job);
      s.took(take.job, take.slot, false, t0);
    }
  }
  CHECK(served.size() == 100);
}

TEST_CASE("one seed is one history") {
  const auto history = [](std::uint64_t seed) {
    Scheduler s{config(), seed};
    std::vector<NodeId> asked;
    auto now = t0;
    for (std::uint8_t n = 1; n < 30; ++n) {
      s.peer_up(node(n), now);
      for (const auto& [to, ask] : sent<StealAsk>(s.peer_record(record(n, n * 1000), now)))
        asked.push_back(to);
      now += 1s;
      for (const auto& [to, ask] : sent<StealAsk>(s.wake(now)))
        asked.push_back(to);
    }
    return asked;
  };
  CHECK(history(1).size() > 10);
  CHECK(history(1) == history(1));
  CHECK(history(1) != history(2));
}

// --- Priorities

namespace {

// Which jobs a node of one slot ran, in order, of those that always have something.
std::vector<JobId> served(Scheduler& s, const std::vector<JobId>& jobs, int turns) {
  std::map<JobId, std::uint64_t> left;
  std::vector<JobId> order;
  for (const auto& id : jobs) {
    left[id] = 1000;
    answer(s, left, order, s.queue_changed(id, queue(1000), t0));
  }
  order.clear();
  for (int i = 0; i < turns; ++i)
    answer(s, left, order, s.slot_free(0, t0));
  return order;
}

Worker worker(std::uint64_t memory_bytes, std::string arch = "x86_64") {
  return {memory_bytes, std::move(arch)};
}

} // namespace

TEST_CASE("a higher priority goes first, and one turn in eight is the lower's") {
  Scheduler s{config(1, 1), 1};
  s.job_opened(job(1), node(1), "shape@1", t0, 0);
  s.job_opened(job(2), node(2), "shape@1", t0, 5);
  s.job_opened(job(3), node(3), "shape@1", t0, -5);
  const auto order = served(s, {job(1), job(2), job(3)}, 160);
  const auto count = [&](std::uint8_t j) { return std::count(order.begin(), order.end(), job(j)); };
  CHECK(count(2) == 140);
  CHECK(count(1) == 10); // They share those 20 turns.
  CHECK(count(3) == 10);
}

TEST_CASE("of one priority submitters share alike, whatever lower ones have") {
  Scheduler s{config(1, 1), 1};
  for (std::uint8_t j : {1, 2, 3})
    s.job_opened(job(j), node(1), "shape@1", t0, 3);
  s.job_opened(job(9), node(2), "shape@1", t0, 3);
  s.job_opened(job(7), node(3), "shape@1", t0, 0);
  const auto order = served(s, {job(1), job(2), job(3), job(9), job(7)}, 800);
  const auto count = [&](std::uint8_t j) { return std::count(order.begin(), order.end(), job(j)); };
  CHECK(count(7) >= 33); // A third of the plain turns.
  const auto one = count(1) + count(2) + count(3);
  CHECK(std::abs(one - count(9)) <= 40);
  for (std::uint8_t j : {1, 2, 3})
    CHECK(std::abs(count(j) - one / 3) <= 2);
}

TEST_CASE("a lower priority has every turn that the higher leaves") {
  Scheduler s{config(1, 1), 1};
  s.job_opened(job(1), node(1), "shape@1", t0, 0);
  s.job_opened(job(2), node(2), "shape@1", t0, 10);
  s.queue_changed(job(2), queue(0), t0);
  const auto order = served(s, {job(1)}, 20);
  CHECK(std::count(order.begin(), order.end(), job(1)) == 20);
}

TEST_CASE("a thief gets of the highest priority, and now and then of what waits longest") {
  Scheduler s{config(1, 1), 1};
  s.job_opened(job(1), node(1), "shape@1", t0, 0);
  s.job_opened(job(2), node(2), "shape@1", t0, 1);
  s.queue_changed(job(1), queue(100, 100, 9'000'000), t0); // More of it, and not first.
  s.queue_changed(job(2), queue(100, 100, 5'000'000), t0);
  std::map<JobId, int> given;
  for (std::uint64_t i = 0; i < 80; ++i)
    for (const auto& give : all<GiveWork>(s.receive(node(5), wish(i), t0)))
      ++given[give.job];
  CHECK(given[job(2)] == 70);
  CHECK(given[job(1)] == 10);
}

// --- Requirements

TEST_CASE("who lacks what a job requires is given none of it") {
  struct Case {
    Require require;
    Worker worker;
    bool given;
  };
  for (const auto& [require, worker, given] :
       {Case{{}, {}, true}, Case{{1000, ""}, worker(1000), true},
        Case{{1001, ""}, worker(1000), false}, Case{{1, ""}, {}, false},
        Case{{0, "x86_64"}, worker(1), true}, Case{{0, "aarch64"}, worker(1), false},
        Case{{0, "x86_64"}, {}, false}, Case{{1, "aarch64"}, worker(5, "aarch64"), true}}) {
    Scheduler s{config(1, 1), 1};
    s.job_opened(job(1), node(1), "shape@1", t0, 0, require);
    s.queue_changed(job(1), queue(100, 100, 9'000'000), t0);
    auto ask = wish(1);
    ask.worker = worker;
    CHECK(all<GiveWork>(s.receive(node(5), ask, t0)).size() == std::size_t(given));
  }
}

TEST_CASE("what this node cannot run is all for others, and it asks for other work meanwhile") {
  auto c = config(1, 1);
  c.worker = worker(1000);
  Scheduler s{c, 1};
  s.job_opened(job(1), node(1), "shape@1", t0, 0, {2000, ""});
  s.queue_changed(job(1), queue(0, 100, 9'000'000'000), t0);
  auto ask = wish(1);
  ask.worker = worker(2000);
  const auto gives = all<GiveWork>(s.receive(node(5), ask, t0));
  REQUIRE(gives.size() == 1);
  CHECK(gives[0].share == 1); // It keeps nothing.
  s.peer_up(node(3), t0);
  const auto asks = sent<StealAsk>(s.peer_record(record(3, 1'000'000), t0));
  REQUIRE(asks.size() == 1);
  CHECK(asks[0].second.worker == c.worker);
}

TEST_CASE("a grant of what this node cannot run is refused aloud") {
  Asking a;
  auto spec = std::make_shared<SignedSpec>();
  spec->id = job(4);
  spec->spec.kernel = "shape";
  spec->spec.require.arch = "aarch64";
  const Grant grant{a.ask, spec, {Lease{job(4), 77, 1, {Block{0, 0}}, {node(1)}}}};
  const auto effects = a.scheduler.receive(a.victim, grant, t0);
  CHECK(all<AcceptLeases>(effects).empty());
  REQUIRE(sent<LeaseRefused>(effects).size() == 1);
  CHECK(sent<LeaseRefused>(effects)[0].second.why == "not what the job requires");
}
