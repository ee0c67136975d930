#include "actors/rounds_actor.hpp"

#include "actors/unknown_job.hpp"

#include <caf/actor_cast.hpp>

namespace tessera {
namespace {

using Self = caf::stateful_actor<RoundsShell>*;

constexpr Duration status_gap = std::chrono::milliseconds(100); // Between two statuses for people.

const SpecPtr& spec_of(Self self) {
  return self->state.opening.spec;
}

void tell_status(Self self) {
  auto& s = self->state;
  s.told_soon = false;
  if (!s.ended) // Else the store tells it, when the journal has it.
    tell(s.wiring->api, JobNews{s.rounds->status(now(self)), true});
}
void tell_status_soon(Self self) {
  if (!std::exchange(self->state.told_soon, true))
    self->delayed_send(self, status_gap, tick_atom_v);
}

void to_peer(Self self, const NodeId& peer, Message message) {
  self->send(self->state.wiring->mesh,
             ToPeer{peer, std::make_shared<const Message>(std::move(message))});
}

void on(Self self, BeginRound& begin) {
  auto& s = self->state;
  s.beginning = std::move(begin);
  self->send(s.wiring->store, *s.beginning);
}
void on(Self self, OpenRound& open) {
  self->send(self->state.wiring->node, OpenRoot{open.round, {}, {}});
}
void on(Self self, CancelRound& cancel) {
  auto& s = self->state;
  const auto word = CancelJob{s.opening.codec->seal_cancel(cancel.round)};
  self->send(s.wiring->node,
             ForJob{cancel.round, {s.opening.self, std::make_shared<const Message>(word)}});
}
void on(Self self, JobEnded& end) {
  auto& s = self->state;
  s.ended = JournalEnd{s.rounds->status(now(self)), std::move(end.result), s.rounds->round(),
                       std::move(end.log)};
  self->send(s.wiring->store, *s.ended);
}
void on(Self self, JobIdle&) {
  self->send(self->state.wiring->node, JobGone{spec_of(self)->id});
  self->quit();
}

void perform(Self self, RoundsEffects effects) {
  for (auto& effect : effects)
    std::visit([&](auto& e) { on(self, e); }, effect);
  arm(self, self->state.armed, self->state.rounds->next_wake());
}

// Cancels come this way; leases of this job there are none.
void enrol(Self self) {
  self->send(self->state.wiring->scheduler,
             JobHere{spec_of(self), caf::actor_cast<caf::actor>(self)});
}

void wire(Self self, WiringPtr& wiring) {
  auto& s = self->state;
  const auto before = std::exchange(s.wiring, wiring);
  if (before && before->store != wiring->store) {
    if (s.beginning)
      self->send(wiring->store, *s.beginning);
    if (s.ended)
      self->send(wiring->store, *s.ended);
  }
  if (!before || before->scheduler != wiring->scheduler)
    enrol(self);
  tell_status(self);
}

void from_peer(Self self, const FromPeer& letter) {
  if (const auto* cancel = std::get_if<CancelJob>(letter.message.get()))
    perform(self, self->state.rounds->cancel(*cancel, now(self)));
  else if (auto answer = answer_for_unknown(*letter.message))
    to_peer(self, letter.from, std::move(*answer));
}

// How its round stands, under its own name.
caf::response_promise view(Self self, const ViewAsk& ask) {
  auto promise = self->make_response_promise();
  auto tell = [=](JobView view) mutable {
    const auto& rounds = *self->state.rounds;
    view.status = rounds.status(now(self));
    view.log = ask.log_since > 0 ? rounds.log().since(ask.log_since) : LogEntries{};
    promise.deliver(std::move(view));
  };
  self->request(self->state.wiring->node, caf::infinite, ViewAsk{self->state.rounds->round(), 0})
      .then([=](JobView& round) mutable { tell(std::move(round)); },
            [=](const caf::error&) mutable { tell({}); });
  return promise;
}

void begun(Self self, const RoundBegun& news) {
  auto& s = self->state;
  if (s.beginning && s.beginning->round->id == news.round)
    s.beginning.reset();
  perform(self, s.rounds->begun(news.round, now(self)));
}

} // namespace

caf::behavior rounds_actor(Self self, RoundsOpening opening, WiringPtr wiring) {
  auto& s = self->state;
  s.opening = std::move(opening);
  const auto seal = [codec = s.opening.codec](const JobSpec& spec) {
    return codec->seal_spec(spec);
  };
  RoundsConfig config{s.opening.self, seal};
  config.unix_ms_at_zero = s.opening.unix_ms_at_zero;
  config.log = std::exchange(s.opening.log, {});
  s.rounds.emplace(std::move(config), s.opening.spec, s.opening.told, now(self));
  s.wiring = nullptr;
  auto& rounds = *s.rounds;
  auto effects = rounds.start(now(self));
  wire(self, wiring);
  perform(self, std::move(effects));
  return {
      [=, &rounds](const RoundNews& news) {
        perform(self, rounds.round_told(news.status, news.result, news.end, now(self)));
        tell_status_soon(self);
      },
      [=, &rounds](const JobGone& gone) { perform(self, rounds.round_gone(gone.job, now(self))); },
      [=](const RoundBegun& news) { begun(self, news); },
      [=](const ViewAsk& ask) { return view(self, ask); },
      [=](const FromPeer& letter) { from_peer(self, letter); },
      [=](const TakeWork& take) { // There is none: rounds have it.
        self->send(self->state.wiring->scheduler, Took{take.job, take.slot, false});
      },
      [=](const GiveWork& give) {
        to_peer(self, give.asker, Grant{give.ask.ask, nullptr, {}});
      },
      [](const LeasedFrom&) {},
      [](const PeerNews&) {},
      [](const FrontierAsk&) { return Frontier{}; },
      [=](WiringPtr& wiring) { wire(self, wiring); },
      [=](tick_atom) { tell_status(self); },
      [=, &rounds](wake_atom) {
        if (woken(self, self->state.armed))
          perform(self, rounds.wake(now(self)));
      },
  };
}

} // namespace tessera
