#include "tessera.hpp"

#include <functional>

// The sum of the squares of all items, modulo 2^64.

TESSERA_RUN {
  std::uint64_t sum = 0;
  for (const auto i : tessera::items())
    sum += i * i;
  tessera::write(sum);
  return 0;
}

TESSERA_MERGE {
  return tessera::merge<std::uint64_t>(std::plus<>{});
}
