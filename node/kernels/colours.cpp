#include "node/kernels/colours.hpp"

#include <bit>
#include <cmath>

namespace tessera {
namespace {

struct Stop {
  std::uint32_t at; // In steps of the ring.
  Colour colour;
};

// A guess, by eye.
constexpr std::array<Stop, 7> stops{{
    {0, {4, 10, 44}},
    {640, {22, 66, 148}},
    {1500, {142, 210, 240}},
    {1980, {255, 250, 226}},
    {2560, {252, 178, 52}},
    {3200, {150, 40, 24}},
    {Palette::steps, {4, 10, 44}},
}};

constexpr std::uint32_t first_step = Palette::steps - 1000; // Night where the plane is empty.

// 3t^2 - 2t^3 of t = part / whole, in 1/2^16: no corner at the stops.
std::int64_t eased(std::int64_t part, std::int64_t whole) {
  const auto t = (part << 16) / whole;
  return (t * t >> 16) * (3 * 65536 - 2 * t) >> 16;
}

std::uint8_t between(std::uint8_t a, std::uint8_t b, std::int64_t t) {
  return std::uint8_t(a + ((std::int64_t(b) - a) * t + 32768) / 65536);
}

} // namespace

double log2_of(double x) {
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const auto exponent = std::int64_t(bits >> 52) - 1023;
  const auto m = std::bit_cast<double>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  // ln m = 2 artanh((m - 1) / (m + 1)); 1 <= m < 2, so that s < 1/3.
  const auto s = (m - 1) / (m + 1), q = s * s;
  const auto series = 1 + q * (1.0 / 3 + q * (1.0 / 5 + q * (1.0 / 7 + q * (1.0 / 9 + q / 11))));
  constexpr double two_over_ln2 = 2.8853900817779268;
  return double(exponent) + s * series * two_over_ln2;
}

Palette::Palette() {
  for (std::size_t i = 0; i + 1 < stops.size(); ++i) {
    const auto &a = stops[i], &b = stops[i + 1];
    for (auto step = a.at; step < b.at; ++step) {
      const auto t = eased(step - a.at, b.at - a.at);
      ring_.push_back({between(a.colour.red, b.colour.red, t),
                       between(a.colour.green, b.colour.green, t),
                       between(a.colour.blue, b.colour.blue, t)});
    }
  }
}

Colour Palette::escaped(std::uint32_t n, double norm, double bailout) const {
  // In (n - 1, n]: norm lies between bailout and about its square.
  const auto time = double(n) - log2_of(log2_of(norm) / log2_of(bailout));
  // Roots, which IEEE 754 rounds correctly, keep the far bands as wide as the near ones.
  const auto bands = std::sqrt(time < 0 ? 0 : time);
  return (*this)[std::uint32_t(bands * 640) + first_step];
}

} // namespace tessera
