#include "actors/job_machine.hpp"

#include "crypto/little_endian.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace tessera {
namespace {

// Also in release builds: simulations run those.
void must(bool holds, const char* what) {
  if (holds)
    return;
  std::fprintf(stderr, "job: %s\n", what);
  std::abort();
}

// Lease ids of this machine begin at a place of its own, so that an orphan's lease never looks like
// one given here.
std::uint64_t offset_of(const NodeId& self, const JobId& job, std::uint64_t seed) {
  Bytes number;
  put(number, seed);
  const auto digest = digest_of("tessera lease ids", {self.view(), job.view(), number});
  return get<std::uint64_t>(digest.view(), 0) >> 25;
}

} // namespace

Job::Machine::Machine(JobConfig c, SpecPtr s, std::uint64_t seed, Time t)
    : config(std::move(c)), spec(std::move(s)), tree(spec->spec.leaves()), now(t),
      lease_offset(offset_of(config.self, spec->id, seed)), beat_at(t + config.beat_every),
      sizer(config.block_target), started(t), ran_at(t), journal_at(t + journal_every) {}

Held* Job::Machine::find_held(HeldKey key) {
  const auto it = held.find(key);
  return it == held.end() ? nullptr : &it->second;
}
const Held* Job::Machine::find_held(HeldKey key) const {
  const auto it = held.find(key);
  return it == held.end() ? nullptr : &it->second;
}

Held* Job::Machine::find_held(const NodeId& taker, LeaseId lease) {
  for (auto& [key, h] : held)
    if (!h.rooted() && h.lease == lease && h.taker() == taker)
      return &h;
  return nullptr;
}

// --- After each event

JobEffects Job::Machine::settled() {
  std::vector<HeldKey> over;
  for (auto& [key, h] : held) {
    tend(h);
    if (spent(h))
      over.push_back(key);
  }
  for (auto key : over)
    close(key);
  journal();
  look_finished();
  if (!has_partners())
    beat_at = now + config.beat_every;
  say_begun();
  tell_queue();
  tell_idle();
  return std::exchange(out, {});
}

bool Job::Machine::has_partners() const {
  return std::any_of(peers.begin(), peers.end(), [](const auto& p) { return p.second.partner(); });
}

std::uint64_t Job::Machine::merges_ready() const {
  std::uint64_t sum = 0;
  if (stalled)
    return sum;
  for (const auto& [key, h] : held)
    sum += h.unmerged ? 0 : h.ledger.merges_ready();
  return sum;
}

std::uint64_t Job::Machine::expected_ns(std::uint64_t leaves) const {
  return std::uint64_t(std::clamp(double(leaves) * sizer.leaf_ns(), 1.0, 9e18));
}

QueueReport Job::Machine::report() const {
  QueueReport r;
  r.leases = leases_offered;
  if (ended() || resting())
    return r;
  const auto queued = queued_leaves();
  r.queued_leaves = queued > 0 ? queued : suspected_leaves();
  r.runnable = merges_ready() + (merged && !finishing && !stalled);
  if (queued > 0)
    r.queued_ns = expected_ns(queued);
  if (slots() == 0)
    return r;
  const auto block = sizer.block(queued, slots());
  r.piece_ns = expected_ns(block);
  r.runnable += queued / block + (queued % block != 0);
  if (r.runnable == 0 && has_spare())
    r.runnable = 1;
  return r;
}

void Job::Machine::tell_queue() {
  const auto r = report();
  if (std::exchange(told_queue, true) && r == told)
    return;
  told = r;
  out.emplace_back(std::in_place_type<QueueReport>, r);
}

bool Job::Machine::nothing_left() const {
  if (rooted && !ended())
    return handing && working.empty() && journaling.empty() && !held.at(root_key).ledger.fresh();
  return held.empty() && given.empty() && (ended() || (working.empty() && keeping.empty()));
}

// What was learned of the job is kept for a while; who asks a root that ended is told so.
void Job::Machine::tell_idle() {
  if (!nothing_left()) {
    idle_since.reset();
    return;
  }
  if (!idle_since)
    idle_since = now;
  if (!told_idle && now >= *idle_since + linger())
    out.emplace_back(std::in_place_type<JobIdle>, JobIdle{keep_output || !ended()}),
        told_idle = true;
}

Duration Job::Machine::linger() const {
  if (resting())
    return {};
  if (ended() && rooted && spec->spec.round > 0)
    return round_linger;
  if (ended())
    return rooted ? config.reclaim_after : Duration{};
  return ordered ? config.orphan_after : idle_linger; // Its root may want a keeper.
}

