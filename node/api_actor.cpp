#include "node/api_shell.hpp"

namespace tessera {

namespace api {

int status_of(const std::string& code) {
  static const std::map<std::string, int> known{
      {"E400", 400}, {"E412", 409}, {"E414", 404}, {"E410", 409}, {"E112", 404}, {"E111", 507},
      {"E602", 409}, {"E510", 403}, {"E304", 404}, {"E404", 404}, {"E305", 503}, {"E511", 503},
      {"E110", 500}, {"E120", 500}, {"E306", 500}, {"E601", 409}, {"E462", 504}, {"E463", 400},
      {"E464", 409}, {"E465", 403}, {"E467", 409}, {"E468", 400}, {"E469", 503}, {"E435", 410}};
  const auto it = known.find(code);
  return it == known.end() ? 422 : it->second;
}
void refuse(const Caller& caller, const Error& why, std::optional<int> status) {
  caller.respond(problem(status.value_or(status_of(why.code)), why, caller.path));
}
// What people typed, or a worker said, need not be UTF-8.
void answer(const Caller& caller, int status, const Json& body) {
  caller.respond(json_reply(status, body.dump(-1, ' ', false, Json::error_handler_t::replace)));
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

void submit_once(Self self, const HttpRequest& request, const Caller& caller) {
  if (const auto whom = once(self, request, caller))
    submit(self, request, *whom);
}

bool asks_mesh(const HttpRequest& request) {
  const auto mesh = request.query.find("mesh");
  return mesh != request.query.end() && mesh->second == "1";
}

void called(Self self, HttpRequest& request, const Caller& caller) {
  const auto is = [&](std::string_view method, std::string_view path) {
    return request.method == method && request.path == path;
  };
  const auto under = [&](std::string_view folder) {
    return request.path.starts_with(folder) ? request.path.substr(folder.size()) : std::string{};
  };
  if (is("GET", "/healthz") || is("GET", "/readyz"))
    return caller.respond(
        {200, "text/plain", {}, std::make_shared<const Bytes>(to_bytes(view("ok")))});
  if (is("GET", "/v1/status"))
    return send_status(self, caller);
  if (is("GET", "/v1/invite"))
    return invite(self, caller);
  if (is("GET", "/v1/peers"))
    return send_peers(self, caller);
  if (is("GET", "/v1/usage"))
    return send_usage(self, caller);
  if (is("GET", "/v1/kernels"))
    return list_kernels(self, caller);
  if (is("POST", "/v1/stop"))
    return stop(self, caller);
  if (is("POST", "/v1/pause"))
    return pause(self, request, caller);
  if (is("POST", "/v1/resume"))
    return set_pause(self, {true, {}}, caller);
  if (is("POST", "/v1/jobs"))
    return submit_once(self, request, caller);
  if (is("GET", "/v1/jobs"))
    return list_jobs(self, asks_mesh(request), caller);
  if (const auto rest = under("/v1/jobs/"); !rest.empty())
    return one_job(self, rest, request, caller);
  if (const auto hash = under("/v1/blobs/"); !hash.empty() && request.method == "PUT")
    return put_blob(self, hash, request, caller);
  else if (!hash.empty() && request.method == "GET")
    return get_blob(self, hash, caller);
  refuse(caller, {"E404", "there is no such call", request.method + " " + request.path,
                  "see node/http/API.md"});
}

void peer_news(Self self, const PeerNews& news) {
  auto& s = self->state;
  if (news.kind == PeerNews::Kind::up) {
    s.up.insert(news.peer);
    s.book->peer_up(news.peer);
    return;
  }
  s.up.erase(news.peer);
  s.rtts.erase(news.peer);
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
  if (!ended(news.status.state) || s.working.contains(news.status.spec->id))
    s.working[news.status.spec->id] = news.status;
  s.modules.learned(*news.status.spec);
  if (!news.rooted)
    return;
  s.book->learned(news.status, now(self));
  answer_waiters(self, news.status);
}

// What the journal tells is older than what the jobs say themselves.
void resumed(Self self, const Roots& roots) {
  auto& s = self->state;
  for (const auto& root : roots.roots)
    if (const auto& spec = *root.status.spec;
        spec.spec.round == 0 && (ended(root.status.state) || !s.book->rooted(spec.id)))
      s.book->learned(root.status, now(self));
  s.resumed = true;
  for (auto& call : std::exchange(s.early, {}))
    called(self, *call.request, {call.respond, call.request->path});
}

void wire(Self self, WiringPtr& wiring) {
  auto& s = self->state;
  const auto before = std::exchange(s.wiring, wiring);
  if (before->store != wiring->store) {
    s.store_asks.again();
    for (const auto& [blob, pulling] : s.pulls)
      self->send(wiring->store, PullFor{blob, pulling.holders});
  }
  if (!before->slots.empty() && before->slots.front() != wiring->slots.front())
    slot_died(self);
}

} // namespace

caf::behavior api_actor(Self self, ApiSetup setup, WiringPtr wiring) {
  auto& s = self->state;
  s.book.emplace(JobBookConfig{.self = setup.own.subject}, setup.seed);
  s.setup = std::move(setup);
  s.load.slots_free = s.setup.own.slots;
  s.wiring = std::move(wiring);
  return {
      [=](HttpCall& call) {
        if (self->state.resumed)
          called(self, *call.request, {call.respond, call.request->path});
        else
          self->state.early.push_back(std::move(call));
      },
      [=](const Roots& roots) { resumed(self, roots); },
      [=](const JobsExpired& old) { expired(self, old); },
      [=](const FromPeer& letter) { from_peer(self, letter); },
      [=](const JobNews& news) { job_news(self, news); },
      [=](const JobGone& gone) { self->state.working.erase(gone.job); },
      [=](const PeerNews& news) { peer_news(self, news); },
      [=](const RecordNews& news) {
        if (news.record)
          self->state.records[news.subject] = news.record;
        else
          self->state.records.erase(news.subject);
      },
      [=](const RttNews& news) { self->state.rtts[news.peer] = news.rtt; },
      [=](const ReachNews& news) { self->state.reach = news.reach; },
      [=](const OwnLoad& load) { self->state.load = load; },
      [=](const NextPiece& next) { next_piece(self, next); },
      [=](const BlobHere& here) { pulled(self, here.blob, true); },
      [=](const BlobGone& gone) { pulled(self, gone.blob, false); },
      [=](const WorkDone& done) { tried_leaf(self, done.id, done.cpu_ns, nullptr); },
      [=](const WorkFailed& failed) { tried_leaf(self, failed.id, 0, &failed.why); },
      [=](WiringPtr& wiring) { wire(self, wiring); },
      [=](tick_atom) { ticked(self); },
      [=](tick_atom, std::uint64_t query) { detail_late(self, query); },
      [=](wake_atom) {
        if (!woken(self, self->state.armed))
          return;
        perform(self, self->state.book->wake(now(self)));
        say_cancels_again(self);
      },
  };
}

} // namespace tessera
