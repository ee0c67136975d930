#include "node/api_shell.hpp"

#include <cmath>

namespace tessera::api {

namespace {

constexpr auto poll_every = std::chrono::milliseconds(250); // A root elsewhere.
constexpr std::size_t polls_max = 8; // At once: a root answers 50 a second (JobBookConfig).

void ask(Self self, const std::string& prefix, std::optional<NodeId> root, ApiShell::Found found) {
  auto& s = self->state;
  const auto ticket = s.next_ticket++;
  s.tickets[ticket] = std::move(found);
  perform(self, s.book->ask(ticket, prefix, root, now(self)));
}

std::string list_of(const std::vector<JobStatus>& jobs) {
  std::string text;
  for (std::size_t i = 0; i < jobs.size() && i < 3; ++i)
    text += (i ? ", " : "") + to_hex(jobs[i].spec->id).substr(0, 12);
  return text + (jobs.size() > 3 ? " ..." : "");
}

} // namespace

void perform(Self self, JobBookEffects effects) {
  auto& s = self->state;
  for (auto& effect : effects) {
    if (auto* send = std::get_if<SendTo>(&effect)) {
      tell(s.wiring->mesh,
           ToPeer{send->to, std::make_shared<const Message>(std::move(send->message))});
      continue;
    }
    auto& found = std::get<JobsFound>(effect);
    auto ticket = s.tickets.extract(found.ticket);
    if (!ticket.empty())
      ticket.mapped()(std::move(found.jobs));
  }
  arm_all(self);
}

void arm_all(Self self) {
  auto& s = self->state;
  auto next = s.book->next_wake();
  if (const auto word = s.cancels.next_wake())
    next = next ? std::min(*next, *word) : *word;
  arm(self, s.armed, next);
}

void ask_about(Self self, const JobId& job, const NodeId& root, ApiShell::Found found) {
  ask(self, to_hex(job), root, std::move(found));
}

void find_job(Self self, const std::string& prefix, const Caller& caller,
              const std::function<void(const JobStatus&)>& then) {
  if (prefix.empty() || prefix.size() > 64 ||
      prefix.find_first_not_of("0123456789abcdef") != prefix.npos)
    return refuse(caller, {"E400", "\"" + prefix + "\" is no job's id",
                           "ids have digits 0-9 and a-f, from 1 to 64 of them",
                           "see them all: tessera jobs --mesh"});
  ask(self, prefix, {}, [=](std::vector<JobStatus> jobs) {
    if (jobs.empty() && refuse_expired(self, prefix, caller))
      return;
    if (jobs.empty())
      refuse(caller, {"E414", "there is no job " + prefix, "no node of this mesh roots one",
                      "see them all: tessera jobs --mesh"});
    else if (jobs.size() > 1)
      refuse(caller, {"E410", "job " + prefix + " matches " + std::to_string(jobs.size()) + " jobs",
                      list_of(jobs) + " are known here", "give more of its digits"});
    else
      then(jobs.front());
  });
}

void poll(Self self) {
  auto& s = self->state;
  if (!std::exchange(s.polling, true))
    self->delayed_send(self, poll_every, tick_atom_v);
}

namespace {

void wait_for(Self self, const JobStatus& status, Duration patience, const Caller& caller) {
  auto& s = self->state;
  if (ended(status.state) || patience <= Duration::zero() || s.waiters.size() >= waiters_max) {
    answer_job(self, caller, status);
    return;
  }
  s.waiters.push_back({status, now(self) + patience, caller});
  poll(self);
}

} // namespace

void answer_waiters(Self self, const JobStatus& status) {
  auto& waiters = self->state.waiters;
  for (auto& waiter : waiters)
    if (waiter.last.spec->id == status.spec->id)
      waiter.last = status;
  if (!ended(status.state))
    return;
  const auto over = std::stable_partition(waiters.begin(), waiters.end(), [&](const auto& waiter) {
    return waiter.last.spec->id != status.spec->id;
  });
  std::vector<ApiShell::Waiter> done{std::make_move_iterator(over),
                                     std::make_move_iterator(waiters.end())};
  waiters.erase(over, waiters.end());
  for (const auto& waiter : done)
    answer_job(self, waiter.caller, waiter.last);
}

void ticked(Self self) {
  auto& s = self->state;
  s.polling = false;
  const auto over = std::stable_partition(s.waiters.begin(), s.waiters.end(),
                                          [&](const auto& w) { return w.until > now(self); });
  for (auto w = over; w != s.waiters.end(); ++w)
    answer_job(self, w->caller, s.book->as_of(w->last, now(self)));
  s.waiters.erase(over, s.waiters.end());
  std::map<JobId, NodeId> elsewhere;
  for (const auto& w : s.waiters)
    if (!s.book->rooted(w.last.spec->id))
      elsewhere[w.last.spec->id] = w.last.root;
  for (const auto& [id, status] : s.followed)
    if (!s.book->rooted(status.spec->id) && !ended(status.state))
      elsewhere[status.spec->id] = status.root;
  auto next = elsewhere.upper_bound(s.polled);
  for (auto n = std::min(polls_max, elsewhere.size()); n; --n, ++next) {
    if (next == elsewhere.end())
      next = elsewhere.begin();
    s.polled = next->first;
    ask(self, to_hex(next->first), next->second, [=](std::vector<JobStatus> jobs) {
      for (const auto& status : jobs) {
        answer_waiters(self, status);
        job_event(self, status);
      }
    });
  }
  if (!s.waiters.empty() || !elsewhere.empty())
    poll(self);
}

void list_jobs(Self self, bool mesh_wide, const Caller& caller) {
  const auto tell_all = [=](const std::vector<JobStatus>& jobs) {
    Json list = Json::array();
    for (const auto& status : jobs)
      list.push_back(shown(self, status));
    answer(caller, 200, {{"schema", 1}, {"jobs", std::move(list)}});
  };
  if (mesh_wide)
    ask(self, "", {}, tell_all);
  else
    tell_all(self->state.book->rooted(now(self)));
}

namespace {

Duration patience_of(const HttpRequest& request) {
  const auto given = request.query.find("wait");
  if (given == request.query.end())
    return Duration::zero();
  const auto seconds = std::strtod(given->second.c_str(), nullptr);
  const auto most = double(wait_max.count());
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(std::clamp(std::isfinite(seconds) ? seconds : 0, 0.0, most)));
}

} // namespace

