#include "node/kernels/elementary.hpp"

#include "node/kernels/moments.hpp"
#include "node/kernels/normal.hpp"
#include "node/kernels/philox.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

using namespace tessera;

namespace {

double uniform(std::mt19937_64& rng, double from, double to) {
  return from + double(rng() >> 11) * 0x1p-53 * (to - from);
}

// How far x is from what it should be, in units of its own last place.
double ulps(double x, long double truth) {
  const auto unit =
      std::nextafter(std::abs(x), std::numeric_limits<double>::infinity()) - std::abs(x);
  return double(std::abs((long double)x - truth) / unit);
}

// P(Z < z), by another way: glibc's in long double.
long double normal_below(double z) {
  return std::erfc(-(long double)z / std::sqrt(2.0L)) / 2;
}

} // namespace

TEST_CASE("Philox gives the published answers") {
  // kat_vectors of Random123, which its authors publish: philox4x32, 10 rounds.
  struct Known {
    Philox::Words counter;
    std::uint64_t key;
    Philox::Words words;
  };
  const std::vector<Known> table{
      {{0, 0, 0, 0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       0xffffffffffffffff,
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       0x299f31d0a4093822,
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
  for (const auto& known : table) {
    const auto& c = known.counter;
    CHECK(Philox(known.key)(c[0] | std::uint64_t(c[1]) << 32, c[2] | std::uint64_t(c[3]) << 32) ==
          known.words);
  }
}

TEST_CASE("exp is within one unit in the last place over all that it takes") {
  const std::uint64_t seed = 31;
  std::mt19937_64 rng(seed);
  double worst = 0;
  for (int round = 0; round < 400'000; ++round) {
    const auto range = round % 2 ? 708.0 : 1.0;
    const auto x = uniform(rng, -range, range);
    worst = std::max(worst, ulps(exp_of(x), std::exp((long double)x)));
  }
  INFO("seed " << seed);
  CHECK(worst < 1);
  CHECK(worst > 0.4); // The measure itself works.
  CHECK(exp_of(0.0) == 1);
  CHECK(exp_of(-709.0) == 0);
  CHECK(exp_of(-std::numeric_limits<double>::infinity()) == 0);
}

TEST_CASE("log is within one unit in the last place, near 1 as well") {
  const std::uint64_t seed = 32;
  std::mt19937_64 rng(seed);
  double worst = 0;
  for (int round = 0; round < 400'000; ++round) {
    const auto x = round % 3 == 0   ? uniform(rng, 0.5, 2)
                   : round % 3 == 1 ? 1 + uniform(rng, -1e-6, 1e-6)
                                    : std::ldexp(uniform(rng, 1, 2), int(rng() % 2000) - 1000);
    worst = std::max(worst, ulps(log_of(x), std::log((long double)x)));
  }
  INFO("seed " << seed);
  CHECK(worst < 1);
  CHECK(worst > 0.4);
  CHECK(log_of(1.0) == 0);
}

TEST_CASE("a lane's number does not depend on what is in the other") {
  const std::uint64_t seed = 33;
  std::mt19937_64 rng(seed);
  for (int round = 0; round < 10'000; ++round) {
    const auto a = open_uniform(rng()), b = open_uniform(rng() >> (rng() % 50));
    INFO("seed " << seed << ": " << a << ", " << b);
    CHECK(normal_quantile(Pair{a, b})[0] == normal_quantile(both(a))[0]);
    CHECK(normal_quantile(Pair{a, b})[1] == normal_quantile(both(b))[0]);
    CHECK(log_of(Pair{a, b})[1] == log_of(b));
    CHECK(exp_of(Pair{-1000 * a, b})[1] == exp_of(b));
  }
}

TEST_CASE("uniform numbers are never 0 or 1, and as likely below a half as above") {
  CHECK(open_uniform(0) == 0x1p-53);
  CHECK(open_uniform(~std::uint64_t{0}) == 1 - 0x1p-53);
  CHECK(open_uniform(std::uint64_t{1} << 63) == 0.5 + 0x1p-53);
  CHECK(open_uniform(0x1234) == 1 - open_uniform(~std::uint64_t{0x1234}));
}

TEST_CASE("normal quantiles are those whose probability was asked for, out to the last tail") {
  const std::uint64_t seed = 34;
  std::mt19937_64 rng(seed);
  std::vector<double> us{0x1p-53, 1e-12, 1.3e-11, 1.4e-11, 1e-3, 0.0749, 0.0751, 0.5};
  for (int round = 0; round < 20'000; ++round)
    us.push_back(open_uniform(rng() >> (round % 52)));
  for (const auto u : us) {
    INFO("seed " << seed << ": u " << u);
    const auto z = normal_quantile(both(u))[0];
    // A relative error e of z becomes z^2 e of a tail's probability.
    const auto allowed = 4e-15L * std::max(1.0, z * z);
    CHECK(std::abs(normal_below(z) - u) <= allowed * std::min((long double)u, 1.0L));
    if (u < 0.5)
      CHECK(normal_quantile(both(1 - (1 - u)))[0] == -normal_quantile(both(1 - (1 - (1 - u))))[0]);
  }
  CHECK(normal_quantile(both(0.5))[0] == 0);
}

TEST_CASE("moments merged in any way are those of all numbers, also far from 0") {
  const std::uint64_t seed = 35;
  std::mt19937_64 rng(seed);
  for (int round = 0; round < 200; ++round) {
    const auto centre = round % 2 ? 1e9 : 0.0;
    std::vector<double> numbers;
    for (std::size_t i = 0; i < 2 + rng() % 500; ++i)
      numbers.push_back(centre + uniform(rng, -1, 1));
    long double sum = 0, squares = 0;
    for (const auto x : numbers)
      sum += x;
    const auto mean = sum / (long double)numbers.size();
    for (const auto x : numbers)
      squares += (x - mean) * (x - mean);
    const auto cut = rng() % (numbers.size() + 1);
    const auto all = merged(moments_of(numbers.data(), cut),
                            moments_of(numbers.data() + cut, numbers.size() - cut));
    INFO("seed " << seed << " round " << round << ", cut at " << cut);
    CHECK(all.count == numbers.size());
    CHECK(all.mean == doctest::Approx(double(mean)).epsilon(1e-14));
    CHECK(all.squares == doctest::Approx(double(squares)).epsilon(1e-6));
  }
}

TEST_CASE("equal numbers have exactly their mean, and no variance, however they are cut") {
  const std::vector<double> numbers(1000, 0.1);
  auto all = moments_of(numbers.data(), 333);
  all = merged(all, moments_of(numbers.data(), 667));
  CHECK(all == Moments{1000, 0.1, 0});
  CHECK(standard_error(all) == std::optional(0.0));
  CHECK(standard_error(Moments{1, 5, 0}) == std::nullopt);
}
