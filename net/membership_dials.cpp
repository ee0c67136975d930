#include "net/membership_machine.hpp"

#include <algorithm>

// Whom to dial, when again after a failure, and which peers are worth remembering.
namespace tessera::mesh {

void Machine::Goal::add(const Goal& g) {
  join |= g.join;
  neighbor |= g.neighbor;
  make_room |= g.make_room;
  work |= g.work;
  restore |= g.restore;
}

void Machine::connect(const NodeId& peer) {
  if (const auto up = peers.find(peer); up != peers.end()) {
    up->second.used = now;
    up->second.view_only = false;
    return;
  }
  if (peer == config.self)
    return say(Unreachable{peer, "it is this node"});
  if (leaving)
    return say(Unreachable{peer, "this node is leaving"});
  if (gone(peer))
    return say(Unreachable{peer, "it left the mesh"});
  if (addresses_of(peer).empty() && !being_dialled(peer))
    return say(Unreachable{peer, "no address known"});
  const auto retry = retries.find(peer);
  const bool pausing = retry != retries.end() && retry->second.failures > 0 &&
                       retry->second.not_before > now && !being_dialled(peer);
  if (!pausing) {
    if (!reach(peer, {.work = true}))
      say(Unreachable{peer, "too many dials"});
  } else if (retry->second.not_before > now + patience ||
             !wait_for({peer, {.work = true}, retry->second.not_before, 0})) {
    say(Unreachable{peer, "dialled lately, in vain"});
  }
}

// Towards a session for this goal. False: no address, or too many dials.
bool Machine::reach(const NodeId& peer, const Goal& goal, unsigned restores) {
  if (peers.contains(peer)) {
    pursue(peer, goal);
    return true;
  }
  for (auto& [key, attempt] : dials)
    if (attempt.expect == peer) {
      attempt.goal.add(goal);
      return true;
    }
  auto addresses = addresses_of(peer);
  if (addresses.empty() || gone(peer))
    return false;
  if (dials.size() >= dials_max)
    return wait_for({peer, goal, now, restores});
  Attempt attempt{addresses.front(), {}, peer, goal, now, restores};
  attempt.rest.assign(addresses.begin() + 1, addresses.end());
  dial(std::move(attempt));
  return true;
}

// A session to this peer is up: do what it was wanted for.
void Machine::pursue(const NodeId& id, const Goal& goal) {
  const auto peer = peers.find(id);
  if (peer == peers.end())
    return;
  if (goal.work)
    peer->second.used = now;
  peer->second.view_only = goal.neighbor && !goal.work && !goal.join && !goal.restore;
  if (goal.join && (active_count < config.active_max || !fresh(id)))
    join(id);
  else if (goal.neighbor && !peer->second.active)
    ask_neighbor(id, goal.make_room);
}

void Machine::dial(Attempt attempt) {
  attempt.since = now;
  const auto key = next_key++;
  say(Dial{key, attempt.address, attempt.expect});
  dials.emplace(key, std::move(attempt));
}

void Machine::dial_failed(SessionKey key, const std::string& why) {
  auto node = dials.extract(key);
  if (node.empty())
    return;
  auto& attempt = node.mapped();
  if (attempt.expect && peers.contains(*attempt.expect))
    return pursue(*attempt.expect, attempt.goal); // It was faster.
  if (attempt.rest.empty())
    return attempt_failed(attempt, why);
  attempt.address = attempt.rest.front();
  attempt.rest.erase(attempt.rest.begin());
  dial(std::move(attempt));
}

void Machine::attempt_failed(const Attempt& attempt, const std::string& why) {
  for (auto& seed : seeds)
    if (!attempt.expect && seed.address == attempt.address) {
      const auto pause = pause_after(++seed.retry.failures);
      seed.retry.not_before = now + pause;
      seed.due = active_count ? now + std::max(pause, jitter(config.seed_every)) : now + pause;
    }
  if (!attempt.expect)
    return;
  const NodeId peer = *attempt.expect;
  if (attempt.goal.work && !peers.contains(peer))
    say(Unreachable{peer, why});
  auto& retry = retry_of(peer);
  retry.not_before = now + pause_after(++retry.failures);
  if (retry.failures >= failures_forgotten)
    passive.erase(peer);
  if (attempt.goal.restore && attempt.restores < restores_max)
    wait_for({peer,
              {.neighbor = attempt.goal.neighbor, .restore = true},
              retry.not_before,
              attempt.restores + 1});
}

bool Machine::wait_for(Waiting w) {
  if (leaving)
    return false;
  for (auto& known : waiting)
    if (known.peer == w.peer) {
      known.goal.add(w.goal);
      known.due = std::min(known.due, w.due);
      return true;
    }
  if (waiting.size() >= waiting_max)
    return false;
  waiting.push_back(std::move(w));
  return true;
}

void Machine::launch_waiting() {
  std::deque<Waiting> later;
  for (auto& w : std::exchange(waiting, {})) {
    if (w.due > now || dials.size() >= dials_max)
      later.push_back(w);
    else if (!reach(w.peer, w.goal, w.restores) && w.goal.work)
      say(Unreachable{w.peer, "no address known"});
  }
  for (auto& w : later)
    wait_for(std::move(w));
}

// A shell answers each dial; one that does not must not cost us a slot for ever.
void Machine::forget_dials() {
  std::vector<SessionKey> late;
  for (const auto& [key, attempt] : dials)
    if (attempt.since + dial_within <= now)
      late.push_back(key);
  for (const auto key : late) {
    say(CloseSession{key, "no answer"});
    dial_failed(key, "no answer");
  }
}

void Machine::contact_seeds() {
  for (auto& seed : seeds) {
    if (seed.due > now)
      continue;
    const bool room = dials.size() < dials_max;
    seed.due = now + (room ? jitter(config.seed_every) : fill_every);
    if (room && !ours.contains(seed.address) && !being_dialled(seed.address) && seed_needs_us(seed))
      dial({seed.address, {}, {}, {.join = true}, now, 0});
  }
}

// A seed that we hear of by gossip is on our island. An address that answered as somebody may
// answer as another now, so only news of that somebody counts.
bool Machine::seed_needs_us(const Seed& seed) const {
  if (!seed.peer || active_count == 0)
    return !(seed.peer && peers.contains(*seed.peer));
  return !peers.contains(*seed.peer) && !fresh(*seed.peer);
}

// Alone: the seeds are asked again as soon as their back-off allows.
void Machine::hurry_seeds() {
  for (auto& seed : seeds)
    seed.due = std::min(seed.due, std::max(now, seed.retry.not_before));
}

// --- What is known of peers

bool Machine::being_dialled(const NodeId& peer) const {
  return std::any_of(dials.begin(), dials.end(),
                     [&](const auto& d) { return d.second.expect == peer; });
}

bool Machine::being_dialled(const Address& address) const {
  return std::any_of(dials.begin(), dials.end(),
                     [&](const auto& d) { return d.second.address == address; });
}

std::vector<Address> Machine::sane(const std::vector<Address>& addresses) const {
  std::vector<Address> kept;
  for (const auto& a : addresses)
    if (kept.size() < peer_addresses_max && !a.host.empty() && a.host.size() <= 255 &&
        a.port != 0 && !ours.contains(a))
      kept.push_back(a);
  return kept;
}

// What the peer signed goes before what others say of it.
std::vector<Address> Machine::addresses_of(const NodeId& peer) const {
  if (const auto record = records.find(peer))
    if (auto addresses = sane(record->record.addresses); !addresses.empty())
      return addresses;
  if (const auto known = passive.find(peer); known != passive.end())
    return known->second;
  for (const auto& known : good)
    if (known.id == peer)
      return sane(known.addresses);
  return {};
}

Machine::Retry& Machine::retry_of(const NodeId& peer) {
  if (!retries.contains(peer) && retries.size() >= retries_max)
    retries.erase(std::min_element(retries.begin(), retries.end(), [](auto& a, auto& b) {
      return a.second.not_before < b.second.not_before;
    }));
  return retries[peer];
}

Duration Machine::pause_after(unsigned failures) {
  return backoff(failures, config.backoff_min, config.backoff_max, dice);
}

void Machine::mark_left(const NodeId& peer, std::uint64_t its_boot) {
  if (!left.contains(peer) && left.size() >= left_max)
    left.erase(left.begin());
  auto& boot_left = left[peer];
  boot_left = std::max(boot_left, its_boot);
  deactivate(peer);
  passive.erase(peer);
  std::erase_if(good, [&](const PeerAddress& g) { return g.id == peer; });
  std::erase_if(waiting, [&](const Waiting& w) {
    if (w.peer == peer && w.goal.work)
      say(Unreachable{peer, "it left the mesh"});
    return w.peer == peer;
  });
  good_changed = true;
}

// --- Worth remembering

void Machine::note_good(const NodeId& peer, const std::vector<Address>& addresses) {
  auto known = std::find_if(good.begin(), good.end(), [&](auto& g) { return g.id == peer; });
  PeerAddress entry{peer, known == good.end() ? std::vector<Address>{} : known->addresses};
  if (known != good.end())
    good.erase(known);
  if (!addresses.empty())
    entry.addresses = addresses;
  good.push_front(std::move(entry));
  if (good.size() > good_max)
    good.pop_back();
  good_changed = true;
}

void Machine::save_good() {
  if (!good_changed || save_not_before > now)
    return;
  good_changed = false;
  std::map<NodeId, std::vector<Address>> worth;
  for (const auto& peer : good)
    if (auto addresses = addresses_of(peer.id); !addresses.empty())
      worth[peer.id] = std::move(addresses);
  if (worth == saved)
    return;
  saved = worth;
  save_not_before = now + save_every;
  SaveSeeds news;
  for (const auto& peer : good) // Latest first.
    if (const auto w = worth.find(peer.id); w != worth.end())
      news.peers.push_back({w->first, w->second});
  say(std::move(news));
}

} // namespace tessera::mesh
