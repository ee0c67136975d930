#include "node/store/usage_book.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace tessera {

namespace {

constexpr std::int64_t hour_ms = 3'600'000, day_ms = 24 * hour_ms;

} // namespace

UsageBook::UsageBook(const std::vector<UsageRow>& saved) {
  for (const auto& row : saved) {
    auto& rows = row.span == UsageRow::Span::hour ? hours_ : days_;
    auto& kept = rows[{row.at, known(row.submitter)}];
    kept.usage += row.usage;
    kept.saved = true;
  }
}

NodeId UsageBook::known(const NodeId& submitter) {
  if (since_start_.contains(submitter) || since_start_.size() < submitters_max) {
    since_start_[submitter];
    return submitter;
  }
  since_start_[NodeId{}];
  return {};
}

void UsageBook::put(Rows& rows, std::int64_t at, const NodeId& submitter, const Usage& usage) {
  auto& kept = rows[{at, submitter}];
  kept.usage += usage;
  kept.saved = false;
}

void UsageBook::prune(Rows& rows, std::int64_t first) {
  while (!rows.empty() && rows.begin()->first.first < first)
    rows.erase(rows.begin());
}

void UsageBook::add(const NodeId& submitter, const JobId& job, const std::string& kernel,
                    const Usage& usage, std::int64_t unix_ms) {
  const auto who = known(submitter);
  since_start_[who] += usage;
  put(hours_, unix_ms / hour_ms, who, usage);
  put(days_, unix_ms / day_ms, who, usage);
  auto& by = jobs_[job];
  by.job = job, by.submitter = submitter, by.kernel = kernel, by.last_ms = unix_ms;
  by.usage += usage;
  if (jobs_.size() <= jobs_max)
    return;
  jobs_.erase(std::ranges::min_element(jobs_, {}, [](const auto& j) { return j.second.last_ms; }));
}

UsageBook::Unsaved UsageBook::unsaved(std::int64_t unix_ms) {
  Unsaved all{{}, unix_ms / hour_ms - hours_kept, unix_ms / day_ms - days_kept};
  prune(hours_, all.first_hour);
  prune(days_, all.first_day);
  for (auto* rows : {&hours_, &days_})
    for (auto& [key, kept] : *rows)
      if (!std::exchange(kept.saved, true))
        all.rows.push_back({rows == &hours_ ? UsageRow::Span::hour : UsageRow::Span::day, key.first,
                            key.second, kept.usage});
  return all;
}

UsageBook::Told UsageBook::told(std::int64_t unix_ms) const {
  std::map<NodeId, BySubmitter> by;
  for (const auto& [who, usage] : since_start_)
    by[who] = {who, usage, {}, {}, {}};
  const auto hour = unix_ms / hour_ms, day = unix_ms / day_ms;
  for (const auto& [key, kept] : hours_) {
    if (key.first > hour - 24)
      by[key.second].day += kept.usage;
    if (key.first > hour - hours_kept)
      by[key.second].week += kept.usage;
  }
  for (const auto& [key, kept] : days_)
    if (key.first > day - days_kept)
      by[key.second].year += kept.usage;
  Told all;
  for (auto& [who, usage] : by)
    if (usage.year != Usage{})
      all.submitters.push_back(usage);
  std::ranges::stable_sort(all.submitters, std::greater{},
                           [](const BySubmitter& s) { return s.week.cpu_ns; });
  for (const auto& [id, job] : jobs_)
    all.jobs.push_back(job);
  std::ranges::stable_sort(all.jobs, std::greater{}, &ByJob::last_ms);
  return all;
}

} // namespace tessera
