#pragma once

#include <array>
#include <cstdint>

// Philox4x32-10, a counter-based generator: the random bits of (key, counter) without any before
// them, so that item i of a job is random in the same way wherever it runs.
// Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
namespace tessera {

struct Philox {
  using Words = std::array<std::uint32_t, 4>;
  static constexpr std::uint32_t rounds = 10;
  static constexpr std::uint32_t multiplier[2] = {0xd2511f53, 0xcd9e8d57};
  static constexpr std::uint32_t weyl[2] = {0x9e3779b9, 0xbb67ae85}; // Golden ratio, sqrt(3) - 1.

  // Key and counter, low words first.
  explicit constexpr Philox(std::uint64_t seed)
      : key{std::uint32_t(seed), std::uint32_t(seed >> 32)} {}
  constexpr Words operator()(std::uint64_t low, std::uint64_t high = 0) const {
    Words c{std::uint32_t(low), std::uint32_t(low >> 32), std::uint32_t(high),
            std::uint32_t(high >> 32)};
    for (std::uint32_t round = 0; round < rounds; ++round) {
      const auto a = std::uint64_t(multiplier[0]) * c[0], b = std::uint64_t(multiplier[1]) * c[2];
      c = {std::uint32_t(b >> 32) ^ c[1] ^ (key[0] + round * weyl[0]), std::uint32_t(b),
           std::uint32_t(a >> 32) ^ c[3] ^ (key[1] + round * weyl[1]), std::uint32_t(a)};
    }
    return c;
  }

  std::uint32_t key[2];
};

} // namespace tessera
