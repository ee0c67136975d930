#include "node/kernels/kernel.hpp"

#include <cstdio>
#include <cstdlib>

// What the node's own mandelbrot makes before it is a PNG, on stdout: mandelbrot_tiles SIZE
// ITERATIONS SAMPLES. A module from the same source must make the same bytes.
int main(int argc, char** argv) {
  using namespace tessera;
  const auto* kernel = find_kernel("mandelbrot");
  const auto params =
      argc == 4 ? check_params(kernel->info(),
                               {{"size", argv[1]}, {"iterations", argv[2]}, {"samples", argv[3]}})
                : Error{"", "usage: mandelbrot_tiles SIZE ITERATIONS SAMPLES", "", ""};
  if (!params) {
    std::fprintf(stderr, "%s\n", params.error().what.c_str());
    return 2;
  }
  const auto plan = kernel->plan(*params, 0, {});
  const auto run = kernel->open(*params, {}, plan->items);
  Bytes tiles;
  if (!(*run)->run(0, plan->items, tiles))
    return 1;
  return std::fwrite(tiles.data(), 1, tiles.size(), stdout) == tiles.size() ? 0 : 1;
}
