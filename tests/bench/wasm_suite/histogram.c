#include "suite.h"

/* An item counts the byte values of 64 KiB of its own making: loads and stores that depend on data.
 */

enum { bytes = 1 << 16 };

static uint8_t data[bytes];

/* Xorshift (Marsaglia 2003): a register's worth of work for each eight bytes, so that the counting
 * dominates. */
static void fill(uint64_t state) {
  for (int i = 0; i < bytes; i += 8) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    memcpy(data + i, &state, 8);
  }
}

static uint64_t work(uint64_t item) {
  uint32_t counts[256] = {0};
  fill(tessera_random(1, item) | 1);
  for (int i = 0; i < bytes; i++)
    counts[data[i]]++;
  return suite_digest(counts, sizeof counts);
}

SUITE_RUN(work)
