#include "node/api_shell.hpp"
#include "node/stream_actor.hpp"

#include <caf/actor_cast.hpp>

namespace tessera::api {

namespace {

constexpr std::size_t jobs_in_snapshot_max = 512; // The newest.
constexpr Duration job_gap = std::chrono::milliseconds(200);
constexpr Duration peer_gap = std::chrono::seconds(1);
constexpr Duration load_every = std::chrono::seconds(1);
constexpr Duration snapshot_age_max = std::chrono::milliseconds(250);

constexpr std::uint64_t JobCounters::*counters[] = {
    &JobCounters::leaves_run,   &JobCounters::leaves_rerun,     &JobCounters::steals,
    &JobCounters::leases_given, &JobCounters::leases_reclaimed, &JobCounters::leases_returned,
    &JobCounters::leases_void,  &JobCounters::hand_backs,       &JobCounters::merges,
    &JobCounters::duplicates,   &JobCounters::overlaps,         &JobCounters::copies_asked,
    &JobCounters::outputs_lost, &JobCounters::conflicts};

// After each change of the log.
void wrote(Self self) {
  arm(self, self->state.log_armed, self->state.log->next_wake());
}

void add(Self self, Topic topic, std::string_view kind, const Json& data,
         const std::string& job = "") {
  auto& s = self->state;
  s.log->add(topic, kind, line_of(data), job, now(self));
  wrote(self);
}

void changed(Self self, Topic topic, const std::string& kind, const std::string& name, Duration gap,
             EventLog::Data data, const std::string& job = "") {
  self->state.log->changed(kind + " " + name, topic, kind, gap, std::move(data), job, now(self));
  wrote(self);
}

bool followed(Self self) {
  return self->state.log->followed(now(self));
}

template<class Passes>
bool any_follower(Self self, Passes passes) {
  const auto& all = self->state.followers;
  return std::any_of(all.begin(), all.end(), [&](const auto& f) { return passes(f.second.what); });
}

// --- Snapshots

Json jobs_json(Self self, const std::string& only) {
  const auto& s = self->state;
  Json list = Json::array();
  if (const auto known = s.followed.find(only); known != s.followed.end()) {
    list.push_back(shown(self, s.book->as_of(known->second, now(self))));
    return list;
  }
  for (const auto& status : s.book->rooted(now(self)))
    if (list.size() < jobs_in_snapshot_max)
      list.push_back(shown(self, status));
  return list;
}

std::string snapshot_json(Self self, const EventStreamConfig& what) {
  Json json{{"schema", 1}, {"at_ms", unix_ms(self)}, {"status", status_json(self)}};
  if (what.topics.has(Topic::peers))
    json["peers"] = peers_json(self).at("peers");
  if (what.topics.has(Topic::jobs))
    json["jobs"] = jobs_json(self, what.job);
  return line_of(json);
}

bool still_good(Self self, const ApiShell::Shown& shown, const EventStreamConfig& what) {
  return shown.what.topics == what.topics && shown.what.job == what.job &&
         shown.id == self->state.log->last_id() && now(self) - shown.made < snapshot_age_max;
}

// --- Followers

// Jobs tell of each block only while somebody listens.
void follow_work(Self self) {
  auto& s = self->state;
  const bool wanted = any_follower(self, [](const auto& w) { return w.topics.has(Topic::work); });
  if (std::exchange(s.follows_work, wanted) != wanted)
    tell(s.wiring->node, FollowWork{wanted});
}

void follow_load(Self self) {
  auto& s = self->state;
  const bool wanted = any_follower(self, [](const auto& w) { return w.topics.has(Topic::node); });
  if (wanted && !std::exchange(s.load_ticks, true)) {
    s.microtasks_told = s.counted.leaves_run;
    self->delayed_send(self, load_every, tick_atom_v, true);
  }
}

std::optional<std::uint64_t> last_event_id(const HttpRequest& request) {
  const auto given = request.headers.find("last-event-id");
  if (given == request.headers.end())
    return std::nullopt;
  char* end = nullptr;
  const auto id = std::strtoull(given->second.c_str(), &end, 10);
  return end && *end == '\0' ? id : 0; // No such event: it is told so.
}

void begin(Self self, const caf::actor& stream, std::uint64_t after) {
  auto since = self->state.log->since(after);
  self->send(stream, StreamBegin{after, since ? std::make_shared<const Events>(std::move(*since))
                                              : nullptr});
}

HttpReply reply_of(const caf::actor& stream) {
  HttpReply reply;
  reply.content_type = "text/event-stream";
  reply.stream = body_of(stream);
  return reply;
}

bool open(Self self, EventStreamConfig what, std::optional<std::uint64_t> after,
          const Caller& caller) {
  auto& s = self->state;
  if (s.followers.size() >= streams_max) {
    refuse(caller,
           {"E481", "there are too many event streams",
            std::to_string(streams_max) + " are open, and no more may be",
            "close one, or share one among its readers"},
           503);
    return false;
  }
  s.log->opened(now(self));
  const auto stream = self->spawn(stream_actor, what, caf::actor_cast<caf::actor>(self));
  self->monitor(stream);
  s.followers[stream.address()] = {stream, std::move(what)};
  follow_work(self);
  follow_load(self);
  if (after)
    begin(self, stream, *after);
  caller.respond(reply_of(stream));
  return true;
}

} // namespace

void events(Self self, const HttpRequest& request, const Caller& caller) {
  const auto given = request.query.find("topics");
  const auto topics = given == request.query.end()
                          ? std::optional{Topics{Topic::jobs, Topic::peers, Topic::node}}
                          : topics_of(given->second);
  if (!topics)
    return refuse(caller,
                  {"E480", "\"" + given->second + "\" are no topics",
                   "there are jobs, peers, node and work", "GET /v1/events?topics=jobs,peers"},
                  400);
  EventStreamConfig what;
  what.topics = *topics;
  const auto after = last_event_id(request);
  const auto job = request.query.find("job");
  if (job == request.query.end()) {
    open(self, what, after, caller);
    return;
  }
  find_job(self, job->second, caller, [=](const JobStatus& status) mutable {
    what.job = to_hex(status.spec->id);
    if (!open(self, what, after, caller))
      return;
    self->state.followed.insert_or_assign(what.job, status);
    poll(self);
  });
}

void send_snapshot(Self self, const caf::actor_addr& stream) {
  auto& s = self->state;
  const auto follower = s.followers.find(stream);
  if (follower == s.followers.end())
    return;
  const auto& what = follower->second.what;
  if (!s.snapshot || !still_good(self, *s.snapshot, what)) {
    const auto id = s.log->last_id();
    s.snapshot = {what, now(self), id,
                  std::make_shared<const std::string>(
                      event_frame(id, "snapshot", snapshot_json(self, what)))};
  }
  self->send(follower->second.stream, Snapshot{s.snapshot->id, s.snapshot->frame});
}

void stream_down(Self self, const caf::actor_addr& stream) {
  auto& s = self->state;
  const auto over = s.followers.extract(stream);
  if (over.empty())
    return;
  const auto& job = over.mapped().what.job;
  if (!any_follower(self, [&](const auto& what) { return what.job == job; }))
    s.followed.erase(job);
  s.log->closed(now(self));
  follow_work(self);
  wrote(self);
}

void send_batch(Self self) {
  auto& s = self->state;
  const auto batch = std::make_shared<const Events>(s.log->wake(now(self)));
  if (!batch->empty())
    for (const auto& [address, follower] : s.followers)
      self->send(follower.stream, EventBatch{batch});
  wrote(self);
}

// --- What happens

void job_event(Self self, const JobStatus& status) {
  auto& s = self->state;
  const auto id = to_hex(status.spec->id);
  if (const auto known = s.followed.find(id); known != s.followed.end()) {
    const auto before = std::exchange(known->second, status);
    if (!s.book->rooted(status.spec->id) && before.state == status.state &&
        before.leaves_done == status.leaves_done && before.round == status.round)
      return; // Asked for, and the same.
  }
  if (followed(self))
    changed(
        self, Topic::jobs, "job", id, ended(status.state) ? Duration::zero() : job_gap,
        [=] {
          const auto at = self->state.book->as_of(status, now(self));
          return line_of(shown(self, at));
        },
        id);
}

void job_gone_event(Self self, const JobId& job) {
  const auto id = to_hex(job);
  self->state.log->forget("job " + id);
  add(self, Topic::jobs, "job_gone", {{"job", id}}, id);
}

void peer_event(Self self, const NodeId& peer) {
  if (!followed(self))
    return;
  const auto id = to_text(peer);
  if (one_peer_json(self, peer))
    return changed(self, Topic::peers, "peer", id, peer_gap, [=] {
      const auto json = one_peer_json(self, peer);
      return line_of(json ? *json : Json{{"id", id}});
    });
  self->state.log->forget("peer " + id);
  add(self, Topic::peers, "peer_gone", {{"id", id}});
}

void status_event(Self self) {
  if (followed(self))
    changed(self, Topic::node, "status", "", peer_gap, [=] { return line_of(status_json(self)); });
}

void pause_event(Self self) {
  if (followed(self))
    add(self, Topic::node, "pause", {{"pause", pause_json(self->state.wiring->pause)}});
}

void log_event(Self self, const LogNews& line) {
  if (followed(self))
    add(self, Topic::node, "log",
        {{"at_ms", unix_ms(self)}, {"level", line.level}, {"text", line.text}});
}

void work_events(Self self, const WorkNews& news) {
  if (!followed(self))
    return;
  const auto id = to_hex(news.job);
  const auto at = unix_ms(self);
  for (const auto& steal : news.steals)
    add(self, Topic::work, "steal",
        {{"at_ms", at},
         {"job", id},
         {"from", to_text(steal.from)},
         {"to", to_text(steal.to)},
         {"leaves", steal.leaves}},
        id);
  for (const auto& part : news.parts)
    add(self, Topic::work, "part",
        {{"at_ms", at},
         {"job", id},
         {"first", part.first},
         {"leaves", part.leaves},
         {"node", part.node ? Json(to_text(*part.node)) : Json(nullptr)},
         {"merged", part.merged}},
        id);
}

void load_tick(Self self) {
  auto& s = self->state;
  s.load_ticks = false;
  if (!any_follower(self, [](const auto& what) { return what.topics.has(Topic::node); }))
    return;
  const auto total = s.counted.leaves_run;
  const auto slots = s.setup.own.slots;
  add(self, Topic::node, "load",
      {{"at_ms", unix_ms(self)},
       {"running", slots - std::min(slots, s.load.slots_free)},
       {"slots", slots},
       {"microtasks", total},
       {"rate", total - s.microtasks_told},
       {"sent_bytes", s.traffic.sent},
       {"received_bytes", s.traffic.received}});
  follow_load(self);
}

// --- What is counted

void count(Self self, const CountNews& news) {
  auto& s = self->state;
  auto& before = s.counts[news.job];
  for (const auto each : counters)
    s.counted.*each += news.counters.*each - std::min(before.*each, news.counters.*each);
  before = news.counters;
}

void rtt_news(Self self, const RttNews& news) {
  auto& s = self->state;
  s.rtts[news.peer] = news.rtt;
  auto& line = s.lines[news.peer];
  if (news.sent < line.sent || news.received < line.received)
    line = {}; // Another session.
  s.traffic.sent += news.sent - line.sent;
  s.traffic.received += news.received - line.received;
  line = {news.sent, news.received};
  auto& told = s.rtts_told[news.peer];
  const auto differs = told > news.rtt ? told - news.rtt : news.rtt - told;
  if (differs * 4 <= told)
    return; // People would not see it.
  told = news.rtt;
  peer_event(self, news.peer);
}

} // namespace tessera::api
