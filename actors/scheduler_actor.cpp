#include "actors/scheduler_actor.hpp"

#include "actors/unknown_job.hpp"

namespace tessera {
namespace {

using Self = caf::stateful_actor<SchedulerShell>*;

void on(Self self, SendTo& send) {
  self->send(self->state.wiring->mesh,
             ToPeer{send.to, std::make_shared<const Message>(std::move(send.message))});
}
template<class ForJob>
void to_job(Self self, const ForJob& what) {
  if (const auto job = self->state.jobs.find(what.job); job != self->state.jobs.end())
    self->send(job->second, what);
}
void on(Self self, TakeWork& take) {
  to_job(self, take);
}
void on(Self self, GiveWork& give) {
  to_job(self, give);
}
void on(Self self, AcceptLeases& accepted) {
  self->send(self->state.wiring->node, OpenLeases{std::move(accepted)});
}
void on(Self self, WantSession& want) {
  self->send(self->state.wiring->mesh, ConnectTo{want.peer});
}
void on(Self self, const OwnLoad& load) {
  tell(self->state.wiring->mesh, load);
  tell(self->state.wiring->api, load);
}

void perform(Self self, SchedulerEffects effects) {
  for (auto& effect : effects)
    std::visit([&](auto& e) { on(self, e); }, effect);
  arm(self, self->state.armed, self->state.scheduler->next_wake());
}

// Which job a peer's message is about; null: it is for the scheduler itself.
const JobId* job_of(const Message& message) {
  return std::visit(
      [](const auto& m) -> const JobId* {
        using M = std::decay_t<decltype(m)>;
        if constexpr (std::is_same_v<M, CancelJob>)
          return &m.cancel->job;
        else if constexpr (requires { m.job; })
          return &m.job;
        else
          return nullptr;
      },
      message);
}

void route(Self self, const FromPeer& letter) {
  auto& s = self->state;
  const auto* job = job_of(*letter.message);
  if (!job) {
    perform(self, s.scheduler->receive(letter.from, *letter.message, now(self)));
    return;
  }
  if (const auto known = s.jobs.find(*job); known != s.jobs.end()) {
    self->send(known->second, letter);
    return;
  }
  if (auto answer = answer_for_unknown(*letter.message))
    self->send(s.wiring->mesh,
               ToPeer{letter.from, std::make_shared<const Message>(std::move(*answer))});
}

void peer_news(Self self, const PeerNews& news) {
  auto& s = self->state;
  const auto at = now(self);
  switch (news.kind) {
  case PeerNews::Kind::up:
    perform(self, s.scheduler->peer_up(news.peer, at));
    break;
  case PeerNews::Kind::down:
    perform(self, s.scheduler->peer_down(news.peer, at));
    break;
  case PeerNews::Kind::unreachable:
    perform(self, s.scheduler->peer_unreachable(news.peer, at));
    break;
  }
  for (const auto& [id, job] : s.jobs)
    self->send(job, news);
}

// Those that are new hear how busy we are.
void wire(Self self, WiringPtr& wiring) {
  auto& s = self->state;
  const auto before = std::exchange(s.wiring, wiring);
  if (before->pause.has_value() != wiring->pause.has_value())
    perform(self, wiring->pause ? s.scheduler->pause(now(self)) : s.scheduler->resume(now(self)));
  if (before->mesh != wiring->mesh || before->api != wiring->api)
    on(self, s.scheduler->load());
}

} // namespace

caf::behavior scheduler_actor(Self self, SchedulerConfig config, std::uint64_t seed,
                              WiringPtr wiring) {
  self->state.scheduler.emplace(std::move(config), seed);
  self->state.wiring = std::move(wiring);
  auto& s = *self->state.scheduler;
  if (self->state.wiring->pause)
    s.pause(now(self));
  on(self, s.load()); // They may know another's.
  return {
      [=](const FromPeer& letter) { route(self, letter); },
      [=, &s](const JobHere& here) {
        self->state.jobs[here.spec->id] = here.job;
        const auto& spec = here.spec->spec;
        perform(self, s.job_opened(here.spec->id, spec.submitter,
                                   spec.kernel + "@" + std::to_string(spec.kernel_version),
                                   now(self), spec.priority, spec.require));
      },
      [=, &s](const JobGone& gone) {
        self->state.jobs.erase(gone.job);
        perform(self, s.job_closed(gone.job, now(self)));
      },
      [=, &s](const QueueChanged& queue) {
        perform(self, s.queue_changed(queue.job, queue.report, now(self)));
      },
      [=, &s](const Took& took) {
        perform(self, s.took(took.job, took.slot, took.got, now(self)));
      },
      [=, &s](const SlotFree& free) { perform(self, s.slot_free(free.slot, now(self))); },
      [=, &s](const SlotReset& reset) { perform(self, s.slot_reset(reset.slot, now(self))); },
      [=](const PeerNews& news) { peer_news(self, news); },
      [=, &s](const RecordNews& news) {
        perform(self, news.record ? s.peer_record(news.record->record, now(self))
                                  : s.peer_forgotten(news.subject, now(self)));
      },
      [=, &s](const RttNews& news) {
        perform(self, s.rtt_measured(news.peer, news.rtt, now(self)));
      },
      [=, &s](leave_atom) { perform(self, s.leave(now(self))); },
      [=](WiringPtr& wiring) { wire(self, wiring); },
      [=, &s](wake_atom) {
        if (woken(self, self->state.armed))
          perform(self, s.wake(now(self)));
      },
  };
}

} // namespace tessera
