#include "actors/scheduler.hpp"

#include "actors/lifelines.hpp"
#include "actors/slots.hpp"
#include "actors/steal.hpp"
#include "actors/turns.hpp"

#include <algorithm>
#include <bit>
#include <deque>
#include <random>

namespace tessera {
namespace {

constexpr std::size_t peers_max = 2048;  // Records and sessions are at most 512 each.
constexpr std::size_t answered_max = 16; // Grants that are known when they come again.
constexpr auto dial_patience = std::chrono::seconds(6);      // A handshake has 5 s.
constexpr auto unreachable_pause = std::chrono::seconds(5);  // A guess: mesh redials by itself.
constexpr std::uint64_t hold_ns_max = 1'000'000'000'000'000; // Sums of claims stay in range.
// What one claim may count for against another: a lie leaves the rest of those who wait something.
constexpr double claim_ratio_max = 16;
constexpr auto dry_pause = std::chrono::seconds(1); // A job that yielded nothing, and said nothing.

struct Peer {
  Victim said; // Its record, as far as we care; nothing stealable without one.
  bool recorded = false;
  bool up = false;
  std::optional<Duration> rtt;
  Time avoid_until{};
};

struct Ask {
  std::uint64_t id;
  NodeId victim;
  Time until;
  bool sent;        // Else its session is being dialled.
  bool fed = false; // More work came meanwhile.
};

} // namespace

struct Scheduler::Machine {
  SchedulerConfig config;
  std::mt19937_64 dice;
  bool paused = false, leaving = false;

  Turns turns;
  Slots slots;

  std::map<NodeId, Peer> peers;
  std::uint64_t next_ask;
  std::optional<Ask> ask;
  std::deque<std::pair<NodeId, LeaseId>> answered; // The first lease of each grant taken up.
  struct Awaited {                                 // Leases are on their way into this job's queue.
    JobId job;
    std::uint64_t leases; // It says so many when they are there.
    Time until;
  };
  std::optional<Awaited> awaited;
  std::optional<NodeId> empty_from; // Whose grant it was, the last time.
  Time not_before{};                // Back-off.
  Duration backoff;
  std::optional<Time> retry_at; // When asking is worth another look.
  Lifelines lifelines;
  WaitingAsks waiting;
  bool more_work = false; // Perhaps for those who wait.
  OwnLoad told;

  Machine(SchedulerConfig c, std::uint64_t seed)
      : config(std::move(c)), dice(seed), slots(std::max<std::uint32_t>(1, config.slots)),
        next_ask(dice()), // A restarted scheduler must not know the grants of the last one.
        backoff(config.retry_min), told(load()) {}

  // For the work of jobs.
  std::uint32_t open_slots() const { return paused || leaving ? 0 : config.slots; }
  double power() const { return power_of(config.speed, open_slots()); }

  // --- Turns ---

  void open(const JobId& job, JobEntry entry) {
    entry.able = meets(config.worker, entry.require);
    turns.open(job, std::move(entry));
  }

  void close(const JobId& job) {
    turns.close(job);
    slots.forget(job);
  }

  void fill(SchedulerEffects& out) {
    while (!leaving) {
      const auto slot = paused ? 0 : slots.least_busy();
      if (slots.care(slot) >= (paused ? 1 : config.pipeline))
        return;
      const auto job = turns.next(slots.care(slot) == 0);
      if (!job)
        return;
      ++turns.at(*job).asked;
      slots.asked(slot, *job);
      out.emplace_back(TakeWork{*job, slot});
    }
  }

  void took(const JobId& job, std::uint32_t slot, bool got, Time now) {
    auto* known = turns.find(job);
    const auto ns = known ? known->report.piece_ns : 0;
    const Duration piece = std::chrono::nanoseconds(std::min(ns, hold_ns_max));
    const bool expected = slots.answered(slot, job, got ? std::optional(piece) : std::nullopt, now);
    if (!known || !expected)
      return;
    --known->asked;
    if (!got)
      known->dry_until = now + dry_pause;
  }

  void queued(const JobId& id, const QueueReport& report, Time now) {
    auto* known = turns.find(id);
    if (!known)
      return;
    const bool more = report.queued_leaves > known->report.queued_leaves;
    turns.report(id, report);
    known->promised = 0;
    known->dry_until.reset();
    if (awaited && awaited->job == id && report.leases >= awaited->leases)
      awaited.reset();
    if (more)
      fed(now);
  }

