#include "node/api_shell.hpp"

// Who used this machine, and how much: as the store keeps book. And what it has forgotten.
namespace tessera::api {

namespace {

constexpr std::size_t jobs_told_max = 64;

Json usage_json(const Usage& usage) {
  return {{"microtasks", usage.microtasks},
          {"cpu_ms", usage.cpu_ns / 1'000'000},
          {"bytes", usage.bytes}};
}

// The zero id stands for all that there were too many of.
Json submitter_json(Self self, const NodeId& id) {
  const bool others = id == NodeId{};
  return {{"submitter", others ? Json(nullptr) : Json(to_text(id))},
          {"name", others ? "others" : name_of(self, id)}};
}

Json usage_json(Self self, const UsageBook::Told& told) {
  Json submitters = Json::array(), jobs = Json::array();
  for (const auto& by : told.submitters) {
    auto one = submitter_json(self, by.submitter);
    one["since_start"] = usage_json(by.since_start);
    one["day"] = usage_json(by.day);
    one["week"] = usage_json(by.week);
    one["year"] = usage_json(by.year);
    submitters.push_back(std::move(one));
  }
  for (const auto& by : told.jobs) {
    if (jobs.size() == jobs_told_max)
      break;
    auto one = submitter_json(self, by.submitter);
    one["job"] = to_hex(by.job);
    one["kernel"] = by.kernel;
    one["used"] = usage_json(by.usage);
    one["last_ms"] = by.last_ms;
    one["working"] = self->state.working.contains(by.job);
    jobs.push_back(std::move(one));
  }
  return {{"schema", 1}, {"submitters", std::move(submitters)}, {"jobs", std::move(jobs)}};
}

std::string utc_text(std::int64_t unix_ms) {
  const auto at = std::time_t(unix_ms / 1000);
  std::tm utc{};
  char text[32];
  const auto size = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", ::gmtime_r(&at, &utc));
  return {text, size};
}

} // namespace

void send_usage(Self self, const Caller& caller) {
  self->state.store_asks.ask<UsageTold>(self, UsageAsk{}, [=](const UsageTold& told) {
    answer(caller, 200, usage_json(self, told.told));
  });
}

void expired(Self self, const JobsExpired& old) {
  auto& s = self->state;
  for (const auto& job : old.jobs) {
    s.expired[to_hex(job.id)] = job;
    s.book->forget(job.id);
    job_gone_event(self, job.id);
  }
  while (s.expired.size() > std::size_t(Journal::expired_max))
    s.expired.erase(
        std::min_element(s.expired.begin(), s.expired.end(), [](const auto& a, const auto& b) {
          return a.second.expired_ms < b.second.expired_ms;
        }));
}

bool refuse_expired(Self self, const std::string& prefix, const Caller& caller) {
  const auto& expired = self->state.expired;
  const auto job = expired.lower_bound(prefix);
  if (job == expired.end() || !job->first.starts_with(prefix))
    return false;
  refuse(caller, {"E435", "job " + job->first.substr(0, 12) + " has expired",
                  "it ended at " + utc_text(job->second.ended_ms) + " and was forgotten at " +
                      utc_text(job->second.expired_ms),
                  "submit it again; results stay as long as results.keep says: tessera config "
                  "results.keep"});
  return true;
}

} // namespace tessera::api
