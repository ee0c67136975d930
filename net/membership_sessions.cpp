#include "net/membership_machine.hpp"

#include <algorithm>

// Sessions: which of several to one peer is in use, and what their ends mean.
namespace tessera::mesh {

void Machine::session_up(SessionKey key, const NodeId& peer, std::uint64_t peer_boot,
                         bool dialled) {
  auto node = dials.extract(key);
  std::optional<Attempt> attempt;
  if (!node.empty())
    attempt = std::move(node.mapped());
  if (key >= next_key && dialled)
    next_key = key + 1; // A dial of an earlier life of this machine.

  if (leaving)
    return say(CloseSession{key, "leaving"});
  LiveSession session{peer, peer_boot, dialled, now, {}, false};
  if (peer == config.self)
    return met_ourselves(key, session, attempt);
  if (attempt && attempt->expect && *attempt->expect != peer) {
    say(CloseSession{key, "not who was dialled"});
    return attempt_failed(*attempt, "another node answered");
  }
  if (const auto gone_one = left.find(peer); gone_one != left.end() && gone_one->second < peer_boot)
    left.erase(gone_one);

  const auto known = peers.find(peer);
  if (known != peers.end() && peer_boot < known->second.boot)
    return say(CloseSession{key, "an older life of this node"});
  if (known != peers.end() && peer_boot > known->second.boot)
    lose(peer, "restarted", {});
  if (const auto still = peers.find(peer); still != peers.end())
    another_session(key, session, still->second);
  else
    first_session(key, session);

  note_good(peer, attempt ? std::vector{attempt->address} : std::vector<Address>{});
  if (!attempt)
    return;
  for (auto& seed : seeds)
    if (seed.address == attempt->address) {
      seed.peer = peer; // Its back-off ends with a session that lasts: lose() says.
      seed.due = now + jitter(config.seed_every);
    }
  pursue(peer, attempt->goal);
}

// The dialling end knows the address, so it is the one that closes; we wait a little for that.
void Machine::met_ourselves(SessionKey key, const LiveSession& session,
                            const std::optional<Attempt>& attempt) {
  const auto alike = sessions_of(config.self);
  if (session.dialled || alike.size() >= self_sessions_max) {
    say(CloseSession{key, "this is ourselves"});
  } else {
    sessions[key] = session;
    sessions[key].retires = now + retire_after;
  }
  if (!attempt)
    return;
  if (ours.size() < ours_max)
    ours.insert(attempt->address);
  std::erase_if(seeds, [&](const Seed& s) { return s.address == attempt->address; });
  if (attempt->expect)
    attempt_failed(*attempt, "its address is ours");
}

void Machine::first_session(SessionKey key, const LiveSession& session) {
  sessions[key] = session;
  peers.emplace(session.peer, Peer{key, session.boot, now});
  say(PeerUp{session.peer, session.boot, key});
  shed();
}

void Machine::another_session(SessionKey key, LiveSession& session, Peer& peer) {
  auto alike = sessions_of(session.peer);
  if (alike.size() >= sessions_per_peer_max) {
    const auto spare =
        std::find_if(alike.begin(), alike.end(), [&](SessionKey k) { return k != peer.key; });
    close(*spare, "too many sessions");
  }
  auto& holder = sessions.at(peer.key);
  if (prevails(session, holder)) {
    retire(holder);
    peer.key = key;
    peer.view_only = false;
    say(PeerMoved{session.peer, key});
  } else {
    retire(session);
  }
  sessions[key] = session;
}

// Two ends must agree without asking. Same direction: the newest, since a peer dials us only when
// it knows of no session. Crossed dials: the one that the smaller NodeId dialled.
bool Machine::prevails(const LiveSession& challenger, const LiveSession& holder) const {
  const bool crossed = challenger.dialled != holder.dialled;
  if (!crossed || challenger.since - holder.since > crossed_within)
    return challenger.since >= holder.since;
  const bool by_smaller = challenger.dialled == (config.self < challenger.peer);
  return by_smaller;
}

// The end that did not dial waits longer: should the two differ on which is newest, the dialler's
// choice stands.
void Machine::retire(LiveSession& session) {
  session.retires = now + (session.dialled ? retire_after : 3 * retire_after);
}

void Machine::session_down(SessionKey key, const std::string& why) {
  if (dials.contains(key))
    return dial_failed(key, why);
  auto node = sessions.extract(key);
  if (node.empty())
    return; // Closed by us.
  const auto& session = node.mapped();
  const auto peer = peers.find(session.peer);
  if (peer == peers.end() || peer->second.key != key)
    return;
  // A retired one may still be good: then nothing was lost.
  std::optional<SessionKey> best;
  for (const auto other : sessions_of(session.peer))
    if (!best || prevails(sessions.at(other), sessions.at(*best)))
      best = other;
  if (!best)
    return lose(session.peer, why, session);
  sessions.at(*best).retires.reset();
  peer->second.key = *best;
  say(PeerMoved{session.peer, *best});
}

// No session to this peer is left (or its boot is over, and none of them counts any more).
void Machine::lose(const NodeId& peer, const std::string& why, std::optional<LiveSession> last) {
  const NodeId id = peer; // It may live in what goes now.
  const bool was_active = peers.at(id).active;
  const bool was_asked = peers.at(id).answer_by.has_value();
  close_all(id, why);
  active_count -= was_active;
  peers.erase(id);
  say(PeerDown{id, why});
  if (leaving || gone(id))
    return;
  if (was_active)
    add_passive(id, addresses_of(id));
  if (last && !last->ending) {
    // Who dialled it dials again, at once unless it was short-lived; the other end gives that a
    // second.
    auto& retry = retry_of(id);
    retry.failures = now - last->since < brief ? retry.failures + 1 : 0;
    const auto pause = retry.failures ? pause_after(retry.failures)
                                      : Duration(dice() % config.backoff_min.count());
    retry.not_before = now + pause + (last->dialled ? Duration{} : retire_after);
    for (auto& seed : seeds)
      if (seed.peer == id)
        seed.retry = {retry.failures, now + pause};
    if (last->dialled)
      wait_for({id, {.neighbor = was_active || was_asked, .restore = true}, now + pause, 0});
  }
  if (was_active) {
    refused_in_row = 0;
    fill_at = now;
    if (active_count == 0)
      hurry_seeds();
  }
}

std::vector<SessionKey> Machine::sessions_of(const NodeId& peer) const {
  std::vector<SessionKey> keys;
  for (const auto& [key, session] : sessions)
    if (session.peer == peer)
      keys.push_back(key);
  return keys;
}

void Machine::close(SessionKey key, std::string why) {
  sessions.erase(key);
  say(CloseSession{key, std::move(why)});
}

void Machine::close_all(const NodeId& peer, const std::string& why) {
  for (const auto key : sessions_of(peer))
    close(key, why);
}

// Said before it is done, so that the other end does not dial again.
void Machine::end_work_session(const NodeId& peer, const std::string& why) {
  send(peer, Disconnect{});
  lose(peer, why, {});
}

// Too many sessions: the longest idle one that is not in the active view goes.
void Machine::shed() {
  while (peers.size() > config.sessions_max) {
    auto idle = peers.end();
    for (auto p = peers.begin(); p != peers.end(); ++p)
      if (!p->second.active && (idle == peers.end() || p->second.used < idle->second.used))
        idle = p;
    if (idle == peers.end())
      return;
    end_work_session(NodeId{idle->first}, "too many sessions");
  }
}

void Machine::close_retired() {
  std::vector<SessionKey> due;
  for (const auto& [key, session] : sessions)
    if (session.retires && *session.retires <= now)
      due.push_back(key);
  for (const auto key : due)
    close(key, "another session to this peer is in use");
}

} // namespace tessera::mesh
