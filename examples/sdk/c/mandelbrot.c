#include "tessera.h"

/* The Mandelbrot set, a byte for each pixel: how fast it escapes, 255 for never. An item is a
 * pixel, row by row, and partials join by the built-in merge `concat`, so this exports none.
 * --items is width * height. */

typedef struct {
  uint32_t width, height;
  double centre_x, centre_y, span; /* Span: the width of the picture, in the plane. */
} view;

static uint8_t escape(double cx, double cy) {
  double x = 0, y = 0;
  for (int n = 0; n < 255; n++) {
    const double xx = x * x, yy = y * y;
    if (xx + yy > 4)
      return (uint8_t)n;
    y = 2 * x * y + cy;
    x = xx - yy + cx;
  }
  return 255;
}

TESSERA_RUN {
  const tessera_range items = tessera_items();
  view v = {512, 512, -0.75, 0, 3};
  if (tessera_len(TESSERA_PARAMS) > 0)
    tessera_take(TESSERA_PARAMS, &v, sizeof v);
  const double step = v.span / v.width;
  for (uint64_t i = items.begin; i < items.end; i++) {
    const double column = (double)(i % v.width), row = (double)(i / v.width);
    const uint8_t shade = escape(v.centre_x + (column - v.width * 0.5) * step,
                                 v.centre_y + (row - v.height * 0.5) * step);
    tessera_write(&shade, 1);
  }
  return 0;
}
