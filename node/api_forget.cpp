#include "node/api_shell.hpp"

// Ended jobs go, with their result: by hand here, by their age elsewhere, the same way.
namespace tessera::api {

void forget_job(Self self, const JobId& job, const std::function<void(const Kept&)>& then) {
  self->state.store_asks.ask<Kept>(self, ForgetJob{job}, [=](const Kept& kept) {
    if (kept.ok) {
      self->state.book->forget(job);
      job_gone_event(self, job);
    }
    then(kept);
  });
}

void forget(Self self, const JobStatus& status, const Caller& caller) {
  const auto& id = status.spec->id;
  const auto name = to_hex(id).substr(0, 12);
  if (status.root != self->state.setup.own.subject)
    return refuse(caller, {"E465", "job " + name + " is rooted elsewhere",
                           "only its root can forget it", "ask at node " + to_text(status.root)});
  if (!ended(status.state))
    return refuse(caller,
                  {"E464", "job " + name + " still runs", "only jobs that have ended are forgotten",
                   "cancel it first: tessera cancel " + name});
  forget_job(self, id, [=](const Kept& kept) {
    if (!kept.ok)
      return refuse(caller, kept.why);
    answer_job(self, caller, status);
  });
}

} // namespace tessera::api
