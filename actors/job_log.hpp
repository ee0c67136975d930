#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

// What happened to one job, told by its root for people. Bounded: the oldest entries go, and the
// numbers of those that are left say how many did.
namespace tessera {

struct LogEntry {
  std::uint64_t number = 0; // From 1.
  std::int64_t at_ms = 0;   // Unix time.
  std::string text;

  bool operator==(const LogEntry&) const = default;
};
using LogEntries = std::vector<LogEntry>;

inline constexpr std::size_t log_entries_max = 1000;
inline constexpr std::size_t log_text_bytes_max = 200;

class JobLog {
public:
  JobLog() = default;
  explicit JobLog(const LogEntries& before) : entries_(before.begin(), before.end()) {
    next_ = fresh_ = entries_.empty() ? 1 : entries_.back().number + 1;
  }

  void say(std::int64_t at_ms, std::string text) {
    text.resize(std::min(text.size(), log_text_bytes_max));
    entries_.push_back({next_++, at_ms, std::move(text)});
    if (entries_.size() > log_entries_max)
      entries_.pop_front();
  }
  bool empty() const { return entries_.empty(); }

  LogEntries since(std::uint64_t number) const {
    LogEntries found;
    for (const auto& entry : entries_)
      if (entry.number >= number)
        found.push_back(entry);
    return found;
  }
  // Those not taken before.
  LogEntries take_fresh() { return since(std::exchange(fresh_, next_)); }

private:
  std::deque<LogEntry> entries_;
  std::uint64_t next_ = 1, fresh_ = 1;
};

} // namespace tessera
