#pragma once

#include "net/time.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

// So many bytes a second, shared by all sessions of a node: each books what it wants next, and is
// told from when on it may have it, in the order of asking. A bucket of tokens as one time point
// (GCRA, ITU-T I.371). For one thread.
namespace tessera {

class Rate {
public:
  static constexpr std::uint64_t bytes_min = 16 << 10; // A second. Below, too little goes at once.

  explicit Rate(std::uint64_t bytes_a_second) : bytes_(std::max(bytes_a_second, bytes_min)) {}

  // What is worth a booking: 50 ms of it, within bounds.
  std::size_t portion() const {
    return std::size_t(std::clamp<std::uint64_t>(bytes_ / 20, 4 << 10, 1 << 20));
  }
  // What may lie with one session unused: 250 ms of it, or a long line would stand idle.
  std::size_t ahead() const { return std::max<std::size_t>(2 * portion(), bytes_ / 4); }

  Time book(std::size_t bytes, Time now) {
    const auto at = std::max(next_, now - slack);
    next_ = at + takes(bytes);
    return std::max(at, now);
  }
  // For what goes in any case: the next booking waits for it, but not for ever.
  void spend(std::size_t bytes, Time now) {
    next_ = std::min(std::max(next_, now) + takes(bytes), now + debt_max);
  }

private:
  static constexpr Duration slack =
      std::chrono::milliseconds(20); // Who wakes late makes up for it.
  static constexpr Duration debt_max = std::chrono::seconds(2);

  Duration takes(std::size_t bytes) const {
    return std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(double(bytes) / double(bytes_)));
  }

  std::uint64_t bytes_;
  Time next_{};
};

} // namespace tessera