  // More work came, perhaps handed back by him whose grant is empty, or was.
  void fed(Time now) {
    more_work = true;
    if (ask)
      ask->fed = true;
    if (const auto peer = empty_from ? peers.find(*empty_from) : peers.end(); peer != peers.end())
      peer->second.avoid_until = now;
    empty_from.reset();
    not_before = now;
    backoff = config.retry_min;
  }

  // --- Giving ---

  void on(NodeId from, const StealAsk& wish, Time now, SchedulerEffects& out) {
    const auto thief = power_of(wish.speed, wish.slots);
    const auto job = thief > 0 ? turns.choose(wish) : std::nullopt;
    if (job)
      give(*job, from, wish, steal_share(power_for(turns.at(*job)), thief), out);
    else if (wish.wait_ms > 0 && thief > 0 && !paused && !leaving)
      keep_waiting(from, wish, now, out);
    else
      give_nothing(from, wish, out);
  }

  void give(const JobId& job, NodeId asker, const StealAsk& wish, double share,
            SchedulerEffects& out) {
    turns.gave(job);
    out.emplace_back(GiveWork{job, asker, wish, share});
  }

  // Where this node cannot run it, it keeps nothing.
  double power_for(const JobEntry& job) const { return job.able ? power() : 0; }

  void give_nothing(NodeId asker, const StealAsk& wish, SchedulerEffects& out) {
    out.emplace_back(SendTo{asker, Grant{wish.ask, nullptr, {}}});
  }

  void keep_waiting(NodeId asker, const StealAsk& wish, Time now, SchedulerEffects& out) {
    if (const auto fell = waiting.keep(asker, wish, now))
      give_nothing(fell->asker, fell->ask, out);
  }

  // Those who wait have their part of what came: all of them and this node by their powers.
  void serve_waiting(Time now, SchedulerEffects& out) {
    if (!std::exchange(more_work, false) || waiting.empty())
      return;
    waiting.expire(now);
    const auto powers = waiting.powers();
    auto behind = powers.begin();
    waiting.serve([&](const WaitingAsks::Waiting& w) {
      const auto thief = *behind++;
      const auto job = turns.choose(w.ask);
      if (!job)
        return false;
      auto others = power_for(turns.at(*job));
      for (auto other = behind; other != powers.end(); ++other)
        others += std::min(*other, claim_ratio_max * thief);
      const auto share = steal_share(others, thief);
      if (!promise(turns.at(*job), share))
        return false;
      give(*job, w.asker, w.ask, share, out);
      return true;
    });
  }

  // Whether there is as much as a leaf for it.
  bool promise(JobEntry& job, double share) const {
    const auto left = job.report.queued_leaves - std::min(job.promised, job.report.queued_leaves);
    auto leaves = std::uint64_t(double(left) * std::min(share, 0.5));
    if (leaves == 0 && left > 0 && (open_slots() == 0 || !job.able))
      leaves = 1;
    job.promised += leaves;
    return leaves > 0;
  }

  // --- Asking ---

  // `least`: what a job counts for that has anything at all. `here`: of what this node may run.
  std::uint64_t queued_ns(std::uint64_t least, bool here) const {
    std::uint64_t sum = 0;
    for (const auto& [id, job] : turns.busy())
      if (job.report.queued_leaves > 0 && (job.able || !here)) {
        const auto ns = std::max(least, job.report.queued_ns);
        sum += std::min(ns, ~std::uint64_t{0} - sum);
      }
    return sum;
  }

  Duration rtt_of(const Peer& peer) const {
    const auto once = peer.rtt.value_or(config.rtt_guess);
    return peer.up ? once : 4 * once; // Connect, three messages of handshake, then the ask.
  }

  std::vector<Victim> victims(Time now) const {
    std::vector<Victim> found;
    for (const auto& [id, peer] : peers)
      if (peer.said.stealable_ns > 0 && peer.avoid_until <= now) {
        found.push_back(peer.said);
        found.back().rtt = rtt_of(peer);
      }
    return found;
  }

