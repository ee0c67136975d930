#include "node/node_actor.hpp"

#include <caf/actor_cast.hpp>

namespace tessera {
namespace {

using Self = caf::stateful_actor<NodeShell>*;

constexpr std::size_t deaths_max = 3; // Of one child within a minute.
constexpr auto hand_back_max = std::chrono::seconds(3);
constexpr auto drain_max = std::chrono::seconds(1);

std::uint64_t dice() {
  std::array<std::uint8_t, 8> bytes;
  fill_random(bytes);
  std::uint64_t seed;
  std::memcpy(&seed, bytes.data(), sizeof seed);
  return seed;
}

WiringPtr wiring_of(Self self) {
  return std::make_shared<const Wiring>(self->state.wiring);
}

// Tells everybody who is who.
void rewire(Self self) {
  auto& s = self->state;
  const auto wiring = wiring_of(self);
  s.setup.board->set(wiring);
  for (const auto& who : {s.wiring.store, s.wiring.scheduler, s.wiring.api, s.wiring.mesh})
    tell(who, wiring);
  for (const auto& slot : s.wiring.slots)
    tell(slot, wiring);
  for (const auto& [id, job] : s.jobs)
    tell(job.actor, wiring);
  for (const auto& [address, session] : s.sessions)
    tell(session, wiring);
}

void keep(Self self, const caf::actor& child, std::string what) {
  self->state.children[child.address()] = std::move(what);
  self->monitor(child);
}

// --- The children, each as it is started and started again

void start_store(Self self) {
  auto& s = self->state;
  s.wiring.store = self->spawn<caf::detached>(store_actor, s.setup.store, wiring_of(self));
  keep(self, s.wiring.store, "store");
}
void start_api(Self self) {
  auto& s = self->state;
  auto setup = s.setup.api;
  setup.seed = dice();
  s.wiring.api = self->spawn(api_actor, setup, wiring_of(self));
  keep(self, s.wiring.api, "api");
}
void start_scheduler(Self self) {
  auto& s = self->state;
  s.wiring.scheduler = self->spawn(scheduler_actor, s.setup.scheduler, dice(), wiring_of(self));
  keep(self, s.wiring.scheduler, "scheduler");
}
void start_mesh(Self self) {
  auto& s = self->state;
  auto setup = s.setup.mesh;
  setup.seed = dice();
  setup.config.first_dial_key += s.mesh_starts++ << 32;
  s.wiring.mesh = self->spawn(mesh_actor, std::move(setup), wiring_of(self));
  keep(self, s.wiring.mesh, "mesh");
}
void start_policy(Self self) {
  auto& s = self->state;
  if (!s.setup.policy)
    return;
  s.policy = self->spawn<caf::detached>(policy_actor, *s.setup.policy, s.wiring.node);
  keep(self, s.policy, "policy");
}
void start_slot(Self self, std::size_t number) {
  auto& s = self->state;
  s.wiring.slots.resize(s.setup.slots.size());
  s.wiring.slots[number] = self->spawn(slot_actor, s.setup.slots[number], wiring_of(self));
  keep(self, s.wiring.slots[number], "slot " + std::to_string(number));
}

// --- Jobs

void keep_job(Self self, const SignedSpec& spec, const caf::actor& job, bool root) {
  self->state.jobs[spec.id] = {job, root, spec.spec.parent};
  keep(self, job, (spec.spec.round > 0 ? "round " : "job ") + to_hex(spec.id).substr(0, 12));
}

void start_job(Self self, const SpecPtr& spec, bool root, std::vector<BlockResult> frontier,
               Holders holders, LogEntries log) {
  auto& s = self->state;
  const auto job = self->spawn(job_actor,
                               JobOpening{s.setup.job, spec, root, std::move(frontier),
                                          std::move(holders), dice(), std::move(log)},
                               wiring_of(self));
  keep_job(self, *spec, job, root);
}

void start_rounds(Self self, const SpecPtr& spec, const JobStatus& told, LogEntries log) {
  auto& s = self->state;
  const auto job = self->spawn(rounds_actor,
                               RoundsOpening{s.setup.job.self, spec, told, s.setup.store.codec,
                                             s.setup.job.unix_ms_at_zero, std::move(log)},
                               wiring_of(self));
  keep_job(self, *spec, job, true);
}

// Who is here already tells again how it stands: a job of rounds that is new may ask for it.
void open_root(Self self, const OpenRoot& open) {
  const auto& jobs = self->state.jobs;
  if (const auto known = jobs.find(open.spec->id); known != jobs.end())
    tell(known->second.actor, tick_atom_v);
  else if (open.spec->spec.shape != Shape::range)
    start_rounds(self, open.spec, open.told, open.log);
  else
    start_job(self, open.spec, true, open.frontier, open.holders, open.log);
}

template<class What>
void to_job(Self self, const JobId& job, const What& what) {
  const auto& jobs = self->state.jobs;
  if (const auto known = jobs.find(job); known != jobs.end())
    tell(known->second.actor, what);
}

// Who is asked may be no more, before it answers.
caf::response_promise view(Self self, const ViewAsk& ask) {
  auto promise = self->make_response_promise();
  const auto& jobs = self->state.jobs;
  const auto known = jobs.find(ask.job);
  if (known == jobs.end()) {
    promise.deliver(JobView{});
    return promise;
  }
  self->request(known->second.actor, caf::infinite, ask)
      .then([=](JobView& view) mutable { promise.deliver(std::move(view)); },
            [=](const caf::error&) mutable { promise.deliver(JobView{}); });
  return promise;
}

caf::response_promise frontier(Self self, const FrontierAsk& ask) {
  auto promise = self->make_response_promise();
  if (const auto known = self->state.jobs.find(ask.job); known != self->state.jobs.end())
    promise.delegate(known->second.actor, ask);
  else
    promise.deliver(Frontier{});
  return promise;
}

void open_leases(Self self, const OpenLeases& open) {
  auto& s = self->state;
  const auto& accepted = open.accepted;
  if (s.leaving)
    return; // Their lessor hears of it by the next beat.
  if (!s.jobs.contains(accepted.spec->id))
    start_job(self, accepted.spec, false, {}, {}, {});
  for (const auto& lease : accepted.leases)
    tell(s.jobs.at(accepted.spec->id).actor, LeasedFrom{accepted.lessor, lease});
}

void job_gone(Self self, const JobGone& gone) {
  auto& s = self->state;
  const auto known = s.jobs.find(gone.job);
  if (known == s.jobs.end() || self->current_sender() != known->second.actor)
    return;
  s.children.erase(known->second.actor.address());
  const auto parent = known->second.parent;
  s.jobs.erase(known);
  to_job(self, parent, gone); // Nothing, of a job that has none.
  tell(s.wiring.scheduler, gone);
  tell(s.wiring.api, gone);
}

// What the journal knows: the api is told, and jobs that run there but not here go on.
void resume(Self self) {
  self->request(self->state.wiring.store, caf::infinite, RootsAsk{})
      .then(
          [=](const Roots& roots) {
            for (const auto& [status, frontier, holders, log] : roots.roots)
              if (!ended(status.state))
                open_root(self, OpenRoot{status.spec, frontier, holders, status, log});
            tell(self->state.wiring.api, roots);
          },
          [](const caf::error&) {}); // The store died; its successor is asked.
}

// --- Pauses

std::int64_t unix_ms(Self self) {
  const auto since_zero =
      std::chrono::floor<std::chrono::milliseconds>(now(self).time_since_epoch());
  return self->state.setup.mesh.config.unix_ms_at_zero + since_zero.count();
}

void await_end_of_pause(Self self) {
  auto& s = self->state;
  if (const auto& pause = s.by_owner; pause && pause->until_ms)
    arm(self, s.armed, now(self) + std::chrono::milliseconds(*pause->until_ms - unix_ms(self)));
}

template<class Then>
void save_pause(Self self, Then then) {
  self->request(self->state.wiring.store, caf::infinite, SavePause{self->state.by_owner})
      .then([=](const Kept& kept) mutable { then(kept.why); },
            [=](const caf::error&) mutable { // It died; its successor is told.
              then(Error{"E306", "the node's store died", "this is a bug", "say it again"});
            });
}

// His own word stands above his policy, which never ends it.
void weigh_pauses(Self self) {
  auto& s = self->state;
  const auto& pause = s.by_owner ? s.by_owner : s.by_policy;
  if (pause && !pause->why.empty() && (!s.wiring.pause || s.wiring.pause->why != pause->why))
    s.setup.log("paused: " + pause->why);
  s.wiring.pause = pause;
  rewire(self);
}

void set_pause(Self self, std::optional<Pause> pause) {
  self->state.by_owner = std::move(pause);
  weigh_pauses(self);
  await_end_of_pause(self);
}

void policy_says(Self self, const PolicySays& says) {
  self->state.by_policy = says.pause;
  self->state.wiring.policy = says.sources;
  weigh_pauses(self);
}

caf::response_promise pause(Self self, const PauseFor& what) {
  auto promise = self->make_response_promise();
  auto& s = self->state;
  set_pause(self, what.resume ? std::nullopt
                              : std::optional{paused_for(s.by_owner, what.time, unix_ms(self))});
  save_pause(self, [=, pause = s.wiring.pause](const Error& why) mutable {
    promise.deliver(PauseSet{pause, why});
  });
  return promise;
}

void look_at_pause(Self self) {
  const auto& pause = self->state.by_owner;
  if (!pause || !pause->over(unix_ms(self)))
    return await_end_of_pause(self);
  set_pause(self, {});
  save_pause(self, [](const Error&) {}); // Over is over, whatever the journal says.
}

// --- Deaths

void end(Self self, std::optional<Error> why) {
  auto& s = self->state;
  if (!std::exchange(s.over, true))
    s.setup.ended(std::move(why));
}

// Whether it keeps dying.
bool too_often(Self self, const std::string& what) {
  auto& times = self->state.deaths[what];
  times.push_back(now(self));
  while (now(self) - times.front() > std::chrono::minutes(1))
    times.pop_front();
  return times.size() >= deaths_max;
}

void restart_job(Self self, const caf::actor_addr& who) {
  auto& s = self->state;
  const auto job = std::find_if(s.jobs.begin(), s.jobs.end(), [&](const auto& known) {
    return known.second.actor.address() == who;
  });
  if (job == s.jobs.end())
    return;
  const auto [id, dead] = *job;
  s.jobs.erase(job);
  tell(s.wiring.scheduler, JobGone{id});
  tell(s.wiring.api, JobGone{id});
  for (const auto& slot : s.wiring.slots)
    tell(slot, DropJob{id});
  if (dead.root)
    resume(self);
  else
    tell(s.wiring.store, ReleaseJob{id, true}); // As its actor would have, at its end.
}

// Who is new is told to all before it is told to anybody what to do with it.
void restart(Self self, const caf::actor_addr& who, const std::string& what) {
  auto& s = self->state;
  std::optional<std::uint32_t> slot;
  if (what == "store") {
    start_store(self);
  } else if (what == "api") {
    start_api(self);
  } else if (what == "mesh") {
    start_mesh(self);
  } else if (what == "policy") {
    return start_policy(self);
  } else if (what == "scheduler") {
    start_scheduler(self);
  } else if (what.starts_with("slot")) {
    slot = std::uint32_t(std::stoul(what.substr(5)));
    start_slot(self, *slot);
  } else {
    return restart_job(self, who);
  }
  rewire(self);
  if (slot)
    tell(s.wiring.scheduler, SlotReset{*slot});
  if (what == "store" || what == "api")
    resume(self);
  if (what == "store")
    save_pause(self, [](const Error&) {});
}

void child_down(Self self, const caf::down_msg& down) {
  auto& s = self->state;
  const auto who = down.source;
  if (s.sessions.erase(who)) {
    if (down.reason && !s.over)
      s.setup.log("session died: " + self->system().render(down.reason));
    if (s.leaving && s.left && s.sessions.empty())
      end(self, {});
    return;
  }
  auto child = s.children.extract(who);
  if (child.empty() || s.over)
    return;
  const auto& what = child.mapped();
  s.setup.log(what + " died: " + self->system().render(down.reason));
  if (too_often(self, what))
    end(self, Error{"E390", what + " died three times within a minute",
                    self->system().render(down.reason),
                    "start the node again: what it had accepted goes on; please report this"});
  else
    restart(self, who, what);
}

Children children(Self self) {
  const auto& s = self->state;
  Children all;
  for (const auto& [child, what] : s.children)
    all.named.emplace_back(what, caf::actor_cast<caf::actor>(child));
  for (const auto& [address, session] : s.sessions)
    all.named.emplace_back("session", session);
  return all;
}

// --- Leaving

// Leases go back first, then the mesh is told, then what is queued is sent.
void farewell(Self self) {
  auto& s = self->state;
  if (std::exchange(s.left, true))
    return;
  tell(s.wiring.mesh, leave_atom_v);
  self->delayed_send(self, std::chrono::milliseconds(50), close_atom_v);
  self->delayed_send(self, drain_max, left_atom_v);
}

bool hands_back(const NodeShell& s) {
  return std::any_of(s.jobs.begin(), s.jobs.end(),
                     [](const auto& job) { return !job.second.root; });
}

void leave(Self self) {
  auto& s = self->state;
  if (std::exchange(s.leaving, true))
    return;
  tell(s.wiring.scheduler, leave_atom_v);
  tell(s.wiring.api, leave_atom_v);
  for (const auto& [id, job] : s.jobs)
    if (!job.root)
      tell(job.actor, leave_atom_v);
  if (hands_back(s))
    self->delayed_send(self, hand_back_max, leave_atom_v, true);
  else
    farewell(self);
}

void close_sessions(Self self) {
  auto& s = self->state;
  for (const auto& [address, session] : s.sessions)
    tell(session, close_atom_v, std::string{"this node leaves the mesh"});
  if (s.sessions.empty())
    end(self, {});
}

} // namespace

NodeShell::~NodeShell() {
  if (!over)
    setup.ended(Error{"E390", "the node's own actor died", "this is a bug",
                      "start the node again: what it had accepted goes on; please report this"});
  for (const auto& [child, what] : children)
    caf::anon_send_exit(caf::actor_cast<caf::actor>(child), caf::exit_reason::kill);
}

caf::behavior node_actor(Self self, NodeSetup setup) {
  auto& s = self->state;
  s.setup = std::move(setup);
  s.wiring.node = caf::actor_cast<caf::actor>(self);
  if (s.setup.pause && !s.setup.pause->over(unix_ms(self)))
    s.by_owner = s.wiring.pause = s.setup.pause;
  self->set_down_handler([=](caf::down_msg& down) { child_down(self, down); });
  start_store(self);
  start_api(self);
  start_scheduler(self);
  for (std::size_t i = 0; i < s.setup.slots.size(); ++i)
    start_slot(self, i);
  resume(self);
  start_mesh(self);
  rewire(self);
  await_end_of_pause(self);
  start_policy(self);
  return {
      [=](const OpenRoot& open) { open_root(self, open); },
      [=](const OpenLeases& open) { open_leases(self, open); },
      [=](const ForJob& what) { to_job(self, what.job, what.letter); },
      [=](const RoundNews& news) { to_job(self, news.status.spec->spec.parent, news); },
      [=](const JobGone& gone) {
        job_gone(self, gone);
        if (self->state.leaving && !hands_back(self->state))
          farewell(self);
      },
      [=](const caf::actor& session) {
        auto& s = self->state;
        s.sessions[session.address()] = session;
        self->monitor(session);
        tell(session, wiring_of(self)); // It may have been made with an older one.
      },
      [=](const FollowWork& follow) {
        if (std::exchange(self->state.wiring.followed, follow.followed) != follow.followed)
          rewire(self);
      },
      [=](const FrontierAsk& ask) { return frontier(self, ask); },
      [=](ChildrenAsk) { return children(self); },
      [=](const ViewAsk& ask) { return view(self, ask); },
      [=](const PauseFor& what) { return pause(self, what); },
      [=](const ReachNews& news) {
        if (news.reach.state == Reach::State::no)
          self->state.setup.log("others cannot dial this node: " + news.reach.why +
                                "; it works as long as it dials them; see: tessera status");
      },
      [=](const PolicySays& says) { policy_says(self, says); },
      [=](wake_atom) {
        if (woken(self, self->state.armed))
          look_at_pause(self);
      },
      [=](leave_atom) { leave(self); },
      [=](leave_atom, bool) { farewell(self); },
      [=](close_atom) { close_sessions(self); },
      [=](left_atom) { end(self, {}); },
  };
}

} // namespace tessera
