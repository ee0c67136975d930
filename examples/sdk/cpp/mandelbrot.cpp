#include "tessera.hpp"

#include <complex>
#include <vector>

// The Mandelbrot set, a byte for each pixel: how fast it escapes, 255 for never. An item is a
// pixel, row by row, and partials join by the built-in merge `concat`, so this exports none.
// --items is width * height.

struct View {
  std::uint32_t width = 512, height = 512;
  double centre_x = -0.75, centre_y = 0, span = 3; // Span: the width of the picture, in the plane.

  std::complex<double> point(std::uint64_t pixel) const {
    const double column = double(pixel % width), row = double(pixel / width), step = span / width;
    return {centre_x + (column - width * 0.5) * step, centre_y + (row - height * 0.5) * step};
  }
};

static std::uint8_t escape(std::complex<double> c) {
  double x = 0, y = 0;
  for (std::uint8_t n = 0; n < 255; ++n) {
    const double xx = x * x, yy = y * y;
    if (xx + yy > 4)
      return n;
    y = 2 * x * y + c.imag();
    x = xx - yy + c.real();
  }
  return 255;
}

TESSERA_RUN {
  const auto view = tessera::read_or(tessera::slot::params, View{});
  const auto items = tessera::items();
  std::vector<std::uint8_t> shades;
  shades.reserve(items.size());
  for (const auto pixel : items)
    shades.push_back(escape(view.point(pixel)));
  tessera::write_bytes(std::as_bytes(std::span{shades}));
  return 0;
}
