#pragma once

#include "crypto/bytes.hpp"

#include <optional>

// Count, mean, and the sum of squared differences from it, of numbers that nobody keeps.
namespace tessera {

struct Moments {
  static constexpr std::size_t bytes = 24;
  std::uint64_t count = 0;
  double mean = 0, squares = 0;

  bool operator==(const Moments&) const = default;
};

// In two passes from the first number on, so that equal numbers have exactly their mean, and no
// variance.
Moments moments_of(const double* numbers, std::size_t count);

// Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm for computing sample variances
// (1979). The counts together are below 2^64.
Moments merged(const Moments& left, const Moments& right);

// Of the mean; nothing for a single number.
std::optional<double> standard_error(const Moments& moments);

void put_moments(Bytes& out, const Moments& moments); // Little-endian.
// Nothing: not what any numbers have, or more than `most` of them.
std::optional<Moments> get_moments(ByteView bytes, std::uint64_t most);

} // namespace tessera
