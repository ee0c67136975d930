#include "actors/job_machine.hpp"

#include <algorithm>

// Leases in our care: taken on, worked off, their results brought to the lessor, or past it when it
// is gone, and kept until they outlive it (custody, architecture 4.4).
namespace tessera {

// --- Taken on

bool Job::Machine::sound(NodeId lessor, const Lease& lease) const {
  if (lease.job != id() || lease.blocks.empty() || lease.blocks.size() > blocks_in_lease_max ||
      lease.path.empty() || lease.path.size() > path_nodes_max || lease.path.back() != lessor ||
      std::count(lease.path.begin(), lease.path.end(), config.self))
    return false;
  Spans seen;
  for (const auto& b : lease.blocks) {
    if (!tree.valid(b) || seen.meets(tree.begin(b), tree.end(b)))
      return false;
    seen.add(tree.begin(b), tree.end(b));
  }
  return true;
}

void Job::Machine::leased(NodeId lessor, const Lease& lease) {
  leases_offered += 1;
  for (const auto& [key, h] : held)
    if (!h.rooted() && h.lessor == lessor && h.lease == lease.id)
      return; // The grant came twice.
  const char* objection = ended()                          ? "the job is over here"
                          : handing_back()                 ? "leaving, or paused"
                          : !sound(lessor, lease)          ? "not a lease"
                          : held.size() >= leases_held_max ? "too many leases"
                                                           : nullptr;
  if (objection)
    return send(lessor, LeaseRefused{lease.job, lease.id, objection});
  const auto key = next_held++;
  auto& h = held.try_emplace(key, tree, lease.blocks).first->second;
  h.key = key;
  h.lessor = lessor;
  h.lease = lease.id;
  h.attempt = lease.attempt;
  h.path = lease.path;
  root_seen = lease.path.front();
  h.since = h.answered = now;
  h.flush_at = now + config.flush_every;
  bind(h);
  if (last_grant_at != now || last_grantor != lessor) { // One grant may bring several.
    counters.steals += 1;
    share(&h, config.self).steals += 1;
  }
  last_grant_at = now;
  last_grantor = lessor;
}

// --- The bond to the lessor

void Job::Machine::bind(Held& h) {
  auto& p = peer(h.lessor);
  if (!p.partner())
    p.heard = now;
  p.held.insert(h.key);
  h.bond = Held::Bond::bound;
  h.target = h.path.size() - 1;
  h.target_since = now;
}

void Job::Machine::unbind(Held& h) {
  if (const auto it = peers.find(h.lessor); it != peers.end())
    it->second.held.erase(h.key);
}

// Its lessor is silent: we go on, and bring what is done to the one before it.
void Job::Machine::orphan(Held& h) {
  if (h.bond != Held::Bond::bound)
    return;
  unbind(h);
  h.bond = Held::Bond::orphaned;
  h.answered = now;
  retarget(h, h.path.size() < 2 ? 0 : h.path.size() - 2);
}

// Nobody expects this lease any more: no more of it is run, but what is done is still welcome.
void Job::Machine::void_held(Held& h) {
  if (h.bond == Held::Bond::over)
    return;
  if (h.bond == Held::Bond::bound) {
    unbind(h);
    h.answered = now;
    retarget(h, h.path.size() - 1);
  }
  h.bond = Held::Bond::over;
  h.unmerged = true;
  for (auto lease : std::set<LeaseId>(h.given))
    end_given(lease, End::voided);
  h.ledger.hand_back();
  h.aside.undone.clear();
  h.told_undone = 0;
  h.aside.failed.clear();
}

void Job::Machine::retract(Held& h) {
  if (!h.out)
    return;
  auto& o = *h.out;
  auto& a = h.aside;
  a.ran.insert(a.ran.begin(), o.ran.begin(), o.ran.end());
  a.commitments.insert(a.commitments.begin(), o.commitments.begin(), o.commitments.end());
  for (const auto& c : o.commitments)
    a.commitment_bytes += c.body.size();
  a.undone.insert(a.undone.begin(), o.undone.begin(), o.undone.end());
  h.told_undone = 0;
  a.failed.insert(a.failed.begin(), o.failed.begin(), o.failed.end());
  a.cpu_ns += o.cpu_ns;
  a.reruns += o.reruns;
  for (const auto& s : o.shares)
    share(&h, s.node) += s;
  h.out.reset();
}

// The new taker has nothing of it: all is news.
void Job::Machine::retarget(Held& h, std::size_t target) {
  retract(h);
  h.target = target;
  h.target_since = h.sent = now;
  h.last_taken = false;
  h.upheld.clear();
  h.ledger.freshen();
}

void Job::Machine::next_target(Held& h) {
  retarget(h, h.target == 0 ? h.path.size() - 1 : h.target - 1);
}

// Whom we brought results knows nothing of this lease.
void Job::Machine::refused(Held& h) {
  if (h.bond == Held::Bond::bound)
    void_held(h);
  else
    next_target(h);
  h.not_before = now + refused_pause;
}

// Its lessor has no row for it.
void Job::Machine::forgotten(Held& h) {
  if (h.last_taken)
    h.covered = h.sequence; // A lessor keeps the row until it has covered all.
  else
    refused(h);
}

// Nobody will run here what is queued.
void Job::Machine::drop_queued(Held& h) {
  const auto back = h.ledger.hand_back();
  if (h.bond == Held::Bond::bound)
    h.aside.undone.insert(h.aside.undone.end(), back.begin(), back.end());
}

// Back before anybody else took it over: results go there again.
void Job::Machine::lessor_heard(NodeId lessor) {
  for (auto& [key, h] : held) {
    if (h.rooted() || h.lessor != lessor || h.bond != Held::Bond::orphaned)
      continue;
    if (h.taker() != lessor)
      retarget(h, h.path.size() - 1);
    bind(h);
  }
}

// --- Results up

bool Job::Machine::complete(const Held& h) const {
  return h.unmerged ? h.ledger.all_done() : h.ledger.complete();
}

bool Job::Machine::has_news(const Held& h) const {
  return h.ledger.fresh() || !h.aside.undone.empty() || !h.aside.failed.empty() ||
         (complete(h) && !h.last_taken);
}

bool Job::Machine::due(const Held& h) const {
  if (h.rooted() || h.out || now < h.not_before || !has_news(h))
    return false;
  return complete(h) || h.bond != Held::Bond::bound || now >= h.flush_at ||
         h.made_bytes >= flush_bytes || !h.aside.undone.empty() || !h.aside.failed.empty();
}

namespace {

template<class T>
std::vector<T> take_front(std::deque<T>& from, std::size_t max) {
  const auto end = from.begin() + std::ptrdiff_t(std::min(max, from.size()));
  std::vector<T> taken(std::make_move_iterator(from.begin()), std::make_move_iterator(end));
  from.erase(from.begin(), end);
  return taken;
}

std::vector<Signed> take_commitments(Aside& aside) {
  auto& from = aside.commitments;
  std::size_t bytes = 0, n = 0;
  while (n < from.size() && n < commitments_in_result_max &&
         (n == 0 || bytes + from[n].body.size() <= commitment_bytes_in_result_max))
    bytes += from[n++].body.size();
  aside.commitment_bytes -= bytes;
  return take_front(from, n);
}

std::vector<NodeShare> take_shares(std::map<NodeId, NodeShare>& from) {
  std::vector<NodeShare> taken;
  while (!from.empty() && taken.size() < shares_in_result_max)
    taken.push_back(from.extract(from.begin()).mapped());
  return taken;
}

} // namespace

LeaseResult Job::Machine::next_result(Held& h) {
  LeaseResult r;
  auto& a = h.aside;
  r.job = id();
  r.lease = h.lease;
  r.attempt = h.attempt;
  r.sequence = ++h.sequence;
  r.done = h.ledger.take_fresh(blocks_in_result_max);
  h.made_bytes = 0;
  r.undone = take_front(a.undone, blocks_in_lease_max);
  h.told_undone -= std::min(h.told_undone, r.undone.size());
  r.failed = take_front(a.failed, blocks_in_lease_max);
  if (!r.failed.empty())
    r.reason = a.reason;
  r.holder = config.self;
  r.ran = take_front(a.ran, ran_in_result_max);
  r.commitments = take_commitments(a);
  r.shares = take_shares(a.shares);
  r.cpu_ns = std::exchange(a.cpu_ns, 0);
  r.reruns = std::exchange(a.reruns, {});
  r.last = complete(h) && !h.ledger.fresh() && a.undone.empty() && a.failed.empty() &&
           a.ran.empty() && a.commitments.empty() && a.shares.empty();
  return r;
}

void Job::Machine::send_result(Held& h) {
  if (!h.out) {
    h.out = next_result(h);
    h.flush_at = now + config.flush_every;
    h.target_since = now;
  }
  h.sent = now;
  send(h.taker(), *h.out);
}

// A result that is on its way may wait for its bytes to be pulled; what others are to run need not.
// Told again with its own result, should this be lost.
void Job::Machine::tell_undone(Held& h) {
  const auto& undone = h.aside.undone;
  while (h.told_undone < undone.size()) {
    LeaseResult r;
    r.job = id();
    r.lease = h.lease;
    r.attempt = h.attempt;
    r.holder = config.self;
    const auto n = std::min(undone.size() - h.told_undone, std::size_t(blocks_in_lease_max));
    const auto from = undone.begin() + std::ptrdiff_t(h.told_undone);
    r.undone.assign(from, from + std::ptrdiff_t(n));
    h.told_undone += n;
    send(h.taker(), std::move(r));
  }
}

// Without a bond there are no beats: an empty result asks for the receipt again.
void Job::Machine::probe(Held& h) {
  LeaseResult r;
  r.job = id();
  r.lease = h.lease;
  r.attempt = h.attempt;
  r.sequence = h.sequence;
  r.last = h.last_taken;
  r.holder = config.self;
  h.sent = now;
  send(h.taker(), std::move(r));
}

void Job::Machine::on(NodeId from, const Receipt& r) {
  auto* h = find_held(from, r.lease);
  if (!h || r.sequence > h->sequence)
    return;
  h->answered = h->target_since = now;
  if (r.covered)
    h->covered = std::max(h->covered, r.sequence);
  if (h->out && r.sequence == h->out->sequence) {
    for (const auto& d : h->out->done)
      h->upheld.add(tree.begin(d.block), tree.end(d.block));
    h->last_taken = h->out->last;
    h->out.reset();
    cover_accounts();
  }
}

// What time asks of a lease.
void Job::Machine::tend(Held& h) {
  if (h.rooted())
    return;
  const bool loose = h.bond != Held::Bond::bound;
  if (h.out && now >= h.sent + resend_after) {
    h.sent = now;
    if (loose && now >= h.target_since + config.suspect_after)
      next_target(h);
    else
      send(h.taker(), *h.out); // guard: result-resent
  } else if (!h.out && loose && now >= h.sent + resend_after && now >= h.not_before) {
    probe(h);
  }
  if (due(h))
    send_result(h);
  if (h.out && handing_back() && !loose)
    tell_undone(h);
}

std::optional<Time> Job::Machine::wake_of(const Held& h) const {
  if (h.rooted())
    return std::nullopt;
  const bool loose = h.bond != Held::Bond::bound;
  std::optional<Time> next;
  auto sooner = [&](Time t) { next = next ? std::min(*next, t) : t; };
  if (h.out || loose)
    sooner(h.out ? h.sent + resend_after : std::max(h.sent + resend_after, h.not_before));
  if (!h.out && has_news(h))
    sooner(complete(h) || loose ? h.not_before : std::max(h.flush_at, h.not_before));
  if (loose)
    sooner(h.answered + patience_of_orphans());
  return next;
}

Duration Job::Machine::patience_of_orphans() const {
  const auto ttl_ms = spec->spec.ttl_ms;
  const auto orphan_ms = std::chrono::ceil<std::chrono::milliseconds>(config.orphan_after).count();
  if (ttl_ms && ttl_ms < std::uint64_t(orphan_ms))
    return std::chrono::milliseconds(ttl_ms);
  return config.orphan_after;
}

// Nothing more can come of it.
bool Job::Machine::spent(const Held& h) const {
  if (h.rooted())
    return false;
  if (h.last_taken && (h.covered >= h.sequence || handing_back()))
    return true;
  if (h.bond == Held::Bond::bound)
    return false;
  const auto patience = patience_of_orphans();
  return now >= h.answered + patience || (h.bond == Held::Bond::over && h.ledger.covers().empty());
}

void Job::Machine::close(HeldKey key) {
  auto& h = held.at(key);
  const bool safe = h.last_taken && h.covered >= h.sequence;
  for (auto lease : std::set<LeaseId>(h.given))
    end_given(lease, End::voided);
  std::vector<AccountKey> touched;
  for (auto& [account_key, a] : accounts)
    if (std::erase_if(a.uncovered, [&](const Account::Part& p) { return p.held == key; }))
      touched.push_back(account_key);
  for (const auto& t : touched) { // They may forget, or have to bring it elsewhere.
    if (safe) {
      settle_account(t);
    } else {
      send(t.first, LeaseRefused{id(), t.second, "the lease above it is gone"});
      accounts.erase(t);
    }
  }
  unbind(h);
  leaves_done_before += h.ledger.done_leaves();
  held.erase(key);
}

// --- Back in good order

void Job::Machine::hand_back() {
  handing = true;
  return_leases();
}

void Job::Machine::return_leases() {
  for (auto& [key, h] : held) {
    if (h.rooted())
      continue;
    h.unmerged = true;
    for (auto lease : std::set<LeaseId>(h.given))
      if (!given.at(lease).returned)
        end_given(lease, End::voided);
    drop_queued(h);
  }
}

} // namespace tessera
