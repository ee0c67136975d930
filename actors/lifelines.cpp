#include "actors/lifelines.hpp"

#include "actors/steal.hpp"

#include <algorithm>

namespace tessera {

std::optional<WaitingAsks::Waiting> WaitingAsks::keep(const NodeId& asker, const StealAsk& ask,
                                                      Time now) {
  drop(asker);
  std::optional<Waiting> out;
  if (all_.size() >= waiting_max) {
    out = std::move(all_.front());
    all_.pop_front();
  }
  const auto wait = std::chrono::milliseconds(std::min(ask.wait_ms, wait_ms_max));
  all_.push_back({asker, ask, now, now + wait});
  return out;
}

void WaitingAsks::drop(const NodeId& asker) {
  std::erase_if(all_, [&](const Waiting& w) { return w.asker == asker; });
}

void WaitingAsks::has_work(const NodeId& asker, Time now) {
  std::erase_if(all_,
                [&](const Waiting& w) { return w.asker == asker && w.since + record_delay < now; });
}

void WaitingAsks::expire(Time now) {
  std::erase_if(all_, [&](const Waiting& w) { return w.until <= now; });
}

std::vector<double> WaitingAsks::powers() const {
  std::vector<double> all;
  for (const auto& w : all_)
    all.push_back(power_of(w.ask.speed, w.ask.slots));
  return all;
}

void Lifelines::expire(Time now) {
  std::erase_if(laid_, [&](const auto& line) { return line.second.until <= now; });
}

bool Lifelines::open(const NodeId& to, std::uint64_t ask) const {
  const auto line = laid_.find(to);
  return line != laid_.end() && line->second.ask == ask;
}

std::size_t Lifelines::open() const {
  return std::size_t(std::count_if(laid_.begin(), laid_.end(),
                                   [](const auto& line) { return line.second.ask.has_value(); }));
}

std::optional<Time> Lifelines::next_end() const {
  std::optional<Time> first;
  for (const auto& [to, line] : laid_)
    first = first ? std::min(*first, line.until) : line.until;
  return first;
}

} // namespace tessera
