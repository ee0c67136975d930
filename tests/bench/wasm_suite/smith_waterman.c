#include "suite.h"

/* An item is the local alignment (Smith, Waterman 1981) of two sequences of 256 letters, linear
 * gaps: integer maxima, each cell waiting for its three neighbours. */

enum { length = 256, match = 3, mismatch = -3, gap = 2 };

static void letters(uint8_t* to, uint64_t seed) {
  for (int i = 0; i < length; i += 32) {
    uint64_t random = tessera_random(seed, (uint64_t)i);
    for (int j = 0; j < 32; j++, random >>= 2)
      to[i + j] = random & 3;
  }
}

static int larger(int a, int b) {
  return a > b ? a : b;
}

static int best_score(const uint8_t* s, const uint8_t* t) {
  int row[length + 1] = {0}, best = 0; /* The row above, replaced from the left. */
  for (int i = 0; i < length; i++) {
    int diagonal = 0;
    for (int j = 1; j <= length; j++) {
      const int paired = diagonal + (s[i] == t[j - 1] ? match : mismatch);
      diagonal = row[j];
      row[j] = larger(larger(0, paired), larger(row[j], row[j - 1]) - gap);
      best = larger(best, row[j]);
    }
  }
  return best;
}

static uint64_t work(uint64_t item) {
  uint8_t s[length], t[length];
  letters(s, item * 2);
  letters(t, item * 2 + 1);
  return item * 31 + (uint64_t)best_score(s, t);
}

SUITE_RUN(work)
