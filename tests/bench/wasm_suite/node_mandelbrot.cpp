#include "mandelbrot.cpp" // The node's: the Makefile says which.

#include "tessera.h"

// The node's own kernel, mandelbrot, from its own source, as a module. Params: three u32, size,
// iterations and samples; an item is a tile, and its RGB bytes are the partial. Native jobs end
// with a PNG of the tiles, this one with the tiles.
namespace tessera {

Status write_png(const Tiling&, std::uint32_t, ByteView tiles, Bytes& out, int) {
  put(out, tiles);
  return Nothing{};
}

namespace {

View view_of_params() {
  std::uint32_t given[3];
  tessera_take(TESSERA_PARAMS, given, sizeof given);
  return View{{{"size", std::int64_t{given[0]}},
               {"width", std::int64_t{0}},
               {"height", std::int64_t{0}},
               {"cx", -0.65},
               {"cy", 0.0},
               {"span", 2.7},
               {"iterations", std::int64_t{given[1]}},
               {"samples", std::int64_t{given[2]}}}};
}

} // namespace
} // namespace tessera

TESSERA_RUN {
  static tessera::MandelbrotRun kernel{
      tessera::view_of_params()}; // Its palette is the same in every call.
  const auto items = tessera_items();
  tessera::Bytes tiles;
  if (!kernel.run(items.begin, items.end, tiles))
    return 1;
  tessera_write(tiles.data(), std::uint32_t(tiles.size()));
  return 0;
}
