#include "suite.h"

/* An item is a row of 256 pixels, at most 256 iterations each: scalar f64, a loop that ends where
 * the data says. */

enum { side = 256, iterations = 256 };

static uint32_t escape(double cx, double cy) {
  double x = 0, y = 0;
  for (uint32_t n = 0; n < iterations; n++) {
    const double xx = x * x, yy = y * y;
    if (xx + yy > 4)
      return n;
    y = 2 * x * y + cy;
    x = xx - yy + cx;
  }
  return iterations;
}

static uint64_t work(uint64_t item) {
  const double cy = ((double)(item % side) - side / 2) * (2.5 / side);
  uint64_t digest = item;
  for (int column = 0; column < side; column++)
    digest = digest * 31 + escape(-2 + column * (2.5 / side), cy);
  return digest;
}

SUITE_RUN(work)
