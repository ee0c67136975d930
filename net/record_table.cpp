#include "net/record_table.hpp"

#include <algorithm>

namespace tessera {

namespace {

constexpr std::size_t gone_per_record = 4; // Our guess.

std::int64_t to_ms(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

} // namespace

RecordVersion version_of(const Record& record) {
  return {record.boot, record.sequence};
}

RecordTable::Taken RecordTable::offer(RecordPtr record, const NodeId& source, std::int64_t unix_ms,
                                      Duration lifetime_max, const Pinned& pinned, Time now) {
  const Record& r = record->record;
  if (r.expires_ms <= unix_ms || r.expires_ms > unix_ms + to_ms(lifetime_max) || !newer(r))
    return {};
  Taken taken{true, {}};
  if (!records_.contains(r.subject) && full()) {
    taken.pushed_out = oldest(pinned);
    if (!taken.pushed_out)
      return {};
    let_go(*taken.pushed_out);
  }
  next_expiry_ms_ = std::min(next_expiry_ms_.value_or(r.expires_ms), r.expires_ms);
  heard_[r.subject] = {source, now};
  records_[r.subject] = std::move(record);
  return taken;
}

bool RecordTable::newer(const Record& record) const {
  if (const auto known = records_.find(record.subject); known != records_.end())
    return version_of(record) > version_of(known->second->record);
  const auto gone = gone_.find(record.subject);
  return gone == gone_.end() || version_of(record) > gone->second;
}

// Of the peer who told us the most: a flood pushes out itself before it pushes out what others
// said.
std::optional<NodeId> RecordTable::oldest(const Pinned& pinned) const {
  std::map<NodeId, std::size_t> told;
  for (const auto& [subject, heard] : heard_)
    if (!pinned(subject))
      ++told[heard.source];
  if (told.empty())
    return {};
  const auto most = std::max_element(told.begin(), told.end(), [](const auto& a, const auto& b) {
                      return a.second < b.second;
                    })->first;
  std::optional<NodeId> found;
  Time at = Time::max();
  for (const auto& [subject, heard] : heard_)
    if (heard.source == most && heard.at < at && !pinned(subject)) {
      found = subject;
      at = heard.at;
    }
  return found;
}

void RecordTable::let_go(const NodeId& subject) {
  const auto record = records_.find(subject);
  if (gone_.insert_or_assign(subject, version_of(record->second->record)).second)
    gone_order_.push_back(subject);
  if (gone_order_.size() > gone_per_record * records_max_) {
    gone_.erase(gone_order_.front());
    gone_order_.pop_front();
  }
  records_.erase(record);
  heard_.erase(subject);
}

std::vector<NodeId> RecordTable::expire(std::int64_t unix_ms) {
  std::vector<NodeId> expired;
  next_expiry_ms_.reset();
  for (const auto& [subject, record] : records_) {
    const auto expires = record->record.expires_ms;
    if (expires <= unix_ms)
      expired.push_back(subject);
    else
      next_expiry_ms_ = std::min(next_expiry_ms_.value_or(expires), expires);
  }
  for (const auto& subject : expired)
    let_go(subject);
  return expired;
}

RecordPtr RecordTable::find(const NodeId& subject) const {
  const auto found = records_.find(subject);
  return found == records_.end() ? nullptr : found->second;
}

std::optional<Time> RecordTable::heard(const NodeId& subject) const {
  const auto found = heard_.find(subject);
  return found == heard_.end() ? std::optional<Time>{} : found->second.at;
}

} // namespace tessera
