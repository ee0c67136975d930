#include "node/store/ask_line.hpp"

#include <algorithm>

namespace tessera {

using namespace std::chrono_literals;

namespace {

constexpr Duration queue_short = 500ms, queue_long = 1s;

} // namespace

void AskLine::asked(const BlobAsk& ask, Time now) {
  if (in_flight_.empty())
    wait_from(now);
  for (std::uint32_t i = 0; i < ask.chunks; ++i)
    in_flight_.push_back({ask.blob, ask.first_chunk + i, now});
}

void AskLine::wait_from(Time now) {
  heard_ = now;
  probes_ = 0;
  due_ = now + patience();
}

// The gap fades, so that one stall is not waited for for ever.
void AskLine::heard(Time now) {
  gap_ = std::max(now - heard_, gap_ * 15 / 16);
  wait_from(now);
  if (in_flight_.empty())
    due_.reset();
}

void AskLine::adapt(Duration took) {
  quickest_ = std::min(took, quickest_.value_or(took));
  const bool full = in_flight_.size() + window_ / 4 + 1 >= window_;
  if (took < *quickest_ + queue_short && full)
    window_ = std::min(window_ + 1, window_max);
  else if (took > *quickest_ + queue_long)
    window_ = std::max(window_ - 1, window_min);
}

std::optional<std::vector<AskLine::Asked>> AskLine::arrived(const BlobId& blob, std::uint64_t chunk,
                                                            Time now) {
  const auto it = std::find_if(in_flight_.begin(), in_flight_.end(),
                               [&](const Asked& a) { return a.chunk == chunk && a.blob == blob; });
  if (it == in_flight_.end())
    return {};
  const auto at = it->at;
  std::vector<Asked> overtaken{in_flight_.begin(), it};
  in_flight_.erase(in_flight_.begin(), std::next(it));
  if (!overtaken.empty()) // There was no room for so much.
    window_ = std::max(window_ * 3 / 4, window_min);
  adapt(now - at);
  heard(now);
  return overtaken;
}

void AskLine::missing(const BlobId& blob, Time now) {
  if (std::erase_if(in_flight_, [&](const Asked& a) { return a.blob == blob; }))
    heard(now);
}

std::vector<AskLine::Asked> AskLine::give_up() {
  due_.reset();
  std::vector<Asked> all{in_flight_.begin(), in_flight_.end()};
  in_flight_.clear();
  return all;
}

std::uint32_t AskLine::room() const {
  const auto used = std::uint32_t(in_flight_.size());
  return used + std::max(window_ / 4, 1u) <= window_ ? window_ - used : 0;
}

void AskLine::probed(Time now) {
  due_ = now + patience() * (1 << ++probes_);
}

} // namespace tessera
