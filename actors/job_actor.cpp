#include "actors/job_actor.hpp"

#include <caf/actor_cast.hpp>

namespace tessera {
namespace {

using Self = caf::stateful_actor<JobShell>*;

constexpr Duration status_gap = std::chrono::milliseconds(100); // Between two statuses for people.

const JobId& id_of(Self self) {
  return self->state.job->spec().id;
}

// Of a job that is rooted here, too, which tells people and the journal of its end.
bool is_round(Self self) {
  return self->state.job->rooted() && self->state.spec->spec.round > 0;
}

void tell_parent(Self self) {
  const auto& s = self->state;
  tell(s.wiring->node, s.ended ? RoundNews{s.ended->status, s.ended->result, s.round}
                               : RoundNews{s.job->status(now(self)), {}, {}});
}

const JobId& shown_id(Self self) {
  const auto& spec = self->state.spec->spec;
  return spec.round > 0 ? spec.parent : id_of(self);
}

void tell_work(Self self) {
  auto& s = self->state;
  if (s.job->counters() != s.counted)
    tell(s.wiring->api, CountNews{id_of(self), s.counted = s.job->counters()});
  if (!s.parts.empty() || !s.steals.empty())
    tell(s.wiring->api,
         WorkNews{shown_id(self), std::exchange(s.parts, {}), std::exchange(s.steals, {})});
}

void saw_steal(Self self, const NodeId& from, const NodeId& to, const std::vector<Lease>& leases) {
  auto& s = self->state;
  const BlockTree tree{s.spec->spec.leaves()};
  StealSeen seen{from, to, 0};
  for (const auto& lease : leases)
    for (const auto& block : lease.blocks)
      seen.leaves += tree.valid(block) ? tree.size(block) : 0;
  if (s.wiring->followed && seen.leaves > 0 && s.steals.size() < parts_told_max)
    s.steals.push_back(seen);
}

void tell_status(Self self) {
  auto& s = self->state;
  s.told_soon = false;
  tell_work(self);
  if (is_round(self))
    tell_parent(self);
  else if (!s.ended) // Else the store tells it, when the journal has it.
    tell(s.wiring->api, JobNews{s.job->status(now(self)), s.job->rooted()});
}
void tell_status_soon(Self self) {
  if (std::exchange(self->state.told_soon, true))
    return;
  self->delayed_send(self, status_gap, tick_atom_v);
}

void ask_store(Self self, const PullBlob& want) {
  const auto& store = self->state.wiring->store;
  if (want.manifest.empty())
    self->send(store, PullFor{want.blob, want.holders});
  else
    self->send(store, CopyFor{id_of(self), want.manifest, want.holders});
}

// While an input is still on its way, there is nothing that a slot could start.
void report(Self self) {
  auto& s = self->state;
  auto report = s.report;
  if (!s.inputs_missing.empty())
    report.runnable = 0;
  self->send(s.wiring->scheduler, QueueChanged{id_of(self), report});
}

void on(Self self, SendTo& send) {
  if (const auto* grant = std::get_if<Grant>(&send.message))
    saw_steal(self, self->state.own, send.to, grant->leases);
  self->send(self->state.wiring->mesh,
             ToPeer{send.to, std::make_shared<const Message>(std::move(send.message))});
}
void on(Self self, StartWork& start) {
  auto& s = self->state;
  const auto& slot = s.wiring->slots.at(start.slot);
  s.working[start.id] = {start.slot, slot.address()};
  self->send(slot,
             StartFor{caf::actor_cast<caf::actor>(self), s.spec, start.id, std::move(start.work)});
}
void on(Self self, const PullBlob& want) {
  ask_store(self, want);
  self->state.pulls[want.blob] = want;
}
void on(Self self, JournalBlocks& blocks) {
  auto& s = self->state;
  self->send(s.wiring->store, JournalFor{id_of(self), blocks});
  s.journaling[blocks.sequence] = std::move(blocks);
}
void on(Self self, QueueReport& queue) {
  self->state.report = queue;
  report(self);
}
void on(Self self, PartDone& part) {
  auto& s = self->state;
  const BlockTree tree{s.spec->spec.leaves()};
  if (s.parts.size() >= parts_told_max)
    tell_work(self);
  add_part(s.parts, {tree.begin(part.block), tree.size(part.block), part.node, part.merged});
}
void on(Self self, JobEnded& end) {
  auto& s = self->state;
  for (const auto& slot : s.wiring->slots) // Whatever still runs of it is for nobody.
    self->send(slot, DropJob{id_of(self)});
  s.ended = JournalEnd{s.job->status(now(self)), std::move(end.result), {}, std::move(end.log)};
  s.round = end.round;
  if (!is_round(self))
    self->send(s.wiring->store, *s.ended);
  tell_status(self);
}
void on(Self self, JobIdle& idle) {
  auto& s = self->state;
  tell_work(self);
  if (!s.job->rooted()) // What a root has, goes with the end in its journal.
    self->send(s.wiring->store, ReleaseJob{id_of(self), idle.keep});
  for (const auto& slot : s.wiring->slots)
    self->send(slot, DropJob{id_of(self)});
  self->send(s.wiring->node, JobGone{id_of(self)});
  self->quit();
}

void perform(Self self, JobEffects effects) {
  for (auto& effect : effects)
    std::visit([&](auto& e) { on(self, e); }, effect);
  if (!effects.empty())
    tell_status_soon(self);
  arm(self, self->state.armed, self->state.job->next_wake());
}

void work_over(Self self, WorkId id) {
  self->state.working.erase(id);
}

// What was in the care of slots that are no more failed, by no fault of the kernel. The scheduler
// may have counted it for their successors.
void give_up_lost_work(Self self) {
  auto& s = self->state;
  std::vector<std::pair<WorkId, std::uint32_t>> lost;
  for (const auto& [id, at] : s.working)
    if (s.wiring->slots.at(at.number).address() != at.slot)
      lost.emplace_back(id, at.number);
  for (const auto& [id, number] : lost) {
    work_over(self, id);
    self->send(s.wiring->scheduler, SlotFree{number});
    perform(self,
            s.job->work_failed(id, {"E710", "a slot died", "its actor ended", "it is tried again"},
                               now(self)));
  }
}

// From this actor, so that no report overtakes it.
void enrol(Self self) {
  auto& s = self->state;
  self->send(s.wiring->scheduler, JobHere{s.spec, caf::actor_cast<caf::actor>(self)});
  report(self);
}

void wire(Self self, WiringPtr& wiring) {
  auto& s = self->state;
  const auto before = std::exchange(s.wiring, wiring);
  const bool paused = before && before->pause;
  s.job->watch(wiring->followed);
  give_up_lost_work(self);
  if (paused != wiring->pause.has_value())
    perform(self, paused ? s.job->resume(now(self)) : s.job->pause(now(self)));
  if (!before || before->store != wiring->store) {
    for (const auto& [blob, want] : s.pulls)
      ask_store(self, want);
    for (const auto& [sequence, blocks] : s.journaling)
      self->send(wiring->store, JournalFor{id_of(self), blocks});
    if (s.ended && !is_round(self))
      self->send(wiring->store, *s.ended);
  }
  if (!before || before->scheduler != wiring->scheduler)
    enrol(self);
  tell_status(self);
}

void blob_here(Self self, const BlobHere& here) {
  auto& s = self->state;
  s.pulls.erase(here.blob);
  if (s.inputs_missing.erase(here.blob)) {
    s.job->input_here(here.pulled_bytes);
    report(self);
  } else {
    perform(self, s.job->blob_here(here.blob, now(self), here.pulled_bytes));
  }
}

void blob_gone(Self self, const BlobId& blob) {
  auto& s = self->state;
  s.pulls.erase(blob);
  if (s.inputs_missing.contains(blob))
    perform(self, s.job->hand_back(now(self))); // Without its input nothing can be done here.
  else
    perform(self, s.job->blob_gone(blob, now(self)));
}

void leased(Self self, const LeasedFrom& lease) {
  auto& s = self->state;
  for (const auto& input : s.job->spec().spec.inputs)
    if (s.inputs_missing.contains(input.blob))
      on(self, PullBlob{input.blob, input.size, {lease.lessor}, {}});
  saw_steal(self, lease.lessor, self->state.own, {lease.lease});
  perform(self, s.job->leased(lease.lessor, lease.lease, now(self)));
}

} // namespace

namespace {

JobView view(Self self, const ViewAsk& ask) {
  auto& s = self->state;
  auto view = s.job->view(ask.log_since, now(self));
  view.inputs_missing = s.inputs_missing.size();
  return view;
}

} // namespace

caf::behavior job_actor(Self self, JobOpening opening, WiringPtr wiring) {
  auto& s = self->state;
  s.spec = opening.spec;
  s.own = opening.config.self;
  if (!opening.root)
    for (const auto& input : opening.spec->spec.inputs)
      s.inputs_missing.insert(input.blob);
  s.job.emplace(opening.root ? Job::root(std::move(opening.config), std::move(opening.spec),
                                         std::move(opening.frontier), opening.seed, now(self),
                                         opening.holders, opening.log)
                             : Job::lessee(std::move(opening.config), std::move(opening.spec),
                                           opening.seed, now(self)));
  wire(self, wiring);
  perform(self, s.job->start(now(self)));
  auto& job = *s.job;
  return {
      [=, &job](const TakeWork& take) {
        auto effects = job.take(take.slot, now(self));
        const bool got = std::any_of(effects.begin(), effects.end(), [](const JobEffect& e) {
          return std::holds_alternative<StartWork>(e);
        });
        perform(self, std::move(effects));
        self->send(self->state.wiring->scheduler, Took{take.job, take.slot, got});
      },
      [=, &job](const GiveWork& give) {
        perform(self, job.give(give.asker, give.ask, give.share, now(self)));
      },
      [=](const LeasedFrom& lease) { leased(self, lease); },
      [=, &job](WorkDone& done) {
        work_over(self, done.id);
        perform(self, job.work_done(done.id, std::move(done.partial), done.leaves, done.cpu_ns,
                                    now(self), done.fuel, done.round));
      },
      [=, &job](const WorkFailed& failed) {
        work_over(self, failed.id);
        perform(self, job.work_failed(failed.id, failed.why, now(self)));
      },
      [=, &job](const FrontierAsk&) { return Frontier{job.frontier()}; },
      [=](const BlobHere& here) { blob_here(self, here); },
      [=](const ViewAsk& ask) { return view(self, ask); },
      [=](const BlobGone& gone) { blob_gone(self, gone.blob); },
      [=, &job](const Journaled& kept) {
        self->state.journaling.erase(kept.sequence);
        perform(self, job.journaled(kept.sequence, now(self)));
      },
      [=, &job](const FromPeer& letter) {
        perform(self, job.receive(letter.from, *letter.message, now(self)));
      },
      [=, &job](const PeerNews& news) {
        perform(self, news.kind == PeerNews::Kind::up ? job.peer_up(news.peer, news.boot, now(self))
                                                      : job.peer_down(news.peer, now(self)));
      },
      [=, &job](leave_atom) { perform(self, job.hand_back(now(self))); },
      [=](WiringPtr& wiring) { wire(self, wiring); },
      [=](tick_atom) { tell_status(self); },
      [=, &job](wake_atom) {
        if (woken(self, self->state.armed))
          perform(self, job.wake(now(self)));
      },
  };
}

} // namespace tessera
