#include "node/kernels/colours.hpp"
#include "tests/support/pictures.hpp"
#include "tests/support/serial.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

using namespace tessera;

namespace {

using Given = std::map<std::string, std::string>;

const Kernel& mandelbrot() {
  return *find_kernel("mandelbrot");
}

Picture seen(const Given& given, std::uint64_t leaf = 0) {
  const auto result = serial_job(mandelbrot(), given, 0, leaf);
  INFO((result.ok() ? std::string() : to_text(result.error())));
  REQUIRE(result.ok());
  return png_picture(*result);
}

// The definition, one point after the other, no shortcut for the inside.
Colour slow_point(double cx, double cy, std::uint32_t iterations) {
  static const Palette palette;
  double zx = 0, zy = 0;
  for (std::uint32_t n = 1; n <= iterations; ++n) {
    const double xx = zx * zx, yy = zy * zy, xy = zx * zy;
    zx = (xx - yy) + cx;
    zy = (xy + xy) + cy;
    if (zx * zx + zy * zy > 65536)
      return palette.escaped(n, zx * zx + zy * zy, 65536);
  }
  return {};
}

Picture slow_view(std::uint32_t width, std::uint32_t height, double cx, double cy, double span,
                  std::uint32_t iterations, std::uint32_t samples = 1) {
  Picture p{width, height, 3, {}};
  const double step = span / (double(width) * samples);
  for (std::uint32_t y = 0; y < height; ++y)
    for (std::uint32_t x = 0; x < width; ++x) {
      const auto half = samples * samples / 2;
      std::uint32_t sum[3] = {half, half, half};
      for (std::uint32_t v = 0; v < samples; ++v)
        for (std::uint32_t u = 0; u < samples; ++u) {
          const auto c =
              slow_point(cx + (x * samples + u + 0.5 - width * samples * 0.5) * step,
                         cy - (y * samples + v + 0.5 - height * samples * 0.5) * step, iterations);
          sum[0] += c.red, sum[1] += c.green, sum[2] += c.blue;
        }
      for (const auto s : sum)
        p.samples.push_back(std::uint8_t(s / (samples * samples)));
    }
  return p;
}

} // namespace

TEST_CASE("lanes and shortcuts see what the definition sees, bit for bit") {
  CHECK(seen({{"size", "150"}, {"iterations", "300"}}) == slow_view(150, 150, -0.65, 0, 2.7, 300));
  CHECK(seen({{"width", "260"},
              {"height", "37"},
              {"cx", "-0.745"},
              {"cy", "0.113"},
              {"span", "0.01"},
              {"iterations", "700"}}) == slow_view(260, 37, -0.745, 0.113, 0.01, 700));
  CHECK(seen({{"size", "40"}, {"iterations", "90"}, {"samples", "3"}}) ==
        slow_view(40, 40, -0.65, 0, 2.7, 90, 3));
}

TEST_CASE("every limit of iterations is met exactly") {
  for (const int limit : {1, 2, 15, 16, 17, 31, 32, 33, 100}) {
    INFO(limit << " iterations");
    CHECK(seen({{"size", "32"}, {"iterations", std::to_string(limit)}}) ==
          slow_view(32, 32, -0.65, 0, 2.7, std::uint32_t(limit)));
  }
}

TEST_CASE("views far out, thin and tiny are drawn as well") {
  CHECK(seen({{"size", "1"}}).samples.size() == 3);
  CHECK(seen({{"width", "20000"}, {"height", "3"}, {"iterations", "50"}}) ==
        slow_view(20'000, 3, -0.65, 0, 2.7, 50));
  CHECK(seen({{"width", "3"}, {"height", "2000"}, {"span", "16"}, {"cx", "4"}, {"cy", "-4"}}) ==
        slow_view(3, 2000, 4, -4, 16, 1000));
}

TEST_CASE("the bytes of the PNG do not depend on the leaf") {
  const auto one = serial_job(mandelbrot(), {{"size", "300"}}, 0, 1);
  REQUIRE(one.ok());
  for (const std::uint64_t leaf : {2, 4, 9})
    CHECK(*serial_job(mandelbrot(), {{"size", "300"}}, 0, leaf) == *one);
}

TEST_CASE("our logarithm is the logarithm") {
  for (double x = 1e-300; x < 1e300; x *= 1.37) {
    INFO(x);
    CHECK(std::abs(log2_of(x) - std::log2(x)) < 1e-6);
  }
  CHECK(log2_of(1) == 0);
  CHECK(log2_of(65536) == 16);
}

TEST_CASE("neighbouring points in the open have neighbouring colours") {
  const auto p = seen({{"size", "400"}, {"cx", "-3"}, {"cy", "2"}, {"span", "2"}});
  for (std::int64_t y = 1; y < p.height; ++y)
    for (std::int64_t x = 1; x < p.width; ++x)
      for (std::uint32_t c = 0; c < 3; ++c) {
        CHECK_UNARY(std::abs(p.at(x, y, c) - p.at(x - 1, y, c)) <= 8);
        CHECK_UNARY(std::abs(p.at(x, y, c) - p.at(x, y - 1, c)) <= 8);
      }
}

TEST_CASE("the palette closes: its last step is next to its first") {
  const Palette palette;
  for (std::uint32_t step = 0; step < Palette::steps; ++step) {
    const auto a = palette[step], b = palette[step + 1];
    CHECK(std::abs(a.red - b.red) <= 2);
    CHECK(std::abs(a.green - b.green) <= 2);
    CHECK(std::abs(a.blue - b.blue) <= 2);
  }
}

TEST_CASE("pictures too large, other items and bad partials are refused") {
  const auto checked = [](const Given& given) { return *check_params(mandelbrot().info(), given); };
  CHECK(mandelbrot().plan(checked({{"size", "20000"}}), 0, {}).error().code == "E420");
  CHECK(mandelbrot().open(checked({{"size", "20000"}}), {}, 0).error().code == "E420");
  CHECK(mandelbrot().plan(checked({{"size", "8192"}}), 0, {})->items == 4096);
  CHECK(mandelbrot().plan(checked({{"size", "129"}}), 4, {}).ok());
  CHECK(mandelbrot().plan(checked({{"size", "129"}}), 3, {}).error().code == "E421");
  auto run = *mandelbrot().open(checked({{"size", "10"}}), {}, 1);
  Bytes out;
  CHECK(run->finish(Bytes(299), out).error().code == "E711");
  CHECK(run->merge(Bytes(200), Bytes(101), out).error().code == "E711");
  for (const auto& given : std::vector<Given>{{{"size", "0"}},
                                              {{"size", "100001"}},
                                              {{"span", "0"}},
                                              {{"span", "17"}},
                                              {{"iterations", "0"}},
                                              {{"samples", "9"}},
                                              {{"cx", "x"}}}) {
    INFO(given.begin()->first);
    CHECK(check_params(mandelbrot().info(), given).error().code == "E420");
  }
}
