#pragma once

#include "net/time.hpp"

#include <cstdint>
#include <deque>
#include <optional>

// How long the calls in one worker's care may take. A worker answers in the order it was asked, so
// the first unanswered call is the one under way, and its time begins when those before it are
// over. A machine: who finds a call overdue kills the worker, which is the interrupt.
namespace tessera {

class CallClock {
public:
  // `patient`: no haste is made of it.
  void sent(std::uint64_t call, std::optional<Duration> may_take, Time now, bool patient = false);
  void answered(std::uint64_t call, Time now); // Any that is not here is nothing.
  void clear() { calls_.clear(); }             // The worker is another.

  // What is in the worker's care must be over by then, and each later call may take so long.
  void hurry(Time by, Duration each);
  void relax();
  bool hurried(Time now) const; // Whether the call that is overdue is so for haste alone.

  // The call under way, or the one that a dead worker died of.
  std::optional<std::uint64_t> first() const;
  Time since() const { return since_; } // When its time began.
  std::optional<std::uint64_t> overdue(Time now) const;
  std::optional<Time> next_wake() const;

private:
  struct Call {
    std::uint64_t number;
    std::optional<Duration> may_take;
    std::optional<Duration> hasty; // At most, if there is haste.
    std::optional<Time> by;
  };
  std::deque<Call> calls_; // As they were sent.
  Time since_{};           // Of the first.
  std::optional<Duration> each_;
};

} // namespace tessera
