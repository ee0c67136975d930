#include "net/membership_machine.hpp"

#include <algorithm>

// HyParView's two views. Active: symmetric, small, carries the gossip. Passive: who could replace
// them.
namespace tessera::mesh {

// --- Joining

// Our record goes ahead, since the walk tells our addresses.
void Machine::join(const NodeId& peer) {
  if (own_sealed)
    send(peer, Records{{own_sealed}});
  send(peer, Join{});
  activate(peer, true);
}

void Machine::receive(const NodeId& from, const Join&) {
  if (!peers.at(from).walks.take(now) || gone(from))
    return;
  activate(from, true);
  const auto addresses = addresses_of(from);
  if (addresses.empty())
    return; // It cannot be dialled; it finds others by itself.
  for (const auto& peer : active_but(from, from))
    send(peer, ForwardJoin{from, addresses, config.active_walk});
}

// A random walk; it ends at the first node with room, or where its ttl runs out.
void Machine::receive(const NodeId& from, const ForwardJoin& walk) {
  auto& sender = peers.at(from);
  if (!sender.active || !sender.walks.take(now) || walk.joiner == config.self || gone(walk.joiner))
    return;
  if (const auto known = peers.find(walk.joiner); known != peers.end() && known->second.active)
    return;
  const auto ttl = std::min(walk.ttl, config.active_walk);
  const bool room = active_count + asked() < config.active_max;
  const auto next = active_but(from, walk.joiner);
  if (ttl == 0 || room || next.empty()) {
    add_passive(walk.joiner, walk.addresses);
    reach(walk.joiner, {.neighbor = true, .make_room = !room});
    return;
  }
  if (ttl == config.passive_walk)
    add_passive(walk.joiner, walk.addresses);
  send(next[roll(next.size())],
       ForwardJoin{walk.joiner, sane(walk.addresses), std::uint8_t(ttl - 1)});
}

// --- The active view

void Machine::ask_neighbor(const NodeId& id, bool make_room) {
  auto& peer = peers.at(id);
  if (peer.answer_by)
    return;
  peer.answer_by = now + answer_within;
  peer.make_room = make_room;
  send(id, Neighbor{active_count == 0});
}

void Machine::receive(const NodeId& from, const Neighbor& ask) {
  auto& peer = peers.at(from);
  const bool room = peer.active || active_count < config.active_max;
  const bool accepted = peer.walks.take(now) && !gone(from) && (room || ask.high);
  send(from, NeighborReply{accepted}); // Before the records that follow.
  if (accepted)
    activate(from, true);
}

void Machine::receive(const NodeId& from, const NeighborReply& reply) {
  auto& peer = peers.at(from);
  const bool make_room = std::exchange(peer.make_room, false);
  const bool asked_it = std::exchange(peer.answer_by, {}).has_value();
  if (reply.accepted)
    return activate(from, make_room);
  if (!asked_it)
    return;
  refused_by(from);
  if (peer.view_only && !peer.active)
    end_work_session(from, "no room in its active view");
}

// Also undoes what the other end believes, when there is no room.
void Machine::activate(const NodeId& id, bool make_room) {
  auto& peer = peers.at(id);
  if (peer.active)
    return;
  if (gone(id) || (active_count >= config.active_max && !make_room))
    return send(id, Disconnect{});
  if (active_count >= config.active_max)
    drop_random_active(id);
  peer.active = true;
  peer.view_only = false;
  peer.answer_by.reset();
  ++active_count;
  refused_in_row = 0;
  passive.erase(id);
  sync(id);
}

void Machine::deactivate(const NodeId& id) {
  const auto peer = peers.find(id);
  if (peer == peers.end() || !peer->second.active)
    return;
  peer->second.active = false;
  --active_count;
  add_passive(id, addresses_of(id));
  fill_at = now;
  if (active_count == 0)
    hurry_seeds();
}

void Machine::drop_random_active(const NodeId& keep) {
  const auto others = active_but(keep, keep);
  const auto unlucky = others[roll(others.size())];
  deactivate(unlucky);
  send(unlucky, Disconnect{});
}

void Machine::receive(const NodeId& from, const Disconnect& bye) {
  auto& peer = peers.at(from);
  if (bye.leaving)
    mark_left(from, peer.boot);
  else if (peer.active)
    deactivate(from);
  else
    sessions.at(peer.key).ending = true;
}

// Asks others in while there is room; slower when nobody else has any.
void Machine::fill_active() {
  if (!started || leaving)
    return;
  while (fill_at <= now && active_count + asked() < config.active_max) {
    const auto next = dials.size() < dials_max / 2 ? candidate() : std::nullopt;
    if (!next) {
      fill_at = now + fill_in_vain_every;
      return;
    }
    fill_at = now + (active_count < 2 ? fill_alone_every
                                      : fill_every * (1 << std::min(refused_in_row, 6U)));
    reach(*next, {.neighbor = true});
  }
}

std::optional<NodeId> Machine::candidate() {
  std::erase_if(refusals, [&](const auto& r) { return r.second <= now; });
  std::set<NodeId> found;
  auto consider = [&](const NodeId& peer) {
    if (may_ask(peer) && (peers.contains(peer) || may_dial(peer)))
      found.insert(peer);
  };
  for (const auto& [peer, state] : peers)
    consider(peer);
  for (const auto& [peer, addresses] : passive)
    consider(peer);
  for (const auto& [peer, record] : records.all())
    if (fresh(peer) || active_count == 0)
      consider(peer);
  if (active_count == 0)
    for (const auto& peer : good)
      consider(peer.id);
  if (found.empty())
    return {};
  return *std::next(found.begin(), roll(found.size()));
}

bool Machine::may_ask(const NodeId& id) const {
  const auto peer = peers.find(id);
  const bool busy = peer != peers.end() && (peer->second.active || peer->second.answer_by);
  return id != config.self && !busy && !gone(id) && !refusals.contains(id);
}

bool Machine::may_dial(const NodeId& peer) const {
  const auto retry = retries.find(peer);
  return !peers.contains(peer) && !being_dialled(peer) &&
         (retry == retries.end() || retry->second.not_before <= now) && !addresses_of(peer).empty();
}

void Machine::refused_by(const NodeId& peer) {
  if (refusals.size() >= refusals_max)
    refusals.erase(std::min_element(refusals.begin(), refusals.end(),
                                    [](auto& a, auto& b) { return a.second < b.second; }));
  refusals[peer] = now + refused_for + Duration(dice() % refused_for.count());
  ++refused_in_row;
  add_passive(peer, addresses_of(peer));
}

void Machine::late_answers() {
  std::vector<NodeId> late;
  for (auto& [id, peer] : peers)
    if (peer.answer_by && *peer.answer_by <= now) {
      peer.answer_by.reset();
      late.push_back(id);
    }
  for (const auto& id : late)
    refused_by(id);
}

std::vector<NodeId> Machine::active_but(const NodeId& a, const NodeId& b) const {
  std::vector<NodeId> ids;
  for (const auto& [id, peer] : peers)
    if (peer.active && id != a && id != b)
      ids.push_back(id);
  return ids;
}

// Requests for a place in our view that are under way.
std::size_t Machine::asked() const {
  const auto answers = std::count_if(peers.begin(), peers.end(),
                                     [](const auto& p) { return p.second.answer_by.has_value(); });
  const auto calls = std::count_if(dials.begin(), dials.end(),
                                   [](const auto& d) { return d.second.goal.neighbor; });
  return std::size_t(answers + calls);
}

// --- The passive view

void Machine::add_passive(const NodeId& peer, const std::vector<Address>& addresses) {
  const auto known = peers.find(peer);
  if (peer == config.self || gone(peer) || passive.contains(peer) || config.passive_max == 0 ||
      (known != peers.end() && known->second.active))
    return;
  auto kept = sane(addresses);
  if (kept.empty())
    return;
  if (passive.size() >= config.passive_max)
    passive.erase(std::next(passive.begin(), roll(passive.size())));
  passive.emplace(peer, std::move(kept));
}

void Machine::take_sample(const std::vector<PeerAddress>& sample) {
  for (std::size_t i = 0; i < std::min(sample.size(), sample_taken_max); ++i)
    add_passive(sample[i].id, sample[i].addresses);
}

std::vector<PeerAddress> Machine::make_sample(const NodeId& to) {
  std::vector<PeerAddress> sample;
  auto draw = [&](std::vector<NodeId> from, std::size_t n) {
    for (; n > 0 && !from.empty(); --n) {
      std::swap(from[roll(from.size())], from.back());
      if (auto addresses = addresses_of(from.back()); !addresses.empty())
        sample.push_back({from.back(), std::move(addresses)});
      from.pop_back();
    }
  };
  draw(active_but(to, to), sample_active);
  std::vector<NodeId> spare;
  for (const auto& [peer, addresses] : passive)
    if (peer != to)
      spare.push_back(peer);
  draw(std::move(spare), sample_passive);
  return sample;
}

void Machine::shuffle() {
  const auto view = active_but(config.self, config.self);
  if (view.empty())
    return;
  const auto to = view[roll(view.size())];
  peers.at(to).shuffled = true;
  send(to, Shuffle{config.self, own.addresses, config.active_walk, make_sample(to)});
}

// Unlike the paper, the first hop answers, on the session that is there, and not the last by a new
// one: half as random, and free. Records bring the passive view more.
void Machine::receive(const NodeId& from, const Shuffle& shuffle) {
  auto& sender = peers.at(from);
  if (!sender.active || shuffle.origin == config.self || !sender.walks.take(now))
    return;
  if (from == shuffle.origin)
    send(from, ShuffleReply{make_sample(from)});
  const auto ttl = std::min(shuffle.ttl, config.active_walk);
  const auto next = active_but(from, shuffle.origin);
  if (ttl <= 1 || next.empty()) {
    add_passive(shuffle.origin, shuffle.addresses);
    return take_sample(shuffle.sample);
  }
  Shuffle on{shuffle.origin, sane(shuffle.addresses), std::uint8_t(ttl - 1), shuffle.sample};
  on.sample.resize(std::min(on.sample.size(), sample_taken_max));
  send(next[roll(next.size())], std::move(on));
}

void Machine::receive(const NodeId& from, const ShuffleReply& reply) {
  if (std::exchange(peers.at(from).shuffled, false))
    take_sample(reply.sample);
}

// --- Healing

bool Machine::fresh(const NodeId& peer) const {
  const auto heard = records.heard(peer);
  return heard && now - *heard < config.record_every * 9 / 4; // Two renewals and some.
}

// A peer of whom the gossip has grown silent is dead, or on another island. One is tried at each
// shuffle; if it answers, the islands are one again.
void Machine::probe_silent() {
  std::set<NodeId> silent;
  auto consider = [&](const NodeId& id) {
    const auto peer = peers.find(id);
    const bool reachable = peer == peers.end() ? may_dial(id) : !peer->second.active;
    if (id != config.self && !gone(id) && !fresh(id) && reachable)
      silent.insert(id);
  };
  for (const auto& [id, record] : records.all())
    consider(id);
  if (!records.full()) { // In a larger mesh it is usual to hear nothing of most.
    for (const auto& [id, addresses] : passive)
      consider(id);
    for (const auto& peer : good)
      consider(peer.id);
  }
  if (!silent.empty() && dials.size() < dials_max / 2)
    reach(*std::next(silent.begin(), roll(silent.size())), {.join = true});
}

} // namespace tessera::mesh
