#pragma once

#include "crypto/digest.hpp"
#include "net/message.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

// Who used this machine, and how much: by submitter and hour for a week, by submitter and day for a
// year, by job since the node began. A machine; the journal keeps the rows.
namespace tessera {

struct Usage {
  std::uint64_t microtasks = 0; // Leaves run here; a merge is none.
  std::uint64_t cpu_ns = 0;     // Of workers.
  std::uint64_t bytes = 0;      // That they made.

  Usage& operator+=(const Usage& more) {
    microtasks += more.microtasks;
    cpu_ns += more.cpu_ns;
    bytes += more.bytes;
    return *this;
  }
  bool operator==(const Usage&) const = default;
};

struct UsageRow {
  enum class Span : std::uint8_t { hour = 0, day = 1 } span = Span::hour;
  std::int64_t at = 0; // Hours or days since 1970.
  NodeId submitter;
  Usage usage;
};

class UsageBook {
public:
  // Guesses. A mesh of more submitters than this has the rest under one, the zero NodeId.
  static constexpr std::size_t submitters_max = 256;
  static constexpr std::size_t jobs_max = 1024; // The one used longest ago goes.
  static constexpr std::int64_t hours_kept = 7 * 24, days_kept = 366;

  UsageBook() = default;
  explicit UsageBook(const std::vector<UsageRow>& saved);

  void add(const NodeId& submitter, const JobId& job, const std::string& kernel, const Usage& usage,
           std::int64_t unix_ms);

  // Rows that are other than when last asked; and before which hour and day none is wanted.
  struct Unsaved {
    std::vector<UsageRow> rows;
    std::int64_t first_hour = 0, first_day = 0;
  };
  Unsaved unsaved(std::int64_t unix_ms);

  struct BySubmitter {
    NodeId submitter;
    Usage since_start, day, week, year; // Day and week end now, year today.
  };
  struct ByJob {
    JobId job;
    NodeId submitter;
    std::string kernel;
    Usage usage;
    std::int64_t last_ms = 0;
  };
  struct Told {
    std::vector<BySubmitter> submitters; // Who used most of the week first.
    std::vector<ByJob> jobs;             // The latest first.
  };
  Told told(std::int64_t unix_ms) const;

private:
  using Key = std::pair<std::int64_t, NodeId>; // Hour or day.
  struct Kept {
    Usage usage;
    bool saved = false;
  };
  using Rows = std::map<Key, Kept>;

  NodeId known(const NodeId& submitter);
  static void put(Rows& rows, std::int64_t at, const NodeId& submitter, const Usage& usage);
  static void prune(Rows& rows, std::int64_t first);

  std::map<NodeId, Usage> since_start_; // All submitters known.
  Rows hours_, days_;
  std::map<JobId, ByJob> jobs_;
};

} // namespace tessera
