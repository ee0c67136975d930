#include "tessera.h"

/* Throws one die of 64 sides for each item, and counts: 64 counters of u64. Parameter: the seed, a
 * u64; else 1. */

enum { sides = 64 };

TESSERA_RUN {
  const tessera_range items = tessera_items();
  uint64_t seed = 1, counts[sides] = {0};
  tessera_read(TESSERA_PARAMS, 0, &seed, sizeof seed);
  for (uint64_t i = items.begin; i < items.end; i++)
    counts[tessera_random(seed, i) % sides]++;
  tessera_write(counts, sizeof counts);
  return 0;
}

TESSERA_MERGE {
  uint64_t left[sides], right[sides];
  tessera_take(TESSERA_INPUT, left, sizeof left);
  tessera_take(TESSERA_OTHER, right, sizeof right);
  for (int i = 0; i < sides; i++)
    left[i] += right[i];
  tessera_write(left, sizeof left);
  return 0;
}