  // When the first of those who have work, but are left alone, may be asked again.
  std::optional<Time> avoided_until() const {
    std::optional<Time> first;
    for (const auto& [id, peer] : peers)
      if (peer.said.stealable_ns > 0)
        first = first ? std::min(*first, peer.avoid_until) : peer.avoid_until;
    return first;
  }

  // Two round trips before the slots run dry, so that they never do; but no sooner: what is stolen
  // and waits might be stolen back, and again.
  Duration ahead(const std::vector<Victim>& from) const {
    if (from.empty())
      return 2 * config.rtt_guess;
    Duration sum{};
    for (const auto& victim : from)
      sum += victim.rtt;
    return 2 * sum / std::int64_t(from.size());
  }

  bool lasts(Duration idle) const { // What is queued here.
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(idle).count();
    return double(queued_ns(0, true)) >= double(ns);
  }

  void consider_asking(Time now, SchedulerEffects& out) {
    retry_at.reset();
    if (open_slots() == 0 || ask)
      return;
    const auto from = victims(now);
    const auto span = ahead(from);
    if (lasts(slots.idle_in(span, now))) {
      if (!lasts(span * config.slots))
        retry_at = slots.dry_at(span, now);
      return;
    }
    const bool coming = awaited && awaited->until > now;
    const auto wait = coming ? std::max(not_before, awaited->until) : not_before;
    if (wait <= now && !from.empty())
      return ask_victim(*pick_victim(from, power(), config.sample, dice), now, out);
    retry_at = wait > now ? wait : avoided_until();
    if (!coming)
      lay_lifelines(now, out);
  }

  void lay_lifelines(Time now, SchedulerEffects& out) {
    lifelines.expire(now);
    std::vector<NodeId> free;
    for (const auto& [id, peer] : peers)
      if (peer.up && !lifelines.has(id))
        free.push_back(id);
    for (; lifelines.open() < config.lifelines && !free.empty(); free.pop_back()) {
      std::swap(free[dice() % free.size()], free.back());
      lifelines.lay(free.back(), next_ask, now);
      out.emplace_back(SendTo{free.back(), steal_ask(next_ask++, lifeline_wait_ms)});
    }
    if (const auto end = lifelines.next_end())
      retry_at = retry_at ? std::min(*retry_at, *end) : end;
  }

  StealAsk steal_ask(std::uint64_t id, std::uint32_t wait_ms) const {
    return {id, config.slots, config.speed, config.kernels, wait_ms, config.worker};
  }

  void ask_no_more() { // What comes yet is refused.
    ask.reset();
    lifelines.clear();
  }

  void ask_victim(const NodeId& victim, Time now, SchedulerEffects& out) {
    ask = Ask{next_ask++, victim, now + dial_patience, false};
    awaited.reset();
    if (peers.at(victim).up)
      send_ask(now, out);
    else
      out.emplace_back(WantSession{victim});
  }

  void send_ask(Time now, SchedulerEffects& out) {
    ask->sent = true;
    ask->until = now + config.ask_patience;
    out.emplace_back(SendTo{ask->victim, steal_ask(ask->id, 0)});
  }

  // The ask led to nothing: another time, and rather somebody else.
  void ask_failed(Duration pause, Time now) {
    if (const auto victim = peers.find(ask->victim); victim != peers.end())
      victim->second.avoid_until = now + pause;
    ask.reset();
    not_before = now + backoff;
    backoff = std::min(2 * backoff, config.retry_max);
  }

  void came_empty(Time now) {
    if (ask->fed)
      return ask.reset();
    empty_from = ask->victim;
    ask_failed(config.retry_max, now);
  }

  void on(NodeId from, const Grant& grant, Time now, SchedulerEffects& out) {
    if (!grant.leases.empty() && is_repeated(from, grant))
      return;
    if (lifelines.open(from, grant.ask))
      return on_lifeline(from, grant, now, out);
    if (!ask || !ask->sent || ask->victim != from || ask->id != grant.ask) {
      refuse(from, grant, "not asked for", out); // guard: unasked-grant-refused
      return;
    }
    if (grant.leases.empty())
      return came_empty(now);
    if (!accept(from, grant, now, out))
      return ask_failed(config.retry_max, now);
    ask.reset();
  }

  void on_lifeline(NodeId from, const Grant& grant, Time now, SchedulerEffects& out) {
    if (grant.leases.empty())
      return lifelines.close(from, now + config.retry_max);
    lifelines.drop(from);
    accept(from, grant, now, out);
  }