// --- Time

std::optional<Time> Job::Machine::next_wake() const {
  std::optional<Time> next;
  auto sooner = [&](std::optional<Time> t) {
    if (t)
      next = next ? std::min(*next, *t) : *t;
  };
  if (idle_since && !told_idle)
    sooner(*idle_since + linger());
  if (ended())
    return next;
  sooner(deadline);
  if (has_partners())
    sooner(beat_at);
  for (const auto& [id, p] : peers) {
    if (p.partner())
      sooner(p.heard + (p.suspected ? config.reclaim_after : config.suspect_after));
    if (p.down_at && (p.partner() || kept_by.contains(id)))
      sooner(*p.down_at + config.down_grace);
  }
  for (const auto& [manifest, c] : copying)
    if (c.keeper != config.self)
      sooner(c.asked + resend_after);
  for (const auto& [key, h] : held)
    sooner(wake_of(h));
  if (rooted && held.at(root_key).ledger.fresh() && journaling.size() < journaling_max)
    sooner(journal_at);
  return next;
}

void Job::Machine::wake() {
  look_late();
  if (ended())
    return;
  check_silence();
  drop_old_accounts();
  tend_copies();
  if (now >= beat_at) {
    beat();
    beat_at = now + config.beat_every;
  }
}

void Job::Machine::receive(NodeId from, const Message& message) {
  heard(from);
  std::visit(
      [&](const auto& m) {
        if constexpr (requires { on(from, m); })
          on(from, m);
        else
          assert(!"not a job's message");
      },
      message);
}

// --- For people and tests

JobStatus Job::Machine::status() const {
  JobStatus s;
  s.spec = spec;
  s.root = rooted || held.empty() ? config.self : held.begin()->second.path.front();
  s.state = state;
  s.leaves_done = leaves_done_before;
  for (const auto& [key, h] : held)
    s.leaves_done += h.ledger.done_leaves();
  if (state == JobState::running && s.leaves_done == 0 && working.empty() && given.empty())
    s.state = JobState::queued;
  s.reruns = counters.reruns;
  const auto until = ended_at.value_or(now);
  s.elapsed_ms =
      std::uint64_t(std::chrono::duration_cast<std::chrono::milliseconds>(until - started).count());
  std::set<NodeId> working_on{config.self};
  for (const auto& [lease, g] : given)
    if (!g.returned)
      working_on.insert(g.thief);
  s.peers = std::uint32_t(working_on.size());
  s.error = error;
  s.result = result.digest;
  const auto output = result.manifest ? Manifest::of(result.bytes) : std::nullopt;
  s.result_size = output ? output->size() : result.size;
  s.manifest = output.has_value();
  s.fuel = fuel;
  for (const auto& [node, share] : shares)
    s.shares.push_back(share);
  if (s.shares.size() > shares_in_result_max) {
    std::sort(s.shares.begin(), s.shares.end(),
              [](const NodeShare& a, const NodeShare& b) { return a.leaves > b.leaves; });
    s.shares.resize(shares_in_result_max);
  }
  return s;
}

void Job::Machine::check() const {
  for (const auto& [key, h] : held) {
    h.ledger.check();
    for (const auto& holding : h.ledger.holdings()) {
      const auto g = given.find(holding.lease);
      must(g != given.end() && g->second.from == key && g->second.thief == holding.thief,
           "L1: leased to nobody");
    }
    for (auto lease : h.given)
      must(given.contains(lease) && given.at(lease).from == key, "a lease given out of nothing");
    const auto p = peers.find(h.lessor);
    must(h.rooted() ||
             (h.bond == Held::Bond::bound) == (p != peers.end() && p->second.held.contains(key)),
         "a bond that one end forgot");
  }
  std::uint64_t open = 0;
  for (const auto& [lease, g] : given) {
    open += !g.returned;
    must(held.contains(g.from) && held.at(g.from).given.contains(lease), "a lease of no ledger");
    must(peers.contains(g.thief) && peers.at(g.thief).given.contains(lease),
         "a lease that no beat tells");
  }
  must(counters.leases_given ==
           open + counters.leases_returned + counters.leases_reclaimed + counters.leases_void,
       "L4: a lease ended twice, or never");
  must(given.size() <= config.leases_max && held.size() <= leases_held_max + 1 &&
           accounts.size() <= accounts_max + 1,
       "a table past its bound");
}

// --- The doors

Job::Job(std::unique_ptr<Machine> machine) : machine_(std::move(machine)) {}
Job::Job(Job&&) noexcept = default;
Job& Job::operator=(Job&&) noexcept = default;
Job::~Job() = default;

