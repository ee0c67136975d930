#include "tessera.hpp"

#include <array>

// Throws one die of 64 sides for each item, and counts: 64 counters of u64. Parameter: the seed, a
// u64; else 1.

using Counts = std::array<std::uint64_t, 64>;

TESSERA_RUN {
  const auto seed = tessera::read_or<std::uint64_t>(tessera::slot::params, 1);
  Counts counts{};
  for (const auto i : tessera::items())
    ++counts[tessera::random(seed, i) % counts.size()];
  tessera::write(counts);
  return 0;
}

TESSERA_MERGE {
  return tessera::merge<Counts>([](Counts left, const Counts& right) {
    for (std::size_t side = 0; side < left.size(); ++side)
      left[side] += right[side];
    return left;
  });
}