  bool accept(NodeId from, const Grant& grant, Time now, SchedulerEffects& out) {
    answered.emplace_back(from, grant.leases.front().id);
    if (answered.size() > answered_max)
      answered.pop_front();
    if (const auto why = objection(grant)) {
      refuse(from, grant, *why, out);
      return false;
    }
    waiting.drop(from); // It has work by now.
    backoff = config.retry_min;
    const auto* known = turns.find(grant.spec->id);
    const auto before = known ? known->report.leases : 0;
    awaited = {grant.spec->id, before + grant.leases.size(), now + config.ask_patience};
    out.emplace_back(AcceptLeases{from, grant.spec, grant.leases});
    return true;
  }

  bool is_repeated(const NodeId& from, const Grant& grant) const {
    const std::pair first{from, grant.leases.front().id};
    return std::find(answered.begin(), answered.end(), first) != answered.end();
  }

  std::optional<std::string> objection(const Grant& grant) {
    if (!grant.spec)
      return "a grant without its spec";
    const auto& spec = grant.spec->spec;
    const auto kernel = spec.kernel + "@" + std::to_string(spec.kernel_version);
    if (std::find(config.kernels.begin(), config.kernels.end(), kernel) == config.kernels.end())
      return "unknown kernel";
    if (!meets(config.worker, spec.require))
      return "not what the job requires";
    if (paused || leaving)
      return "pausing";
    if (!turns.find(grant.spec->id) && turns.size() >= config.jobs_max)
      return "no room for another job";
    for (const auto& lease : grant.leases)
      if (lease.job != grant.spec->id)
        return "a lease of another job";
    return std::nullopt;
  }

  // Aloud, so that the lessor need not wait for our silence.
  void refuse(NodeId from, const Grant& grant, const std::string& why, SchedulerEffects& out) {
    for (const auto& lease : grant.leases)
      out.emplace_back(SendTo{from, LeaseRefused{lease.job, lease.id, why}});
  }

  // --- Peers ---

  Peer* peer_of(const NodeId& id) {
    if (id == config.self || (!peers.contains(id) && peers.size() >= peers_max))
      return nullptr;
    return &peers[id];
  }

  void drop_if_unknown(const NodeId& id) {
    if (const auto peer = peers.find(id);
        peer != peers.end() && !peer->second.up && !peer->second.recorded)
      peers.erase(peer);
  }

  void recorded(const Record& record, Time now) {
    auto* peer = peer_of(record.subject);
    if (!peer)
      return;
    const auto stealable = record.leaving ? 0 : record.stealable_ns;
    const bool more = stealable > peer->said.stealable_ns;
    peer->said = {record.subject, stealable, record.speed, record.slots, {}};
    peer->recorded = true;
    if (stealable > 0)
      waiting.has_work(record.subject, now);
    if (!more)
      return;
    peer->avoid_until = now; // New work appeared.
    not_before = now;
    backoff = config.retry_min;
  }

  void down(const NodeId& id, Time now) {
    lifelines.drop(id);
    waiting.drop(id);
    const auto peer = peers.find(id);
    if (peer == peers.end())
      return;
    peer->second.up = false;
    if (ask && ask->sent && ask->victim == id)
      ask_failed(config.retry_max, now);
    drop_if_unknown(id);
  }

  // --- Time ---

  OwnLoad load() const {
    return {open_slots() == 0 ? 0 : slots.idle(), std::bit_floor(queued_ns(1, false)), paused};
  }

  void tick(Time now) {
    turns.tick(now);
    if (ask && ask->until <= now)
      ask_failed(config.retry_max, now);
  }

  SchedulerEffects settled(SchedulerEffects out, Time now) {
    tick(now);
    fill(out);
    serve_waiting(now, out);
    consider_asking(now, out);
    if (const auto current = load(); current != told) {
      told = current;
      out.emplace_back(current);
    }
    return out;
  }

