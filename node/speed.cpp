#include "node/speed.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace tessera {
namespace {

constexpr std::uint64_t rounds = 4'000'000; // About 10 ms.
constexpr int runs = 10;

// A chain, so that neither the compiler nor the CPU can do two at once.
std::uint64_t mixed(std::uint64_t x) {
  for (std::uint64_t i = 0; i < rounds; ++i) {
    x ^= x >> 29;
    x *= 0xd6e8feb86659fd93;
  }
  return x;
}

} // namespace

double measured_speed() {
  using Clock = std::chrono::steady_clock;
  double best = 0;
  volatile std::uint64_t kept = 1;
  for (int run = 0; run < runs; ++run) {
    const auto start = Clock::now();
    kept = mixed(kept);
    const std::chrono::duration<double, std::micro> took = Clock::now() - start;
    best = std::max(best, double(rounds) / took.count());
  }
  return best;
}

} // namespace tessera
