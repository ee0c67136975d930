#include "actors/slots.hpp"

#include <algorithm>
#include <numeric>

namespace tessera {

std::size_t Slots::Slot::care() const {
  return asked.size() + held.size() - std::min<std::size_t>(held.size(), early);
}

// What takes longer than it should takes as long again.
Duration Slots::Slot::left(Time now) const {
  if (held.empty())
    return {};
  const auto spent = now - since;
  const auto all = std::accumulate(held.begin(), held.end(), Duration{});
  return spent < held.front() ? all - spent : all - held.front() + spent;
}

void Slots::Slot::hold(Duration piece, Time now) {
  if (held.empty())
    since = now;
  held.push_back(piece);
}

void Slots::asked(std::uint32_t slot, const JobId& job) {
  all_[slot].asked.push_back(job);
}

bool Slots::answered(std::uint32_t number, const JobId& job, std::optional<Duration> piece,
                     Time now) {
  if (number >= all_.size())
    return false;
  auto& slot = all_[number];
  const auto asked = std::find(slot.asked.begin(), slot.asked.end(), job);
  const bool expected = asked != slot.asked.end();
  if (expected)
    slot.asked.erase(asked);
  if (piece && slot.early > 0)
    --slot.early;
  else if (piece)
    slot.hold(*piece, now);
  return expected;
}

void Slots::forget(const JobId& job) {
  for (auto& slot : all_)
    std::erase(slot.asked, job);
}

void Slots::freed(std::uint32_t number, Time now) {
  if (number >= all_.size())
    return;
  auto& slot = all_[number];
  slot.since = now;
  if (!slot.held.empty())
    slot.held.pop_front();
  else if (slot.early < slot.asked.size()) // It outran the job's answer.
    ++slot.early;
}

void Slots::reset(std::uint32_t number) {
  if (number >= all_.size())
    return;
  all_[number].held.clear();
  all_[number].early = 0;
}

std::uint32_t Slots::least_busy() const {
  const auto least = std::min_element(
      all_.begin(), all_.end(), [](const Slot& a, const Slot& b) { return a.care() < b.care(); });
  return std::uint32_t(least - all_.begin());
}

std::uint32_t Slots::idle() const {
  return std::uint32_t(
      std::count_if(all_.begin(), all_.end(), [](const Slot& slot) { return slot.care() == 0; }));
}

Duration Slots::idle_in(Duration span, Time now) const {
  Duration idle{};
  for (const auto& slot : all_)
    idle += std::max(Duration{}, span - slot.left(now));
  return idle;
}

std::optional<Time> Slots::dry_at(Duration span, Time now) const {
  std::optional<Time> first;
  for (const auto& slot : all_)
    if (!slot.overdue(now) && slot.left(now) >= span) {
      const auto at = now + slot.left(now) - span + Duration(1);
      first = first ? std::min(*first, at) : at;
    }
  return first;
}

} // namespace tessera
