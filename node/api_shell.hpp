#pragma once

#include "node/api_actor.hpp"

// What the parts of the api's shell share: each part is the calls on one noun. api_actor.cpp routes
// to them.
namespace tessera::api {

using Self = caf::stateful_actor<ApiShell>*;

// --- Answers

// The status that node/http/API.md gives this code, unless said.
void refuse(const Caller& caller, const Error& why, std::optional<int> status = {});
void answer(const Caller& caller, int status, const Json& body);
void answer_job(Self self, const Caller& caller, const JobStatus& status, int code = 200);
std::string name_of(Self self, const NodeId& id);
std::string line_of(const Json& json); // What people typed, or a worker said, need not be UTF-8.
std::int64_t unix_ms(Self self);
Json shown(Self self, const JobStatus& status);

// --- api_jobs.cpp: questions about jobs

void perform(Self self, JobBookEffects effects);
// One job by a prefix of its id, or a refusal.
void find_job(Self self, const std::string& prefix, const Caller& caller,
              const std::function<void(const JobStatus&)>& then);
// Answers whoever waits for this job, if it is over.
void answer_waiters(Self self, const JobStatus& status);
void poll(Self self); // Soon, of jobs rooted elsewhere that somebody waits for.
void ticked(Self self);
// What this peer says of this job.
void ask_about(Self self, const JobId& job, const NodeId& root, ApiShell::Found found);
void arm_all(Self self);
// Its result is gone, and it with it: said of an id that names it, in a refusal. False: of none.
bool refuse_expired(Self self, const std::string& prefix, const Caller& caller);
void expired(Self self, const JobsExpired& old);
void list_jobs(Self self, bool mesh_wide, const Caller& caller);
void one_job(Self self, std::string rest, const HttpRequest& request, const Caller& caller);

// --- api_details.cpp: why a job waits, and its log

void detail(Self self, const JobStatus& status, DetailAsk::What what, std::uint64_t since,
            const Caller& caller);
void detail_late(Self self, std::uint64_t query);
void asked_detail(Self self, const NodeId& from, const DetailAsk& ask);
void told_detail(Self self, const NodeId& from, const Detail& detail);
std::uint64_t since_of(const HttpRequest& request);

// --- api_cancel.cpp, api_forget.cpp, api_once.cpp

void cancel(Self self, const JobStatus& status, const Bytes& body, const Caller& caller);
void say_cancels_again(Self self);
void forget(Self self, const JobStatus& status, const Caller& caller);
// An ended job goes; also for those who let jobs go by their age.
void forget_job(Self self, const JobId& job, const std::function<void(const Kept&)>& then);
void remember_again(Self self, const std::vector<Submission>& submissions); // The journal's.
// Whom to answer; nothing: it was answered, as the same submission came before.
std::optional<Caller> once(Self self, const HttpRequest& request, const Caller& caller);

// --- api_results.cpp: blobs, and results that may lie in pieces

void put_blob(Self self, const std::string& hash, HttpRequest& request, const Caller& caller);
// Those may be asked for in part (Range), or unless one has it (If-None-Match).
void get_blob(Self self, const std::string& hash, const HttpRequest& request, const Caller& caller);
void send_result(Self self, const JobStatus& status, const HttpRequest& request,
                 const Caller& caller);
// Until it is here, or with none of them.
void pull(Self self, const BlobId& blob, const std::vector<NodeId>& holders, ApiShell::Pulled then);
void pulled(Self self, const BlobId& blob, bool here);
// Who has pieces of its output: who ran most of it is asked first.
std::vector<NodeId> holders_of(const JobStatus& status);
void next_piece(Self self, const NextPiece& next);

// --- api_metrics.cpp: metrics, health and limits

void send_metrics(Self self, const Caller& caller);
void send_limits(Self self, const Caller& caller);
void send_health(Self self, const Caller& caller);
void send_readiness(Self self, const Caller& caller);
void job_over(Self self, const JobStatus& status); // Once for each that ended here.

// --- api_preview.cpp: pictures that are not finished yet

void preview(Self self, const JobStatus& status, const HttpRequest& request, const Caller& caller);

// --- api_submit.cpp

void submit(Self self, const HttpRequest& http, const Caller& caller);
void tried_leaf(Self self, WorkId id, std::uint64_t cpu_ns, const Error* why);
void slot_died(Self self);

// --- api_usage.cpp: who used this machine

void send_usage(Self self, const Caller& caller);

// --- api_events.cpp: event streams

void events(Self self, const HttpRequest& request, const Caller& caller);
void send_snapshot(Self self, const caf::actor_addr& stream);
void stream_down(Self self, const caf::actor_addr& stream);
void send_batch(Self self);
void load_tick(Self self);
// What streams are told of, each at a bounded rate.
void job_event(Self self, const JobStatus& status);
void job_gone_event(Self self, const JobId& job);
void peer_event(Self self, const NodeId& peer); // Also that it is gone.
void status_event(Self self);
void pause_event(Self self);
void log_event(Self self, const LogNews& line);
void work_events(Self self, const WorkNews& news);
void count(Self self, const CountNews& news);
void rtt_news(Self self, const RttNews& news);

// --- api_node.cpp: the node and its peers

Record own_record(Self self);
Json status_json(Self self);
Json peers_json(Self self);
std::optional<Json> one_peer_json(Self self, const NodeId& peer); // Nothing: not known.
void send_status(Self self, const Caller& caller);
void send_peers(Self self, const Caller& caller);
void list_kernels(Self self, const Caller& caller);
void invite(Self self, const Caller& caller);
void set_pause(Self self, const PauseFor& what, const Caller& caller);
void pause(Self self, const HttpRequest& request, const Caller& caller);
void stop(Self self, const Caller& caller);

// --- The bounds that a caller meets (GET /v1/limits)

inline constexpr auto wait_max = std::chrono::seconds(60);
inline constexpr std::size_t waiters_max = 1024;
inline constexpr std::size_t unended_max = 1024; // Jobs rooted here at once.
inline constexpr std::size_t streams_max = 256;
inline constexpr std::size_t sketches_max =
    4; // Of at most 64 MiB each, where the width is the most.

} // namespace tessera::api