  std::optional<Time> next_wake() const {
    auto next = retry_at;
    const auto sooner = [&](Time t) { next = next ? std::min(*next, t) : t; };
    if (ask)
      sooner(ask->until);
    for (const auto& [id, job] : turns.busy())
      if (job.dry_until && !leaving)
        sooner(*job.dry_until);
    return next;
  }
};

Scheduler::Scheduler(SchedulerConfig config, std::uint64_t seed)
    : machine_(std::make_unique<Machine>(std::move(config), seed)) {}
Scheduler::Scheduler(Scheduler&&) noexcept = default;
Scheduler& Scheduler::operator=(Scheduler&&) noexcept = default;
Scheduler::~Scheduler() = default;

SchedulerEffects Scheduler::job_opened(const JobId& job, NodeId submitter, std::string kernel,
                                       Time now, int priority, const Require& require) {
  JobEntry entry;
  entry.submitter = submitter;
  entry.kernel = std::move(kernel);
  entry.priority = priority;
  entry.require = require;
  machine_->open(job, std::move(entry));
  return machine_->settled({}, now);
}

SchedulerEffects Scheduler::queue_changed(const JobId& job, const QueueReport& report, Time now) {
  machine_->queued(job, report, now);
  return machine_->settled({}, now);
}

SchedulerEffects Scheduler::took(const JobId& job, std::uint32_t slot, bool got, Time now) {
  machine_->took(job, slot, got, now);
  return machine_->settled({}, now);
}

SchedulerEffects Scheduler::job_closed(const JobId& job, Time now) {
  machine_->close(job);
  return machine_->settled({}, now);
}

SchedulerEffects Scheduler::slot_free(std::uint32_t slot, Time now) {
  machine_->slots.freed(slot, now);
  return machine_->settled({}, now);
}

SchedulerEffects Scheduler::slot_reset(std::uint32_t slot, Time now) {
  machine_->slots.reset(slot);
  return machine_->settled({}, now);
}

SchedulerEffects Scheduler::peer_up(NodeId peer, Time now) {
  SchedulerEffects out;
  if (auto* known = machine_->peer_of(peer)) {
    known->up = true;
    if (auto& ask = machine_->ask; ask && !ask->sent && ask->victim == peer)
      machine_->send_ask(now, out);
  }
  return machine_->settled(std::move(out), now);
}

SchedulerEffects Scheduler::peer_down(NodeId peer, Time now) {
  machine_->down(peer, now);
  return machine_->settled({}, now);
}

SchedulerEffects Scheduler::peer_unreachable(NodeId peer, Time now) {
  if (auto& ask = machine_->ask; ask && !ask->sent && ask->victim == peer)
    machine_->ask_failed(unreachable_pause, now);
  return machine_->settled({}, now);
}

SchedulerEffects Scheduler::peer_record(const Record& record, Time now) {
  machine_->recorded(record, now);
  return machine_->settled({}, now);
}

SchedulerEffects Scheduler::peer_forgotten(NodeId peer, Time now) {
  if (const auto known = machine_->peers.find(peer); known != machine_->peers.end()) {
    known->second.said = {};
    known->second.recorded = false;
    machine_->drop_if_unknown(peer);
  }
  return machine_->settled({}, now);
}

SchedulerEffects Scheduler::rtt_measured(NodeId peer, Duration rtt, Time now) {
  if (const auto known = machine_->peers.find(peer); known != machine_->peers.end())
    known->second.rtt = rtt;
  return machine_->settled({}, now);
}

SchedulerEffects Scheduler::receive(NodeId from, const Message& message, Time now) {
  SchedulerEffects out;
  if (from == machine_->config.self)
    return out;
  if (const auto* ask = std::get_if<StealAsk>(&message))
    machine_->on(from, *ask, now, out);
  else if (const auto* grant = std::get_if<Grant>(&message))
    machine_->on(from, *grant, now, out);
  return machine_->settled(std::move(out), now);
}

SchedulerEffects Scheduler::pause(Time now) {
  machine_->paused = true;
  machine_->ask_no_more();
  return machine_->settled({}, now);
}

SchedulerEffects Scheduler::resume(Time now) {
  machine_->paused = false;
  return machine_->settled({}, now);
}

SchedulerEffects Scheduler::leave(Time now) {
  machine_->leaving = true;
  machine_->ask_no_more();
  return machine_->settled({}, now);
}

std::optional<Time> Scheduler::next_wake() const {
  return machine_->next_wake();
}

SchedulerEffects Scheduler::wake(Time now) {
  return machine_->settled({}, now);
}

OwnLoad Scheduler::load() const {
  return machine_->load();
}

} // namespace tessera
