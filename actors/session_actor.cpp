#include "actors/session_actor.hpp"

namespace tessera {
namespace {

using Self = caf::stateful_actor<SessionShell>*;

// Which actor a message is for.
template<class M>
const caf::actor& home_of(const Wiring& w, const M&) {
  return w.scheduler;
}
template<class M>
concept MeshMessage = std::is_same_v<M, Records> || std::is_same_v<M, Join> ||
    std::is_same_v<M, ForwardJoin> || std::is_same_v<M, Neighbor> ||
    std::is_same_v<M, NeighborReply> || std::is_same_v<M, Disconnect> ||
    std::is_same_v<M, Shuffle> || std::is_same_v<M, ShuffleReply> ||
    std::is_same_v<M, DialBackAsk> || std::is_same_v<M, DialBackAnswer>;
template<MeshMessage M>
const caf::actor& home_of(const Wiring& w, const M&) {
  return w.mesh;
}
template<class M>
concept BlobMessage =
    std::is_same_v<M, BlobAsk> || std::is_same_v<M, BlobChunk> || std::is_same_v<M, BlobMissing>;
template<BlobMessage M>
const caf::actor& home_of(const Wiring& w, const M&) {
  return w.store;
}
template<class M>
concept Question = std::is_same_v<M, JobQuery> || std::is_same_v<M, JobAnswer> ||
    std::is_same_v<M, DetailAsk> || std::is_same_v<M, Detail>;
template<Question M>
const caf::actor& home_of(const Wiring& w, const M&) {
  return w.api;
}

// "10.0.0.5" of "10.0.0.5:7700", "::1" of "[::1]:7700".
std::string host_of(const std::string& remote) {
  const auto host = remote.substr(0, remote.rfind(':'));
  return host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
}

void announce(Self self) {
  const auto& s = self->state;
  if (s.peer)
    self->send(s.wiring->mesh,
               SessionOpened{s.peer->id, s.peer->boot, s.dialled, host_of(s.link->remote())});
}

void on(Self self, SessionUp& up) {
  self->state.peer = std::move(up.peer);
  announce(self);
  self->delayed_send(self, std::chrono::milliseconds(100), tick_atom_v);
}

// The link counts it as held until the last who shares it lets go.
MessagePtr counted(Message message, const LinkPtr& link, std::size_t bytes, Lane lane) {
  return {new Message(std::move(message)), [link, bytes, lane](const Message* m) {
            delete m;
            link->consumed(bytes, lane);
          }};
}

void on(Self self, MessageIn& in) {
  auto& s = self->state;
  if (s.violated)
    return;
  auto read = s.codec->decode(s.peer->id, in.message);
  if (auto* closed = std::get_if<Closed>(&read)) {
    s.violated = true;
    s.link->close(closed->why);
    return;
  }
  auto message = counted(std::move(std::get<Message>(read)), s.link, in.message.size(), in.lane);
  const auto& home = std::visit(
      [&](const auto& m) -> auto& { return home_of(*s.wiring, m); }, *message);
  self->send(home, FromPeer{s.peer->id, std::move(message)});
}

void on(Self, Suspected&) {} // Partners judge each other by their jobs' beats.
void on(Self, Heard&) {}

void on(Self self, SessionDown& down) {
  self->send(self->state.wiring->mesh, SessionEnded{std::move(down.why)});
  self->quit();
}

void carry(Self self, SessionNews& news) {
  std::visit([&](auto& n) { on(self, n); }, news);
}

void send_out(Self self, const Message& message) {
  auto& s = self->state;
  const bool bulk = std::holds_alternative<BlobChunk>(message);
  if (!s.link || !s.link->send(s.codec->encode(message), bulk ? Lane::bulk : Lane::control))
    return; // As good as lost on the way: whoever cares sends again.
}

} // namespace

caf::behavior session_actor(Self self, std::shared_ptr<const Codec> codec, bool dialled,
                            WiringPtr wiring) {
  self->state.codec = std::move(codec);
  self->state.dialled = dialled;
  self->state.wiring = std::move(wiring);
  if (self->state.wiring->node) {
    self->monitor(self->state.wiring->node);
    self->set_down_handler([=](const caf::down_msg&) { self->quit(); });
  }
  return {
      [=](LinkPtr& link) {
        self->state.link = std::move(link);
        for (auto& news : std::exchange(self->state.early, {}))
          carry(self, news);
      },
      [=](SessionNews& news) {
        if (self->state.link)
          carry(self, news);
        else
          self->state.early.push_back(std::move(news));
      },
      [=](const MessagePtr& message) { send_out(self, *message); },
      [=](WiringPtr& wiring) {
        const bool new_mesh = wiring->mesh != self->state.wiring->mesh;
        self->state.wiring = std::move(wiring);
        if (new_mesh)
          announce(self);
      },
      [=](tick_atom) {
        const auto& s = self->state;
        const auto moved = s.link->counters();
        if (const auto rtt = s.link->rtt())
          for (const auto& who : {s.wiring->scheduler, s.wiring->api})
            tell(who, RttNews{s.peer->id, *rtt, moved.bytes_out, moved.bytes_in});
        self->delayed_send(self, std::chrono::seconds(1), tick_atom_v);
      },
      [=](close_atom, const std::string& why) {
        if (self->state.link)
          self->state.link->close(why);
      },
  };
}

} // namespace tessera
