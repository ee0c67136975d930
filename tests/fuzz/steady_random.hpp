#pragma once

#include <sodium.h>

#include <cstdint>

// libsodium's randomness, the same after each restart(), so that an input always takes the same
// way. For fuzzers alone.
namespace tessera::fuzz {

class SteadyRandom {
public:
  static void restart() {
    static const bool installed = [] {
      static randombytes_implementation source{};
      source.implementation_name = [] { return "steady"; };
      source.random = next;
      source.buf = [](void* to, std::size_t size) {
        for (auto* byte = static_cast<std::uint8_t*>(to); size; --size)
          *byte++ = std::uint8_t(next() >> 11);
      };
      return randombytes_set_implementation(&source) == 0 && sodium_init() >= 0;
    }();
    (void)installed;
    state_ = 1;
  }

private:
  static std::uint32_t next() { // Steele, Lea and Flood 2014: SplitMix64.
    auto z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return std::uint32_t((z ^ z >> 31) >> 32);
  }

  static inline std::uint64_t state_ = 1;
};

} // namespace tessera::fuzz
