#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

// exp and log, two at a time, from basic arithmetic alone. glibc's own depend on the CPU: with FMA
// they round in other places. These are the same bits wherever IEEE 754 is kept, and within one
// unit in the last place (tests/node/elementary_test.cpp).
namespace tessera {

using Pair = double __attribute__((vector_size(16))); // One SSE2 or NEON register.
using PairBits = std::int64_t __attribute__((vector_size(16)));

inline constexpr Pair both(double x) {
  return Pair{x, x};
}

namespace elementary {

// ln 2 in two parts; the first has few enough bits that a whole number of it is exact.
inline constexpr double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;

// Adding it rounds to a whole number, and leaves that in the lowest bits.
inline constexpr double rounder = 0x1.8p52;

template<std::size_t N>
inline Pair polynomial(const double (&highest_first)[N], Pair x) {
  auto sum = both(highest_first[0]);
  for (std::size_t i = 1; i < N; ++i)
    sum = sum * x + highest_first[i];
  return sum;
}

} // namespace elementary

// e^x for x up to 709; 0 below -708, where doubles lose their digits.
inline Pair exp_of(Pair x) {
  using namespace elementary;
  const auto tiny = x < -708.0;
  x = tiny ? both(-708) : x;
  const auto shifted = x * 0x1.71547652b82fep0 + rounder; // x / ln 2, as a whole number.
  const auto whole = shifted - rounder;
  const auto r = (x - whole * ln2_high) - whole * ln2_low; // |r| <= ln(2) / 2.
  // The series of (e^r - 1 - r) / r^2; what is left out is below 2^-57.
  static constexpr double series[]{1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                                   1.0 / 362880,     1.0 / 40320,     1.0 / 5040,     1.0 / 720,
                                   1.0 / 120,        1.0 / 24,        1.0 / 6,        1.0 / 2};
  const auto less_one = r + r * r * polynomial(series, r);
  const auto exponent = (std::bit_cast<PairBits>(shifted) + 1023) << 52;
  const auto scale = std::bit_cast<Pair>(exponent);
  return tiny ? both(0) : scale + scale * less_one;
}

// ln x of positive normal numbers.
inline Pair log_of(Pair x) {
  using namespace elementary;
  const auto bits = std::bit_cast<PairBits>(x);
  auto m = std::bit_cast<Pair>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  // The exponent, as the last digits of a number near 2^52.
  auto e = std::bit_cast<Pair>((bits >> 52) | 0x4330000000000000) - (0x1p52 + 1023);
  const auto large = m > 0x1.6a09e667f3bcdp0; // The root of 2.
  m = large ? m * 0.5 : m;
  e = large ? e + 1 : e;
  // ln(1 + f) = 2 artanh(s), and 2s = f - f^2/2 + s f^2/2: so the large part of it is exact.
  const auto f = m - 1, s = f / (f + 2), z = s * s, half_square = 0.5 * f * f;
  static constexpr double series[]{2.0 / 23, 2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15, 2.0 / 13,
                                   2.0 / 11, 2.0 / 9,  2.0 / 7,  2.0 / 5,  2.0 / 3};
  const auto rest = z * polynomial(series, z);
  return e * ln2_high - ((half_square - (s * (half_square + rest) + e * ln2_low)) - f);
}

inline double exp_of(double x) {
  return exp_of(both(x))[0];
}
inline double log_of(double x) {
  return log_of(both(x))[0];
}

// Each root is correctly rounded, as IEEE 754 has it.
inline Pair root_of(Pair x) {
  return Pair{std::sqrt(x[0]), std::sqrt(x[1])};
}

} // namespace tessera
