#pragma once

#include "node/kernels/elementary.hpp"

// The standard normal distribution.
namespace tessera {

// From uniform to normal: z with P(Z < z) = u, for 0 < u < 1; to about 1e-16 of it.
// Wichura: Algorithm AS 241, PPND16, Applied Statistics 37 (1988) 477-484.
Pair normal_quantile(Pair u);

// 52 random bits as the middle of one of as many cells of (0, 1): u and 1 - u are as likely, and
// neither is 0.
inline double open_uniform(std::uint64_t bits) {
  return std::bit_cast<double>((bits >> 12) | 0x3ff0000000000000) - (1 - 0x1p-53);
}

} // namespace tessera
