#include "actors/turns.hpp"

#include <algorithm>

namespace tessera {
namespace {

bool fits(const JobEntry& job, bool idle_slot) {
  return job.ready() && (idle_slot || job.is_short());
}

bool can_run(const StealAsk& wish, const JobEntry& job) {
  return meets(wish.worker, job.require) &&
         std::find(wish.kernels.begin(), wish.kernels.end(), job.kernel) != wish.kernels.end();
}

} // namespace

std::deque<Turns::Turn>::iterator Turns::turn_of(const NodeId& submitter) {
  return std::find_if(turns_.begin(), turns_.end(),
                      [&](const Turn& t) { return t.submitter == submitter; });
}

void Turns::enter(const Jobs::value_type& job) {
  const auto& [id, entry] = job;
  if (const auto turn = turn_of(entry.submitter); turn != turns_.end())
    turn->jobs.push_back(id);
  else
    turns_.push_back({entry.submitter, {id}});
}

void Turns::withdraw(const Jobs::value_type& job) {
  const auto turn = turn_of(job.second.submitter);
  std::erase(turn->jobs, job.first);
  if (turn->jobs.empty())
    turns_.erase(turn);
}

// Leases are refused at jobs_max; roots are bounded where they are accepted.
void Turns::open(const JobId& job, JobEntry entry) {
  if (!find(job))
    resting_.try_emplace(job, std::move(entry));
}

void Turns::report(const JobId& job, const QueueReport& report) {
  auto& entry = at(job);
  const bool was_busy = entry.busy();
  entry.report = report;
  if (entry.busy() == was_busy)
    return;
  auto& to = was_busy ? resting_ : busy_;
  const auto moved = to.insert((was_busy ? busy_ : resting_).extract(job)).position;
  was_busy ? withdraw(*moved) : enter(*moved);
}

void Turns::close(const JobId& job) {
  resting_.erase(job);
  if (const auto busy = busy_.find(job); busy != busy_.end()) {
    withdraw(*busy);
    busy_.erase(busy);
  }
}

JobEntry* Turns::find(const JobId& job) {
  for (auto* jobs : {&busy_, &resting_})
    if (const auto known = jobs->find(job); known != jobs->end())
      return &known->second;
  return nullptr;
}

// The highest of those that have something for a slot. Nothing: in this turn it does not count.
std::optional<int> Turns::priority_now(bool idle_slot) const {
  if ((taken_ + 1) % plain_turn_every == 0) // Who waited longest stands in front.
    return std::nullopt;
  std::optional<int> highest;
  for (const auto& [id, job] : busy_)
    if (fits(job, idle_slot) && (!highest || *highest < job.priority))
      highest = job.priority;
  return highest;
}

std::optional<JobId> Turns::next(bool idle_slot) {
  const auto priority = priority_now(idle_slot);
  for (auto turn = turns_.begin(); turn != turns_.end(); ++turn) {
    const auto job = std::find_if(turn->jobs.begin(), turn->jobs.end(), [&](const JobId& id) {
      const auto& entry = busy_.at(id);
      return fits(entry, idle_slot) && (!priority || entry.priority == *priority);
    });
    if (job == turn->jobs.end())
      continue;
    const auto id = *job;
    turn->jobs.erase(job);
    turn->jobs.push_back(id);
    auto served = std::move(*turn);
    turns_.erase(turn);
    turns_.push_back(std::move(served));
    ++taken_;
    return id;
  }
  return std::nullopt;
}

std::optional<JobId> Turns::choose(const StealAsk& wish) const {
  const bool plain = (grants_ + 1) % plain_turn_every == 0;
  const auto better = [&](const JobEntry& a, const JobEntry& b) {
    if (plain)
      return a.given_at < b.given_at;
    return std::pair(a.priority, a.report.queued_ns) > std::pair(b.priority, b.report.queued_ns);
  };
  const std::pair<const JobId, JobEntry>* best = nullptr;
  for (const auto& job : busy_)
    if (job.second.report.queued_leaves > 0 && can_run(wish, job.second) &&
        (!best || better(job.second, best->second)))
      best = &job;
  return best ? std::optional(best->first) : std::nullopt;
}

void Turns::tick(Time now) {
  for (auto& [id, job] : busy_)
    if (job.dry_until && *job.dry_until <= now)
      job.dry_until.reset();
}

} // namespace tessera
