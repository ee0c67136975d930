#ifndef SUITE_H
#define SUITE_H

#include "tessera.h"

/* What the suite's kernels share: `run` adds up work(item), modulo 2^64, over the leaf's items, and
 * writes that u64. So any split into leaves has the same total under the built-in merge `sum` of
 * i64, and a native build the same as a module. */
#define SUITE_RUN(work)                                                                            \
  TESSERA_RUN {                                                                                    \
    const tessera_range items = tessera_items();                                                   \
    uint64_t total = 0;                                                                            \
    for (uint64_t i = items.begin; i < items.end; i++)                                             \
      total += work(i);                                                                            \
    tessera_write(&total, sizeof total);                                                           \
    return 0;                                                                                      \
  }

/* Of a result's bits, eight at a time; n is a multiple of eight. */
static inline uint64_t suite_digest(const void* from, uint32_t n) {
  uint64_t digest = n;
  for (uint32_t i = 0; i < n; i += 8) {
    uint64_t word;
    memcpy(&word, (const char*)from + i, 8);
    digest = (digest ^ word) * 0x9e3779b97f4a7c15u;
    digest ^= digest >> 29;
  }
  return digest;
}

#endif