void one_job(Self self, std::string rest, const HttpRequest& request, const Caller& caller) {
  const auto slash = rest.find('/');
  const auto what = slash == rest.npos ? "" : rest.substr(slash);
  rest.resize(std::min(slash, rest.size()));
  const bool get = request.method == "GET";
  if (what.empty() && get)
    return find_job(self, rest, caller, [=, patience = patience_of(request)](const auto& status) {
      wait_for(self, status, patience, caller);
    });
  if (what == "/result" && get)
    return find_job(self, rest, caller,
                    [=](const auto& status) { send_result(self, status, request, caller); });
  if (what == "/preview" && get)
    return find_job(self, rest, caller,
                    [=](const auto& status) { preview(self, status, request, caller); });
  if (what == "/cancel" && request.method == "POST")
    return find_job(self, rest, caller, [=, body = request.body](const auto& status) {
      cancel(self, status, body, caller);
    });
  if (what == "/why" && get)
    return find_job(self, rest, caller, [=](const auto& status) {
      detail(self, status, DetailAsk::What::why, 0, caller);
    });
  if (what == "/log" && get)
    return find_job(self, rest, caller, [=, since = since_of(request)](const auto& status) {
      detail(self, status, DetailAsk::What::log, since, caller);
    });
  if (what.empty() && request.method == "DELETE")
    return find_job(self, rest, caller, [=](const auto& status) { forget(self, status, caller); });
  refuse(caller, {"E404", "there is no such call", request.method + " " + request.path,
                  "see node/http/API.md"});
}

} // namespace tessera::api
