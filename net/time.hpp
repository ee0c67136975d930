#pragma once

#include <chrono>

namespace tessera {

// Time comes in as an argument: only a shell may ask a clock.
using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = Clock::duration;

} // namespace tessera
