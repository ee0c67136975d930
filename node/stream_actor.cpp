#include "node/stream_actor.hpp"

namespace tessera {
namespace {

using Self = caf::stateful_actor<StreamShell>*;

void go_on(Self self) {
  auto& s = self->state;
  if (s.give)
    if (const auto piece = s.stream->take(now(self)); !piece.empty())
      std::exchange(s.give, nullptr)(std::make_shared<const Bytes>(to_bytes(view(piece))));
  if (s.stream->take_wish())
    self->send(s.api, SnapshotAsk{});
  if (s.give)
    arm(self, s.armed, s.stream->next_wake());
}

void begin(Self self, const StreamBegin& where) {
  auto& stream = *self->state.stream;
  if (where.events)
    stream.resumed(where.after, *where.events);
  else
    stream.gone();
  go_on(self);
}

struct Ticket {
  caf::actor stream;

  explicit Ticket(caf::actor s) : stream(std::move(s)) {}
  Ticket(const Ticket&) = delete;
  ~Ticket() { caf::anon_send(stream, close_atom_v); }
};

} // namespace

caf::behavior stream_actor(Self self, EventStreamConfig config, caf::actor api) {
  auto& s = self->state;
  s.stream.emplace(std::move(config), now(self));
  s.api = std::move(api);
  self->monitor(s.api);
  self->set_down_handler([=](const caf::down_msg&) { self->quit(); });
  return {
      [=](const StreamBegin& where) { begin(self, where); },
      [=](const Snapshot& snapshot) {
        self->state.stream->snapshot(snapshot.id, snapshot.frame);
        go_on(self);
      },
      [=](const EventBatch& batch) {
        self->state.stream->came(*batch.events);
        go_on(self);
      },
      [=](const StreamReady& ready) {
        self->state.give = ready.give;
        go_on(self);
      },
      [=](wake_atom) {
        if (woken(self, self->state.armed))
          go_on(self);
      },
      [=](close_atom) { self->quit(); },
  };
}

std::shared_ptr<HttpReply::Stream> body_of(const caf::actor& stream) {
  auto body = std::make_shared<HttpReply::Stream>();
  body->next = [ticket = std::make_shared<const Ticket>(stream)](auto give) {
    caf::anon_send(ticket->stream, StreamReady{std::move(give)});
  };
  return body;
}

} // namespace tessera
