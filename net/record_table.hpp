#pragma once

#include "net/message.hpp"
#include "net/time.hpp"

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

// The newest record of each node, bounded. What was let go is remembered by version, so that a
// neighbour who still has it cannot send it round again.
namespace tessera {

using RecordPtr = std::shared_ptr<const SignedRecord>;

// Of two records the one with the larger version is newer.
struct RecordVersion {
  std::uint64_t boot = 0, sequence = 0;
  auto operator<=>(const RecordVersion&) const = default;
};
RecordVersion version_of(const Record& record);

class RecordTable {
public:
  using Pinned = std::function<bool(const NodeId&)>; // Has a live session: never pushed out.

  explicit RecordTable(std::size_t records_max) : records_max_(records_max) {}

  struct Taken {
    bool news = false;
    std::optional<NodeId> pushed_out; // To make room; the newcomer itself never.
  };
  // `source` is the session's peer that told it.
  Taken offer(RecordPtr record, const NodeId& source, std::int64_t unix_ms, Duration lifetime_max,
              const Pinned& pinned, Time now);

  std::vector<NodeId> expire(std::int64_t unix_ms);
  std::optional<std::int64_t> next_expiry_ms() const { return next_expiry_ms_; } // Or earlier.

  const std::map<NodeId, RecordPtr>& all() const { return records_; }
  RecordPtr find(const NodeId& subject) const;
  std::optional<Time> heard(const NodeId& subject) const; // When a newer one last came.
  bool full() const { return records_.size() >= records_max_; }
  std::size_t remembered() const { return gone_.size(); } // Versions of what was let go.

private:
  struct Heard {
    NodeId source;
    Time at;
  };
  bool newer(const Record& record) const;
  std::optional<NodeId> oldest(const Pinned& pinned) const;
  void let_go(const NodeId& subject);

  std::size_t records_max_;
  std::map<NodeId, RecordPtr> records_;
  std::map<NodeId, Heard> heard_; // The same keys.
  std::map<NodeId, RecordVersion> gone_;
  std::deque<NodeId> gone_order_;
  std::optional<std::int64_t> next_expiry_ms_;
};

} // namespace tessera
