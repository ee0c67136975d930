#pragma once

#include "net/time.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What happens on this node, as numbered events for those who follow them (GET /v1/events). The log
// is bounded, oldest out; what changes often is told at a bounded rate, its last state always.
// While nobody follows, nothing is written. A machine: `now` comes in, batches go out.
namespace tessera {

enum class Topic : std::uint8_t { jobs = 1, peers = 2, node = 4, work = 8 };

// A set of topics.
class Topics {
public:
  constexpr Topics() = default;
  constexpr Topics(std::initializer_list<Topic> all) {
    for (const auto t : all)
      add(t);
  }
  constexpr bool has(Topic t) const { return bits_ & std::uint8_t(t); }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr void add(Topic t) { bits_ |= std::uint8_t(t); }
  bool operator==(const Topics&) const = default;

private:
  std::uint8_t bits_ = 0;
};

// "jobs,work". Nothing: one of them is no topic, or there is none.
std::optional<Topics> topics_of(std::string_view list);

struct Event {
  std::uint64_t id = 0;
  Topic topic = Topic::jobs;
  std::string job;   // Its whole id; empty: the event is of no job.
  std::string frame; // As it goes out, rendered once for all streams.
};
using EventPtr = std::shared_ptr<const Event>;
using Events = std::vector<EventPtr>;

// One frame of a text/event-stream. `data` is one line.
std::string event_frame(std::optional<std::uint64_t> id, std::string_view kind,
                        std::string_view data);

struct EventLogConfig {
  // Above all ids of any log that this node had before: Unix time in microseconds will do, as no
  // node has a million events a second for long. It stays below 2^53.
  std::uint64_t first_id = 1;
  std::size_t events_max = 4096;
  std::size_t bytes_max = std::size_t{4} << 20;
  std::size_t things_max = 4096; // Whose last news is recent; that of more is told at once.
  Duration batch_gap = std::chrono::milliseconds(50); // Between two batches: streams wake so often.
  Duration urgent_gap = std::chrono::milliseconds(2); // The same, when one is waited for.
  Duration linger =
      std::chrono::seconds(60); // After the last stream is gone, for one that resumes.
};

class EventLog {
public:
  explicit EventLog(EventLogConfig config);

  // --- Who follows.
  void opened(Time now);
  void closed(Time now);
  std::size_t streams() const { return streams_; }
  bool followed(Time now) const;

  // --- What happens. `data` is one line of JSON.
  using Data = std::function<std::string()>;
  void add(Topic topic, std::string_view kind, std::string_view data, const std::string& job,
           Time now);
  // Of the thing named `key`: at most one such event each `gap`. `data` is called when its turn
  // comes; of several that wait, the last. Without a gap somebody waits for it: it is told at once,
  // whatever was told before, and its batch is urgent.
  void changed(const std::string& key, Topic topic, std::string kind, Duration gap, Data data,
               const std::string& job, Time now);
  // It is no more: what still waits is not told.
  void forget(const std::string& key);

  // --- What goes out.
  std::uint64_t first_id() const { return config_.first_id; }
  std::uint64_t last_id() const { return last_id_; }
  // All events after this one; nothing: some of them are gone from the log, or never were.
  std::optional<Events> since(std::uint64_t id) const;
  std::optional<Time> next_wake() const;
  Events wake(Time now); // Those that no batch had yet, if one is due.

private:
  struct Thing {
    Time due; // May be told again, or is forgotten.
    Duration gap{};
    Topic topic{};
    std::string kind, job;
    Data data; // Empty: nothing waits.
  };

  void tell(const std::string& key, Thing& thing, Time now);
  void tell_due(Time now);
  void prune(Time now);

  EventLogConfig config_;
  std::uint64_t last_id_;
  std::deque<EventPtr> log_; // Ids without a gap, up to last_id_.
  std::size_t bytes_ = 0;
  std::uint64_t sent_; // Up to here in a batch.
  Time batch_at_{};    // Due then; when one is urgent, at urgent_at_.
  Time urgent_at_{};
  std::map<std::string, Thing> things_;
  std::set<std::pair<Time, std::string>> due_; // Of all of them.
  std::size_t streams_ = 0;
  std::optional<Time> kept_until_; // While nobody follows.
};

} // namespace tessera
