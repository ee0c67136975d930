#include "node/api_shell.hpp"
#include "node/http/conditions.hpp"

namespace tessera::api {

namespace {

constexpr auto answer_time_max = std::chrono::seconds(5); // Of an actor that is well.

HttpReply text_reply(int status, std::string_view text, std::string type = "text/plain") {
  HttpReply reply;
  reply.status = status;
  reply.content_type = std::move(type);
  reply.body = std::make_shared<const Bytes>(to_bytes(view(text)));
  return reply;
}

void take_counters(MetricValues& values, const JobCounters& c) {
  values.microtasks = c.leaves_run;
  values.microtasks_again = c.leaves_rerun;
  values.merges = c.merges;
  values.steals_in = c.steals;
  values.steals_out = c.leases_given;
  values.leases_returned = c.leases_returned;
  values.leases_reclaimed = c.leases_reclaimed;
  values.leases_void = c.leases_void;
  values.results_duplicate = c.duplicates;
  values.results_overlap = c.overlaps;
  values.results_conflict = c.conflicts;
  values.outputs_lost = c.outputs_lost;
  values.outputs_copied = c.copies_asked;
}

MetricValues values_of(Self self, const BlobCount& blobs) {
  const auto& s = self->state;
  MetricValues values;
  values.version = s.setup.own.version;
  take_counters(values, s.counted);
  values.sent_bytes = s.traffic.sent;
  values.received_bytes = s.traffic.received;
  values.events = s.log->last_id() + 1 - s.log->first_id();
  values.requests = s.requests;
  for (const auto state :
       {JobState::queued, JobState::running, JobState::done, JobState::failed, JobState::cancelled})
    values.jobs[std::string{to_text(state)}] = 0;
  for (const auto& status : s.book->rooted(now(self)))
    ++values.jobs[std::string{to_text(status.state)}];
  values.peers = 1 + s.records.size();
  values.sessions = s.up.size();
  values.slots_free = std::min(s.setup.own.slots, s.load.slots_free);
  values.slots_running = s.setup.own.slots - values.slots_free;
  values.paused = s.wiring->pause.has_value();
  values.streams = s.followers.size();
  values.blobs = blobs.blobs;
  values.blob_bytes = blobs.bytes;
  values.blob_quota_bytes = blobs.quota;
  return values;
}

Json limits_json(Self self, const BlobCount& blobs) {
  const auto& setup = self->state.setup;
  return {
      {"schema", 1},
      {"node",
       {{"slots", setup.own.slots},
        {"cores", setup.own.cores},
        {"memory_bytes", setup.memory_bytes},
        {"modules", setup.modules},
        {"blobs", blobs.blobs},
        {"blob_bytes", blobs.bytes},
        {"blob_quota_bytes", blobs.quota}}},
      {"api",
       {{"body_bytes_max", setup.body_bytes_max},
        {"connections_max", setup.connections_max},
        {"job_body_bytes_max", job_body_bytes_max},
        {"unfinished_jobs_max", unended_max},
        {"ended_jobs_max", JobBookConfig{}.ended_max},
        {"waiters_max", waiters_max},
        {"wait_seconds_max", wait_max.count()},
        {"pause_seconds_max", pause_max.count()},
        {"streams_max", streams_max},
        {"stream_queue_bytes_max", EventStreamConfig{}.queue_bytes_max},
        {"events_max", EventLogConfig{}.events_max},
        {"event_log_bytes_max", EventLogConfig{}.bytes_max},
        {"heartbeat_seconds",
         std::chrono::duration_cast<std::chrono::seconds>(EventStreamConfig{}.beat_every).count()},
        {"previews_max", sketches_max},
        {"preview_width_min", preview_width_min},
        {"preview_width_max", preview_width_max},
        {"picture_pixels_max", picture_pixels_max},
        {"modules_listed_max", ModuleBook::modules_max}}}};
}

Error not_ready(std::string why) {
  return {"E482", "this node is not ready", std::move(why), "ask again in a moment"};
}

} // namespace

void send_metrics(Self self, const Caller& caller) {
  self->state.store_asks.ask<BlobCount>(self, BlobCountAsk{}, [=](const BlobCount& blobs) {
    caller.respond(text_reply(200, self->state.metrics.text(values_of(self, blobs)),
                              "text/plain; version=0.0.4; charset=utf-8"));
  });
}

void send_limits(Self self, const Caller& caller) {
  self->state.store_asks.ask<BlobCount>(self, BlobCountAsk{}, [=](const BlobCount& blobs) {
    answer(caller, 200, limits_json(self, blobs));
  });
}

// Alive is who answers: this actor does, and the one that would restart the others.
void send_health(Self self, const Caller& caller) {
  self->request(self->state.wiring->node, answer_time_max, ChildrenAsk{})
      .then([=](const Children&) { caller.respond(text_reply(200, "ok")); },
            [=](const caf::error&) {
              refuse(caller,
                     {"E483", "this node does not answer", "its own actor is silent or gone",
                      "restart it: tessera start; and please report it"},
                     503);
            });
}

void send_readiness(Self self, const Caller& caller) {
  const auto& s = self->state;
  if (s.leaving)
    return refuse(caller, not_ready("it was told to stop"), 503);
  if (!s.resumed)
    return refuse(caller, not_ready("its journal is still being read"), 503);
  if (s.wiring->slots.empty() || !s.wiring->mesh || !s.wiring->scheduler)
    return refuse(caller, not_ready("not all of its actors have started"), 503);
  caller.respond(text_reply(200, "ok"));
}

void job_over(Self self, const JobStatus& status) {
  self->state.metrics.job_ended(std::string{to_text(status.state)},
                                double(status.elapsed_ms) / 1000);
}

} // namespace tessera::api
