#include "node/api_routes.hpp"

namespace tessera {

namespace api {

int status_of(const std::string& code) {
  static const std::map<std::string, int> known{
      {"E400", 400}, {"E412", 409}, {"E414", 404}, {"E410", 409}, {"E112", 404}, {"E111", 507},
      {"E602", 409}, {"E510", 403}, {"E304", 404}, {"E404", 404}, {"E305", 503}, {"E511", 503},
      {"E110", 500}, {"E120", 500}, {"E306", 500}, {"E601", 409}, {"E462", 504}, {"E463", 400},
      {"E464", 409}, {"E465", 403}, {"E467", 409}, {"E468", 400}, {"E469", 503}, {"E435", 410},
      {"E415", 404}, {"E416", 404}, {"E417", 503}, {"E418", 405}, {"E419", 416}, {"E480", 400},
      {"E481", 503}, {"E482", 503}, {"E483", 503}, {"E712", 500}};
  const auto it = known.find(code);
  return it == known.end() ? 422 : it->second;
}
void refuse(const Caller& caller, const Error& why, std::optional<int> status) {
  caller.respond(problem(status.value_or(status_of(why.code)), why, caller.path));
}
std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}
void answer(const Caller& caller, int status, const Json& body) {
  caller.respond(json_reply(status, line_of(body)));
}
std::int64_t unix_ms(Self self) {
  const auto since_zero =
      std::chrono::floor<std::chrono::milliseconds>(now(self).time_since_epoch());
  return self->state.setup.unix_ms_at_zero + since_zero.count();
}

std::string name_of(Self self, const NodeId& id) {
  const auto& s = self->state;
  if (id == s.setup.own.subject)
    return s.setup.own.name;
  const auto known = s.records.find(id);
  return known == s.records.end() ? "" : known->second->record.name;
}
Json shown(Self self, const JobStatus& status) {
  return job_json(status, [=](const NodeId& id) { return name_of(self, id); });
}
void answer_job(Self self, const Caller& caller, const JobStatus& status, int code) {
  answer(caller, code, shown(self, status));
}

} // namespace api

namespace {

using namespace api;

// Counts what it is answered with.
Caller counted(Self self, HttpRespond respond, const std::string& path, std::string_view route) {
  return {[self, respond = std::move(respond), route = std::string{route}](HttpReply reply) {
            ++self->state.requests[{route, reply.status}];
            respond(std::move(reply));
          },
          path};
}

void called(Self self, HttpRequest& request, HttpRespond respond) {
  const auto found = find_route(request.method, request.path);
  if (found.route) {
    const auto caller = counted(self, std::move(respond), request.path, found.route->path);
    return found.route->answer(self, {request, caller, found.name});
  }
  const Caller caller = counted(self, std::move(respond), request.path, "");
  const auto asked = request.method + " " + request.path;
  if (found.allow.empty())
    return refuse(caller, {"E404", "there is no such call", asked, "see GET /v1/openapi.json"});
  auto reply =
      problem(405, {"E418", "this call has another method", asked, "there is: " + found.allow},
              request.path);
  reply.headers["Allow"] = found.allow;
  caller.respond(std::move(reply));
}

// Whether it may be answered before the journal's jobs are known.
bool at_any_time(const HttpRequest& request) {
  return request.path == "/healthz" || request.path == "/readyz";
}

void peer_news(Self self, const PeerNews& news) {
  auto& s = self->state;
  if (news.kind == PeerNews::Kind::up) {
    s.up.insert(news.peer);
    s.book->peer_up(news.peer);
    peer_event(self, news.peer);
    return;
  }
  s.up.erase(news.peer);
  s.rtts.erase(news.peer);
  s.rtts_told.erase(news.peer);
  s.lines.erase(news.peer);
  if (s.records.contains(news.peer))
    peer_event(self, news.peer);
  perform(self, s.book->peer_down(news.peer, now(self)));
}

void from_peer(Self self, const FromPeer& letter) {
  auto& book = *self->state.book;
  if (const auto* query = std::get_if<JobQuery>(letter.message.get()))
    perform(self, book.receive(letter.from, *query, now(self)));
  else if (const auto* answer = std::get_if<JobAnswer>(letter.message.get()))
    perform(self, book.receive(letter.from, *answer, now(self)));
  else if (const auto* ask = std::get_if<DetailAsk>(letter.message.get()))
    asked_detail(self, letter.from, *ask);
  else if (const auto* detail = std::get_if<Detail>(letter.message.get()))
    told_detail(self, letter.from, *detail);
}

void job_news(Self self, const JobNews& news) {
  auto& s = self->state;
  const auto known = s.working.find(news.status.spec->id);
  if (!ended(news.status.state) || known != s.working.end()) {
    if (known == s.working.end() || ended(known->second.state) != ended(news.status.state))
      status_event(self);
    s.working[news.status.spec->id] = news.status;
  }
  s.modules.learned(*news.status.spec);
  if (!news.rooted)
    return;
  const auto* before = s.book->rooted(news.status.spec->id);
  const bool over = ended(news.status.state) && !(before && ended(before->state));
  if (const auto oldest = s.book->learned(news.status, now(self)))
    job_gone_event(self, *oldest);
  if (over)
    job_over(self, news.status);
  answer_waiters(self, news.status);
  job_event(self, news.status);
}

void job_gone(Self self, const JobId& job) {
  auto& s = self->state;
  s.working.erase(job);
  s.counts.erase(job);
  status_event(self);
}

void record_news(Self self, const RecordNews& news) {
  auto& records = self->state.records;
  if (news.record)
    records[news.subject] = news.record;
  else
    records.erase(news.subject);
  peer_event(self, news.subject);
}

// What the journal tells is older than what the jobs say themselves.
void resumed(Self self, const Roots& roots) {
  auto& s = self->state;
  for (const auto& root : roots.roots)
    if (const auto& spec = *root.status.spec;
        spec.spec.round == 0 && (ended(root.status.state) || !s.book->rooted(spec.id)))
      s.book->learned(root.status, now(self));
  remember_again(self, roots.submissions);
  s.resumed = true;
  for (auto& call : std::exchange(s.early, {}))
    called(self, *call.request, std::move(call.respond));
}

void wire(Self self, WiringPtr& wiring) {
  auto& s = self->state;
  const auto before = std::exchange(s.wiring, wiring);
  if (before->store != wiring->store) {
    s.store_asks.again();
    for (const auto& [blob, pulling] : s.pulls)
      self->send(wiring->store, PullFor{blob, pulling.holders});
  }
  if (before->pause != wiring->pause) {
    pause_event(self);
    status_event(self);
    peer_event(self, s.setup.own.subject);
  }
  if (s.follows_work != wiring->followed)
    tell(wiring->node, FollowWork{s.follows_work}); // It did not hear of it, or from another api.
  if (!before->slots.empty() && before->slots.front() != wiring->slots.front())
    slot_died(self);
}

} // namespace

