#include "suite.h"

/* An item is the product of two 96 x 96 matrices of f32: four lanes where the compiler finds them,
 * no fused operations. */

enum { n = 96 };

static float a[n][n], b[n][n], c[n][n];

static void fill(float m[n][n], uint64_t seed) {
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j += 4) {
      const uint64_t four = tessera_random(seed, (uint64_t)(i * n + j));
      for (int k = 0; k < 4; k++)
        m[i][j + k] = (float)(int16_t)(four >> 16 * k) / 32768.0f;
    }
}

static void multiply(void) {
  memset(c, 0, sizeof c);
  for (int i = 0; i < n; i++)
    for (int k = 0; k < n; k++)
      for (int j = 0; j < n; j++)
        c[i][j] += a[i][k] * b[k][j];
}

static uint64_t work(uint64_t item) {
  fill(a, item * 2);
  fill(b, item * 2 + 1);
  multiply();
  return suite_digest(c, sizeof c);
}

SUITE_RUN(work)
