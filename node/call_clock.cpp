#include "node/call_clock.hpp"

#include <algorithm>

namespace tessera {

void CallClock::sent(std::uint64_t call, std::optional<Duration> may_take, Time now) {
  if (calls_.empty())
    since_ = now;
  calls_.emplace_back(call, may_take);
}

void CallClock::answered(std::uint64_t call, Time now) {
  const auto at = std::ranges::find(calls_, call, [](const auto& c) { return c.first; });
  if (at == calls_.begin())
    since_ = now;
  if (at != calls_.end())
    calls_.erase(at);
}

std::optional<std::uint64_t> CallClock::first() const {
  return calls_.empty() ? std::nullopt : std::optional{calls_.front().first};
}

std::optional<std::uint64_t> CallClock::overdue(Time now) const {
  const auto due = next_wake();
  return due && *due <= now ? first() : std::nullopt;
}

std::optional<Time> CallClock::next_wake() const {
  if (calls_.empty() || !calls_.front().second)
    return std::nullopt;
  return since_ + *calls_.front().second;
}

} // namespace tessera
