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
Json shown(Self self, const JobStatus& status);

// --- api_jobs.cpp: questions about jobs

void perform(Self self, JobBookEffects effects);
// One job by a prefix of its id, or a refusal.
void find_job(Self self, const std::string& prefix, const Caller& caller,
              const std::function<void(const JobStatus&)>& then);
// Answers whoever waits for this job, if it is over.
void answer_waiters(Self self, const JobStatus& status);
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
// Whom to answer; nothing: it was answered, as the same submission came before.
std::optional<Caller> once(Self self, const HttpRequest& request, const Caller& caller);

// --- api_results.cpp: blobs, and results that may lie in pieces

void put_blob(Self self, const std::string& hash, HttpRequest& request, const Caller& caller);
void get_blob(Self self, const std::string& hash, const Caller& caller);
void send_result(Self self, const JobStatus& status, const Caller& caller);
void pulled(Self self, const BlobId& blob, bool here);
void next_piece(Self self, const NextPiece& next);

// --- api_submit.cpp

void submit(Self self, const HttpRequest& http, const Caller& caller);
void tried_leaf(Self self, WorkId id, std::uint64_t cpu_ns, const Error* why);
void slot_died(Self self);

// --- api_usage.cpp: who used this machine

void send_usage(Self self, const Caller& caller);

// --- api_node.cpp: the node and its peers

Record own_record(Self self);
void send_status(Self self, const Caller& caller);
void send_peers(Self self, const Caller& caller);
void list_kernels(Self self, const Caller& caller);
void invite(Self self, const Caller& caller);
void set_pause(Self self, const PauseFor& what, const Caller& caller);
void pause(Self self, const HttpRequest& request, const Caller& caller);
void stop(Self self, const Caller& caller);

} // namespace tessera::api
