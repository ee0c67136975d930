#include "actors/job_machine.hpp"

#include <algorithm>

// Leases in others' care: granted, and ended once each, as returned, reclaimed or void (L4).
namespace tessera {

LeaseId Job::Machine::new_lease_id() {
  constexpr std::uint64_t low = (std::uint64_t{1} << 40) - 1;
  return (config.boot << 40) | ((lease_offset + ++leases_made) & low);
}

bool Job::Machine::may_give(const Held& h, NodeId asker) const {
  if (std::count(h.path.begin(), h.path.end(), asker)) // guard: never-on-own-path
    return false;
  return h.bond != Held::Bond::over && h.path.size() < path_nodes_max;
}

Lease Job::Machine::give_blocks(Held& h, NodeId thief, std::vector<Block> blocks) {
  Given g;
  g.thief = thief;
  g.id = new_lease_id();
  g.from = h.key;
  g.since = now;
  for (const auto& b : blocks)
    g.attempt = std::max(g.attempt, h.ledger.attempt(b));
  for (const auto& b : blocks)
    h.ledger.lease(b, {thief, g.id, g.attempt});
  auto path = h.path;
  path.push_back(config.self);
  Lease lease{id(), g.id, g.attempt, blocks, std::move(path)};
  g.blocks = std::move(blocks);
  h.given.insert(g.id);
  auto& p = peer(thief);
  if (!p.partner())
    p.heard = now;
  p.given.insert(g.id);
  p.helped = true;
  if (h.rooted())
    say_given(g);
  given.emplace(g.id, std::move(g));
  counters.leases_given += 1;
  return lease;
}

std::vector<Lease> Job::Machine::leases_for(NodeId asker, std::uint64_t leaves_max) {
  std::vector<Lease> leases;
  // The ledger with most to give first: few leases, and large ones.
  std::vector<Held*> by_size;
  for (auto& [key, h] : held)
    if (h.ledger.queued_leaves() > 0 && may_give(h, asker))
      by_size.push_back(&h);
  std::stable_sort(by_size.begin(), by_size.end(), [](const Held* a, const Held* b) {
    return a->ledger.queued_leaves() > b->ledger.queued_leaves();
  });
  for (auto* h : by_size) {
    if (leaves_max == 0 || leases.size() >= leases_in_grant_max ||
        given.size() >= config.leases_max)
      break;
    auto blocks = h->ledger.take_to_lease(leaves_max, blocks_in_lease_max);
    for (const auto& b : blocks)
      leaves_max -= tree.size(b);
    if (!blocks.empty())
      leases.push_back(give_blocks(*h, asker, std::move(blocks)));
  }
  return leases;
}

// What nobody but a suspected thief has, once.
std::uint64_t Job::Machine::suspected_leaves() const {
  std::uint64_t sum = 0;
  if (std::none_of(peers.begin(), peers.end(), [](const auto& p) { return p.second.suspected; }))
    return 0;
  for (const auto& [lease, g] : given)
    if (!g.doubled && suspected(g))
      sum += open_leaves(g);
  return sum;
}

// With nothing queued, the asker may have what a suspected thief has: one of the two will return
// it.
std::optional<Lease> Job::Machine::second_lease(NodeId asker) {
  if (given.size() >= config.leases_max)
    return std::nullopt;
  for (auto& [lease, g] : given) {
    auto& h = *find_held(g.from);
    if (g.doubled || !suspected(g) || g.thief == asker || !may_give(h, asker))
      continue;
    std::vector<Block> blocks;
    for (const auto& within : g.blocks)
      for (std::uint64_t from = tree.begin(within); blocks.size() < blocks_in_lease_max;) {
        const auto b = h.ledger.leased_from(within, lease, from, tree.size(within));
        if (!b)
          break;
        blocks.push_back(*b);
        from = tree.end(*b);
      }
    if (blocks.empty())
      continue;
    g.doubled = true;
    auto second = give_blocks(h, asker, std::move(blocks));
    given.at(second.id).doubled = true;
    return second;
  }
  return std::nullopt;
}

// A newcomer fetches the whole input first, and what is queued here should take longer than that.
// If nothing was done here for as long, nobody knows, and fetching costs no more than waiting did.
// A round is one of many, and has the input of the one before.
bool Job::Machine::worth_fetching(NodeId asker) const {
  const auto known = peers.find(asker);
  if (slots() == 0 || spec->spec.in_rounds() ||
      (known != peers.end() && (known->second.helped || known->second.partner())))
    return true;
  std::uint64_t bytes = 0;
  for (const auto& input : spec->spec.inputs)
    bytes += input.size;
  const auto takes_ns = double(bytes) / fetch_bytes_a_second * 1e9;
  if (!sizer.known() && bytes <= fetch_bytes_free)
    return true;
  const auto queued_ns = sizer.known() ? double(expected_ns(report().queued_leaves)) / slots() : 0;
  const auto idle_ns = double(std::chrono::nanoseconds(now - ran_at).count());
  return std::max(queued_ns, idle_ns) >= takes_ns;
}

void Job::Machine::give(NodeId asker, const StealAsk& ask, double share) {
  Grant grant{ask.ask, nullptr, {}};
  if (may_ask(asker, ask) && share > 0 && worth_fetching(asker)) {
    const auto queued = queued_leaves();
    auto leaves = std::uint64_t(double(queued) * std::min(share, 0.5));
    // With every slot at work, the one leaf that waits here need not.
    if (leaves == 0 && queued > 0 && working.size() >= slots())
      leaves = 1;
    grant.leases = leases_for(asker, leaves);
    if (queued == 0)
      if (auto second = second_lease(asker))
        grant.leases.push_back(std::move(*second));
    if (grant.leases.empty() && ask.wait_ms == 0) // Who only waited may have work by now.
      give_back(asker, leaves);
  }
  if (!grant.leases.empty())
    grant.spec = spec;
  send(asker, std::move(grant));
}

// A lessor gets no lease of what it leased: that would close a ring. But it may have some of it
// back.
void Job::Machine::give_back(NodeId lessor, std::uint64_t leaves_max) {
  const auto all = leaves_max;
  for (auto& [key, h] : held) {
    if (h.rooted() || h.lessor != lessor || h.bond != Held::Bond::bound)
      continue;
    const auto back = h.ledger.hand_back(leaves_max, blocks_in_lease_max);
    for (const auto& b : back)
      leaves_max -= tree.size(b);
    h.aside.undone.insert(h.aside.undone.end(), back.begin(), back.end());
  }
  counters.hand_backs += leaves_max < all;
}

bool Job::Machine::may_ask(NodeId asker, const StealAsk& ask) const {
  const auto kernel = spec->spec.kernel + "@" + std::to_string(spec->spec.kernel_version);
  return !ended() && !resting() && asker != config.self && peers.size() < peers_max &&
         meets(ask.worker, spec->spec.require) &&
         (ask.kernels.empty() || std::count(ask.kernels.begin(), ask.kernels.end(), kernel));
}

// --- Ended

void Job::Machine::end_given(LeaseId lease, End how) {
  auto& g = given.at(lease);
  const bool forget = how != End::returned;
  if (g.returned)
    return forget_given(lease);
  auto* h = find_held(g.from);
  const auto open = h ? open_leaves(g) : 0;
  if (how == End::voided && h && open == 0)
    how = End::returned; // Its last word is still on the way, and says nothing new.
  const bool reclaimed = how == End::gone || how == End::silent;
  if (reclaimed) // It may have run them, and lives on to tell, or not.
    rerun(h, open, how == End::gone ? &Reruns::peer_gone : &Reruns::silent);
  if (h && h->rooted())
    say_ended_lease(g, open, how);
  if (h) // guard: ended-lease-queued
    for (const auto& b : g.blocks)
      h->ledger.unlease(b, lease);
  auto& count = how == End::returned ? counters.leases_returned
                : reclaimed          ? counters.leases_reclaimed
                                     : counters.leases_void;
  count += 1;
  g.returned = true;
  if (forget)
    forget_given(lease);
}

// Neither done nor handed back.
std::uint64_t Job::Machine::open_leaves(const Given& g) const {
  std::uint64_t sum = 0;
  for (const auto& b : g.blocks)
    sum += find_held(g.from)->ledger.leased_leaves(b, g.id);
  return sum;
}

void Job::Machine::forget_given(LeaseId lease) {
  const auto node = given.extract(lease);
  const auto& g = node.mapped();
  if (const auto p = peers.find(g.thief); p != peers.end())
    p->second.given.erase(lease);
  if (auto* h = find_held(g.from))
    h->given.erase(lease);
}

void Job::Machine::reclaim(NodeId thief, End how) {
  const auto p = peers.find(thief);
  if (p == peers.end())
    return;
  for (auto lease : std::set<LeaseId>(p->second.given))
    end_given(lease, how);
}

void Job::Machine::on(NodeId from, const LeaseRefused& refusal) {
  if (auto* h = find_held(from, refusal.lease))
    return refused(*h); // Its lessor, or an ancestor, cannot take what we brought.
  const auto g = given.find(refusal.lease);
  if (g != given.end() && g->second.thief == from)
    end_given(refusal.lease, End::voided);
}

} // namespace tessera
