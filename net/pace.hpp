#pragma once

#include "net/time.hpp"

#include <algorithm>
#include <cstdint>
#include <random>

// How often: a bucket of tokens as one time point (GCRA, ITU-T I.371), and delays that double.
namespace tessera {

// At most `burst` at once, and one each `each` in the long run.
class Pace {
public:
  Pace(int burst, Duration each) : each_(each), slack_(each * (burst - 1)) {}

  bool take(Time now) {
    if (next_ > now + slack_)
      return false;
    next_ = std::max(next_, now) + each_;
    return true;
  }

private:
  Duration each_, slack_;
  Time next_{};
};

// min * 2^(failures - 1), at most max; of that, a random half is jitter.
inline Duration backoff(unsigned failures, Duration min, Duration max, std::mt19937_64& dice) {
  const int doubled = failures > 0 ? int(std::min(failures - 1, 16U)) : 0;
  const Duration whole = std::min<Duration>(max, min * (1 << doubled));
  return whole / 2 + Duration(dice() % (whole.count() / 2 + 1));
}

} // namespace tessera
