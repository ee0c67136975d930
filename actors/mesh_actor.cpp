#include "actors/mesh_actor.hpp"

#include <caf/actor_cast.hpp>

namespace tessera {
namespace {

using Self = caf::stateful_actor<MeshShell>*;

// While a peer is being dialled; further ones are lost, as on the way.
constexpr std::size_t waiting_max = 64;
constexpr std::size_t waiting_peers_max = 256;

void perform(Self self, MeshEffects effects);
void perform(Self self, ReachEffects effects);

// A session that is not known by key yet gets one.
SessionKey key_of(Self self, const caf::actor& session) {
  auto& s = self->state;
  const auto addr = session.address();
  if (const auto known = s.keys.find(addr); known != s.keys.end())
    return known->second;
  const auto key = s.next_key++;
  s.keys[addr] = key;
  s.sessions[key] = session;
  self->monitor(session);
  return key;
}

void forget(Self self, SessionKey key, const std::string& why) {
  auto& s = self->state;
  const auto session = s.sessions.find(key);
  if (session == s.sessions.end())
    return;
  s.keys.erase(session->second.address());
  s.sessions.erase(session);
  if (const auto seed = s.seeds.extract(key); !seed.empty()) // It did not answer.
    if (s.silent_seeds.insert(seed.mapped()).second)
      s.ports.seed_failed(seed.mapped(), why);
  perform(self, s.mesh->session_down(key, why, now(self)));
}

void tell_peer_news(Self self, const PeerNews& news) {
  const auto& w = *self->state.wiring;
  for (const auto& who : {w.scheduler, w.store, w.api})
    tell(who, news);
}

void send_on(Self self, SessionKey key, const MessagePtr& message) {
  if (const auto session = self->state.sessions.find(key); session != self->state.sessions.end())
    self->send(session->second, message);
}

void on(Self self, Dial& dial) {
  auto& s = self->state;
  const auto session = self->spawn(session_actor, s.codec, true, s.wiring);
  s.keys[session.address()] = dial.key;
  s.sessions[dial.key] = session;
  if (!dial.expect)
    s.seeds[dial.key] = dial.address;
  self->monitor(session);
  self->send(s.wiring->node, session);
  self->send(session, s.ports.dial(dial.address, dial.expect, session));
}
void on(Self self, CloseSession& close) {
  if (const auto session = self->state.sessions.find(close.key);
      session != self->state.sessions.end())
    self->send(session->second, close_atom_v, close.why);
}
void on(Self self, SendOn& send) {
  send_on(self, send.key, std::make_shared<const Message>(std::move(send.message)));
}
void on(Self self, SealRecord& seal) {
  perform(self,
          self->state.mesh->record_sealed(self->state.codec->seal_record(seal.record), now(self)));
}
void on(Self self, PeerUp& up) {
  self->state.up[up.peer] = up.boot;
  tell_peer_news(self, {PeerNews::Kind::up, up.peer, up.boot});
  auto waiting = self->state.waiting.extract(up.peer);
  if (!waiting.empty())
    for (const auto& message : waiting.mapped())
      send_on(self, up.key, message);
}
void on(Self self, PeerDown& down) {
  self->state.up.erase(down.peer);
  tell_peer_news(self, {PeerNews::Kind::down, down.peer});
  perform(self, self->state.reach->peer_down(down.peer, now(self)));
}
void on(Self, PeerMoved&) {} // session_of() knows.
void on(Self self, Unreachable& lost) {
  self->state.waiting.erase(lost.peer);
  tell_peer_news(self, {PeerNews::Kind::unreachable, lost.peer});
}
void on(Self self, RecordNews& news) {
  tell(self->state.wiring->scheduler, news);
  tell(self->state.wiring->api, news);
}
void on(Self self, SaveSeeds& save) {
  self->state.ports.save_peers(save.peers);
}

void perform(Self self, MeshEffects effects) {
  for (auto& effect : effects)
    std::visit([&](auto& e) { on(self, e); }, effect);
  arm(self, self->state.armed, self->state.mesh->next_wake());
}

// --- Whether others can dial us

void on(Self self, Probe& probe) {
  const auto me = caf::actor_cast<caf::actor>(self);
  if (self->state.ports.probe)
    self->state.ports.probe(probe.address, probe.asker, me);
  else
    tell(me, Probed{probe.asker, false, "this node cannot try"});
}
void on(Self self, AskReach& ask) {
  if (const auto key = self->state.mesh->session_of(ask.to))
    send_on(self, *key, std::make_shared<const Message>(std::move(ask.message)));
}
void on(Self self, Reach& reach) {
  const auto& w = *self->state.wiring;
  for (const auto& who : {w.node, w.api})
    tell(who, ReachNews{reach});
}

void perform(Self self, ReachEffects effects) {
  for (auto& effect : effects)
    std::visit([&](auto& e) { on(self, e); }, effect);
  arm(self, self->state.armed, self->state.reach->next_wake());
}

void session_opened(Self self, const SessionOpened& up) {
  auto& s = self->state;
  const auto key = key_of(self, caf::actor_cast<caf::actor>(self->current_sender()));
  if (const auto seed = s.seeds.extract(key); !seed.empty())
    s.silent_seeds.erase(seed.mapped());
  perform(self, s.mesh->session_up(key, up.peer, up.boot, up.dialled, now(self)));
  if (up.peer != s.own.subject && s.mesh->session_of(up.peer))
    perform(self, s.reach->session_up(up.peer, up.dialled, up.host, now(self)));
}

void received(Self self, const FromPeer& letter) {
  auto& s = self->state;
  const auto key = s.keys.find(caf::actor_cast<caf::actor_addr>(self->current_sender()));
  if (key == s.keys.end())
    return;
  const auto& message = *letter.message;
  if (const auto* ask = std::get_if<DialBackAsk>(&message))
    perform(self, s.reach->receive(letter.from, *ask, now(self)));
  else if (const auto* answer = std::get_if<DialBackAnswer>(&message))
    perform(self, s.reach->receive(letter.from, *answer, now(self)));
  else
    perform(self, s.mesh->receive(key->second, message, now(self)));
}

void to_peer(Self self, const ToPeer& letter) {
  auto& s = self->state;
  s.mesh->used(letter.to, now(self));
  if (const auto key = s.mesh->session_of(letter.to)) {
    send_on(self, *key, letter.message);
    return;
  }
  if (s.waiting.size() < waiting_peers_max || s.waiting.contains(letter.to))
    if (auto& queue = s.waiting[letter.to]; queue.size() < waiting_max)
      queue.push_back(letter.message);
  perform(self, s.mesh->connect(letter.to, now(self)));
}

// Those that are new hear who is there.
void wire(Self self, WiringPtr& wiring) {
  auto& s = self->state;
  const auto before = std::exchange(s.wiring, wiring);
  const auto introduce = [&](const caf::actor& old, const caf::actor& who, bool records) {
    if (old == who)
      return;
    for (const auto& [peer, boot] : s.up)
      tell(who, PeerNews{PeerNews::Kind::up, peer, boot});
    if (records)
      for (const auto& [subject, record] : s.mesh->records())
        tell(who, RecordNews{subject, record});
  };
  introduce(before->scheduler, wiring->scheduler, true);
  introduce(before->store, wiring->store, false);
  introduce(before->api, wiring->api, true);
  if (before->api != wiring->api)
    tell(wiring->api, ReachNews{s.reach->reach()});
}

} // namespace

caf::behavior mesh_actor(Self self, MeshSetup setup, WiringPtr wiring) {
  auto& s = self->state;
  s.codec = std::move(setup.codec);
  s.ports = std::move(setup.ports);
  auto wired = *wiring;
  wired.mesh = caf::actor_cast<caf::actor>(self); // What it dials may end before the node knows us.
  s.wiring = std::make_shared<const Wiring>(std::move(wired));
  s.own = setup.own;
  s.reach.emplace(s.own.addresses.empty() ? Address{} : s.own.addresses.front());
  s.mesh.emplace(std::move(setup.config), std::move(setup.own), setup.boot,
                 std::move(setup.remembered), setup.seed, now(self));
  self->set_down_handler([=](caf::down_msg& down) {
    const auto key = self->state.keys.find(caf::actor_cast<caf::actor_addr>(down.source));
    if (key != self->state.keys.end())
      forget(self, key->second, "the session's actor died");
  });
  perform(self, s.mesh->start(now(self)));
  return {
      [=](const SessionOpened& up) { session_opened(self, up); },
      [=](const Probed& p) { perform(self, self->state.reach->probed(p.asker, p.reached, p.why)); },
      [=](const SessionEnded& end) {
        const auto key =
            self->state.keys.find(caf::actor_cast<caf::actor_addr>(self->current_sender()));
        if (key != self->state.keys.end())
          forget(self, key->second, end.why);
      },
      [=](const FromPeer& letter) { received(self, letter); },
      [=](const ToPeer& letter) { to_peer(self, letter); },
      [=](const ConnectTo& to) { perform(self, self->state.mesh->connect(to.peer, now(self))); },
      [=](const OwnLoad& load) {
        auto& own = self->state.own;
        own.slots_free = load.slots_free;
        own.stealable_ns = load.stealable_ns;
        own.paused = load.paused;
        perform(self, self->state.mesh->own_changed(own, now(self)));
      },
      [=](leave_atom) { perform(self, self->state.mesh->leave(now(self))); },
      [=](WiringPtr& wiring) { wire(self, wiring); },
      [=](wake_atom) {
        if (!woken(self, self->state.armed))
          return;
        perform(self, self->state.mesh->wake(now(self)));
        perform(self, self->state.reach->wake(now(self)));
      },
  };
}

} // namespace tessera
