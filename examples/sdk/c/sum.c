#include "tessera.h"

/* The sum of the squares of all items, modulo 2^64. */

TESSERA_RUN {
  const tessera_range items = tessera_items();
  uint64_t sum = 0;
  for (uint64_t i = items.begin; i < items.end; i++)
    sum += i * i;
  tessera_write(&sum, sizeof sum);
  return 0;
}

TESSERA_MERGE {
  uint64_t left, right;
  tessera_take(TESSERA_INPUT, &left, sizeof left);
  tessera_take(TESSERA_OTHER, &right, sizeof right);
  left += right;
  tessera_write(&left, sizeof left);
  return 0;
}