Job Job::lessee(JobConfig config, SpecPtr spec, std::uint64_t seed, Time now) {
  return Job(std::make_unique<Machine>(std::move(config), std::move(spec), seed, now));
}

Job Job::root(JobConfig config, SpecPtr spec, std::vector<BlockResult> frontier, std::uint64_t seed,
              Time now, const Holders& holders, const LogEntries& log) {
  auto m = std::make_unique<Machine>(std::move(config), std::move(spec), seed, now);
  m->rooted = true;
  m->deadline = m->deadline_of();
  m->log = JobLog(log);
  m->held.try_emplace(root_key, m->tree, std::vector<Block>{m->tree.root()});
  m->resume(frontier, holders);
  return Job(std::move(m));
}

JobEffects Job::start(Time now) {
  machine_->now = now;
  return machine_->settled();
}
JobEffects Job::take(std::uint32_t slot, Time now) {
  machine_->now = now;
  machine_->take(slot);
  return machine_->settled();
}
JobEffects Job::give(NodeId asker, const StealAsk& ask, double share, Time now) {
  machine_->now = now;
  machine_->give(asker, ask, share);
  return machine_->settled();
}
JobEffects Job::leased(NodeId lessor, const Lease& lease, Time now) {
  machine_->now = now;
  machine_->leased(lessor, lease);
  return machine_->settled();
}
JobEffects Job::work_done(WorkId id, Partial partial, const Digest& leaves, std::uint64_t cpu_ns,
                          Time now, std::uint64_t fuel, const RoundEnd& round) {
  machine_->now = now;
  machine_->work_done(id, partial, leaves, cpu_ns, fuel, round);
  return machine_->settled();
}
JobEffects Job::work_failed(WorkId id, const Error& why, Time now) {
  machine_->now = now;
  machine_->work_failed(id, why);
  return machine_->settled();
}
JobEffects Job::blob_here(const BlobId& blob, Time now, std::uint64_t pulled) {
  machine_->now = now;
  machine_->received(nullptr, pulled);
  machine_->blob_here(blob, false);
  return machine_->settled();
}
JobEffects Job::blob_gone(const BlobId& blob, Time now) {
  machine_->now = now;
  machine_->blob_here(blob, true);
  return machine_->settled();
}
JobEffects Job::journaled(std::uint64_t sequence, Time now) {
  machine_->now = now;
  machine_->journaled(sequence);
  return machine_->settled();
}
JobEffects Job::receive(NodeId from, const Message& message, Time now) {
  machine_->now = now;
  machine_->receive(from, message);
  return machine_->settled();
}
JobEffects Job::peer_up(NodeId peer, std::uint64_t boot, Time now) {
  machine_->now = now;
  machine_->peer_up(peer, boot);
  return machine_->settled();
}
JobEffects Job::peer_down(NodeId peer, Time now) {
  machine_->now = now;
  machine_->peer_down(peer);
  return machine_->settled();
}
JobEffects Job::cancel(Time now) {
  machine_->now = now;
  machine_->cancel(machine_->over());
  return machine_->settled();
}
JobEffects Job::hand_back(Time now) {
  machine_->now = now;
  machine_->hand_back();
  return machine_->settled();
}
JobEffects Job::pause(Time now) {
  machine_->now = now;
  machine_->paused = true;
  machine_->return_leases();
  return machine_->settled();
}
JobEffects Job::resume(Time now) {
  machine_->now = now;
  machine_->paused = machine_->stalled = false;
  return machine_->settled();
}
JobEffects Job::wake(Time now) {
  machine_->now = now;
  machine_->wake();
  return machine_->settled();
}

std::optional<Time> Job::next_wake() const {
  return machine_->next_wake();
}
void Job::watch(bool watched) {
  machine_->watched = watched;
}
std::vector<BlockResult> Job::frontier() const {
  const auto* h = machine_->find_held(root_key);
  return h && h->rooted() ? h->ledger.frontier() : std::vector<BlockResult>{};
}
const SignedSpec& Job::spec() const {
  return *machine_->spec;
}
bool Job::rooted() const {
  return machine_->rooted;
}
JobStatus Job::status(Time now) const {
  machine_->now = now;
  return machine_->status();
}
const JobCounters& Job::counters() const {
  return machine_->counters;
}
void Job::input_here(std::uint64_t pulled) {
  machine_->received(nullptr, pulled);
}
JobView Job::view(std::uint64_t log_since, Time now) const {
  machine_->now = now;
  return machine_->view(log_since);
}
void Job::check() const {
  machine_->check();
}

} // namespace tessera
