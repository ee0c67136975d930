#pragma once

#include "net/time.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

// How long the calls in one worker's care may take. A worker answers in the order it was asked, so
// the first unanswered call is the one under way, and its time begins when those before it are
// over. A machine: who finds a call overdue kills the worker, which is the interrupt.
namespace tessera {

class CallClock {
public:
  void sent(std::uint64_t call, std::optional<Duration> may_take, Time now);
  void answered(std::uint64_t call, Time now); // Any that is not here is nothing.
  void clear() { calls_.clear(); }             // The worker is another.

  // The call under way, or the one that a dead worker died of.
  std::optional<std::uint64_t> first() const;
  std::optional<std::uint64_t> overdue(Time now) const;
  std::optional<Time> next_wake() const;

private:
  std::deque<std::pair<std::uint64_t, std::optional<Duration>>> calls_; // As they were sent.
  Time since_{};                                                        // Of the first.
};

} // namespace tessera
