#include "node/call_clock.hpp"

#include <algorithm>

namespace tessera {

void CallClock::sent(std::uint64_t call, std::optional<Duration> may_take, Time now, bool patient) {
  if (calls_.empty())
    since_ = now;
  calls_.push_back({call, may_take, patient ? std::nullopt : each_, {}});
}

void CallClock::answered(std::uint64_t call, Time now) {
  const auto at = std::ranges::find(calls_, call, &Call::number);
  if (at == calls_.begin())
    since_ = now;
  if (at != calls_.end())
    calls_.erase(at);
}

void CallClock::hurry(Time by, Duration each) {
  each_ = each;
  for (auto& call : calls_)
    call.by = by;
}

void CallClock::relax() {
  each_.reset();
  for (auto& call : calls_)
    call.hasty.reset(), call.by.reset();
}

bool CallClock::hurried(Time now) const {
  if (!overdue(now))
    return false;
  const auto& may_take = calls_.front().may_take;
  return !may_take || since_ + *may_take > now;
}

std::optional<std::uint64_t> CallClock::first() const {
  return calls_.empty() ? std::nullopt : std::optional{calls_.front().number};
}

std::optional<std::uint64_t> CallClock::overdue(Time now) const {
  const auto due = next_wake();
  return due && *due <= now ? first() : std::nullopt;
}

std::optional<Time> CallClock::next_wake() const {
  if (calls_.empty())
    return std::nullopt;
  const auto& call = calls_.front();
  auto next = call.by;
  for (const auto& time : {call.may_take, call.hasty})
    if (time)
      next = next ? std::min(*next, since_ + *time) : since_ + *time;
  return next;
}

} // namespace tessera
