#pragma once

#include "crypto/identity.hpp"
#include "net/message.hpp"
#include "net/time.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

// Lifelines (architecture 4.3; the idea is that of Saraswat et al., "Lifeline-based global load
// balancing", PPoPP 2011): who is idle and finds nobody with work asks a few peers to keep the ask,
// and those answer it as soon as work comes to them.
namespace tessera {

// Guesses all.
inline constexpr std::uint32_t lifeline_wait_ms = 10'000;
inline constexpr std::uint32_t wait_ms_max = 60'000; // A longer wait is cut.
inline constexpr std::size_t waiting_max = 64;
inline constexpr Duration record_delay = std::chrono::seconds(1); // At most, from its node to here.

// The asks of others that wait here: one of each, oldest out.
class WaitingAsks {
public:
  struct Waiting {
    NodeId asker;
    StealAsk ask;
    Time since, until;
  };

  // What had to make room is returned: it deserves an answer.
  std::optional<Waiting> keep(const NodeId& asker, const StealAsk& ask, Time now);
  void drop(const NodeId& asker);
  // Its record says that it has work. One that was made before it asked may come after the ask.
  void has_work(const NodeId& asker, Time now);
  void expire(Time now);
  bool empty() const { return all_.empty(); }

  // `serve(waiting)` says whether the ask was answered; the oldest comes first.
  template<class Serve>
  void serve(Serve serve) {
    std::erase_if(all_, serve);
  }
  std::vector<double> powers() const; // As they say, the oldest's first.

private:
  std::deque<Waiting> all_;
};

// The lifelines that an idle node has laid: at most one to a peer.
class Lifelines {
public:
  void lay(const NodeId& to, std::uint64_t ask, Time now) {
    laid_[to] = {ask, now + std::chrono::milliseconds(lifeline_wait_ms)};
  }
  // Its answer was empty: nothing is laid there again before the pause is over.
  void close(const NodeId& to, Time until) { laid_[to] = {std::nullopt, until}; }
  void drop(const NodeId& to) { laid_.erase(to); }
  void clear() { laid_.clear(); }
  void expire(Time now);

  bool open(const NodeId& to, std::uint64_t ask) const;
  bool has(const NodeId& to) const { return laid_.contains(to); } // Open, or in its pause.
  std::size_t open() const;
  std::optional<Time> next_end() const;

private:
  struct Line {
    std::optional<std::uint64_t> ask; // None: in its pause.
    Time until;
  };
  std::map<NodeId, Line> laid_;
};

} // namespace tessera