caf::behavior api_actor(Self self, ApiSetup setup, WiringPtr wiring) {
  auto& s = self->state;
  s.book.emplace(JobBookConfig{.self = setup.own.subject}, setup.seed);
  s.setup = std::move(setup);
  s.log.emplace(EventLogConfig{.first_id = std::uint64_t(unix_ms(self)) * 1000});
  s.load.slots_free = s.setup.own.slots;
  s.wiring = std::move(wiring);
  self->set_down_handler([=](const caf::down_msg& down) { stream_down(self, down.source); });
  return {
      [=](HttpCall& call) {
        if (self->state.resumed || at_any_time(*call.request))
          called(self, *call.request, std::move(call.respond));
        else
          self->state.early.push_back(std::move(call));
      },
      [=](const Roots& roots) { resumed(self, roots); },
      [=](const JobsExpired& old) { expired(self, old); },
      [=](const FromPeer& letter) { from_peer(self, letter); },
      [=](const JobNews& news) { job_news(self, news); },
      [=](const JobGone& gone) { job_gone(self, gone.job); },
      [=](const WorkNews& news) { work_events(self, news); },
      [=](const CountNews& news) { count(self, news); },
      [=](const LogNews& line) { log_event(self, line); },
      [=](SnapshotAsk) {
        send_snapshot(self, caf::actor_cast<caf::actor_addr>(self->current_sender()));
      },
      [=](const PeerNews& news) { peer_news(self, news); },
      [=](const RecordNews& news) { record_news(self, news); },
      [=](const RttNews& news) { rtt_news(self, news); },
      [=](const OwnLoad& load) {
        self->state.load = load;
        peer_event(self, self->state.setup.own.subject);
      },
      [=](const ReachNews& news) {
        self->state.reach = news.reach;
        status_event(self);
        peer_event(self, self->state.setup.own.subject);
      },
      [=](const NextPiece& next) { next_piece(self, next); },
      [=](const BlobHere& here) { pulled(self, here.blob, true); },
      [=](const BlobGone& gone) { pulled(self, gone.blob, false); },
      [=](const WorkDone& done) { tried_leaf(self, done.id, done.cpu_ns, nullptr); },
      [=](const WorkFailed& failed) { tried_leaf(self, failed.id, 0, &failed.why); },
      [=](leave_atom) { self->state.leaving = true; },
      [=](WiringPtr& wiring) { wire(self, wiring); },
      [=](tick_atom) { ticked(self); },
      [=](tick_atom, std::uint64_t query) { detail_late(self, query); },
      [=](tick_atom, bool) { load_tick(self); },
      [=](wake_atom) {
        if (woken(self, self->state.log_armed))
          send_batch(self);
        if (!woken(self, self->state.armed))
          return;
        perform(self, self->state.book->wake(now(self)));
        say_cancels_again(self);
      },
  };
}

} // namespace tessera
