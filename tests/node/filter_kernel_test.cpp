#include "node/kernels/convolve.hpp"
#include "node/kernels/picture.hpp"
#include "tests/support/pictures.hpp"
#include "tests/support/serial.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

using namespace tessera;

namespace {

using Given = std::map<std::string, std::string>;

const Kernel& filter() {
  return *find_kernel("filter");
}

Picture filtered(const Picture& picture, const Given& given, std::uint64_t leaf = 0) {
  const auto result = serial_job(filter(), given, 0, leaf, png_file(picture));
  INFO((result.ok() ? std::string() : to_text(result.error())));
  REQUIRE(result.ok());
  return png_picture(*result);
}

// Calls f(x, y, c) for each sample of a picture as large as `like`.
template<class F>
Picture drawn(const Picture& like, std::uint32_t channels, F f) {
  Picture p{like.width, like.height, channels, {}};
  for (std::uint32_t y = 0; y < p.height; ++y)
    for (std::uint32_t x = 0; x < p.width; ++x)
      for (std::uint32_t c = 0; c < channels; ++c)
        p.samples.push_back(std::uint8_t(f(x, y, c)));
  return p;
}

// The oracles: each sample by itself, from the definition.
Picture slow_box(const Picture& p, int radius) {
  return drawn(p, p.channels, [&](std::int64_t x, std::int64_t y, std::uint32_t c) {
    int sum = 0, n = 0;
    for (auto v = y - radius; v <= y + radius; ++v)
      for (auto u = x - radius; u <= x + radius; ++u, ++n)
        sum += p.at(u, v, c);
    return (sum + n / 2) / n;
  });
}

Picture slow_gauss(const Picture& p, double sigma) {
  const auto weights = gauss_weights(sigma);
  const int radius = int(weights.size()) - 1;
  const auto weight = [&](int k) { return std::int64_t(weights[std::size_t(std::abs(k))]); };
  return drawn(p, p.channels, [&](std::int64_t x, std::int64_t y, std::uint32_t c) {
    std::int64_t sum = 0;
    for (int i = -radius; i <= radius; ++i) {
      std::int64_t column = 0;
      for (int j = -radius; j <= radius; ++j)
        column += weight(j) * p.at(x + i, y + j, c);
      sum += weight(i) * ((column + 128) / 256);
    }
    return (sum + (1 << 21)) / (1 << 22);
  });
}

// In real numbers, with libm: what the integers stand for.
Picture true_gauss(const Picture& p, double sigma) {
  const int radius = int(std::ceil(3 * sigma));
  double total = 0;
  for (int i = -radius; i <= radius; ++i)
    total += std::exp(-i * i / (2 * sigma * sigma));
  return drawn(p, p.channels, [&](std::int64_t x, std::int64_t y, std::uint32_t c) {
    double sum = 0;
    for (int j = -radius; j <= radius; ++j)
      for (int i = -radius; i <= radius; ++i)
        sum += std::exp(-(i * i + j * j) / (2 * sigma * sigma)) * p.at(x + i, y + j, c);
    return std::lround(sum / total / total);
  });
}

int luma(const Picture& p, std::int64_t x, std::int64_t y) {
  if (p.channels == 1)
    return p.at(x, y, 0);
  return (77 * p.at(x, y, 0) + 150 * p.at(x, y, 1) + 29 * p.at(x, y, 2) + 128) / 256;
}

Picture slow_gray(const Picture& p) {
  return drawn(p, 1, [&](std::int64_t x, std::int64_t y, std::uint32_t) { return luma(p, x, y); });
}

Picture slow_edge(const Picture& p) {
  return drawn(p, 1, [&](std::int64_t x, std::int64_t y, std::uint32_t) {
    int gx = 0, gy = 0;
    for (int k = -1; k <= 1; ++k) {
      gx += (2 - k * k) * (luma(p, x + 1, y + k) - luma(p, x - 1, y + k));
      gy += (2 - k * k) * (luma(p, x + k, y + 1) - luma(p, x + k, y - 1));
    }
    int root = 0;
    while (root < 255 && (root + 1) * (root + 1) <= gx * gx + gy * gy)
      ++root;
    return root;
  });
}

const std::vector<std::pair<std::uint32_t, std::uint32_t>> odd_sizes{
    {1, 1}, {2, 1}, {1, 2}, {3, 40}, {17, 16}, {33, 5}, {40, 41}};

std::string name_of(const Picture& p) {
  return std::to_string(p.width) + " x " + std::to_string(p.height) + " x " +
         std::to_string(p.channels);
}

} // namespace

TEST_CASE("each filter is its definition, for odd sizes, gray and RGB, and any tile") {
  std::uint64_t seed = 100;
  for (const auto& [w, h] : odd_sizes)
    for (const std::uint32_t channels : {1, 3})
      for (const std::string tile : {"4", "7", "16", "64"}) {
        const auto p = noise(w, h, channels, ++seed);
        INFO("seed " << seed << ": " << name_of(p) << ", tile " << tile);
        for (const auto& [text, radius] : {std::pair{"0", 0}, {"1", 1}, {"3", 3}, {"9", 9}})
          CHECK(filtered(p, {{"op", "box"}, {"radius", text}, {"tile", tile}}) ==
                slow_box(p, radius));
        for (const auto& [text, sigma] : {std::pair{"0.1", 0.1}, {"0.8", 0.8}, {"2.5", 2.5}})
          CHECK(filtered(p, {{"op", "gauss"}, {"sigma", text}, {"tile", tile}}) ==
                slow_gauss(p, sigma));
        CHECK(filtered(p, {{"op", "gray"}, {"tile", tile}}) == slow_gray(p));
        CHECK(filtered(p, {{"op", "edge"}, {"tile", tile}}) == slow_edge(p));
      }
}

TEST_CASE("the widest halos are right as well") {
  const auto p = noise(30, 20, 3, 8);
  CHECK(filtered(p, {{"op", "box"}, {"radius", "128"}, {"tile", "16"}}) == slow_box(p, 128));
  CHECK(filtered(p, {{"op", "gauss"}, {"sigma", "40"}, {"tile", "16"}}) == slow_gauss(p, 40));
  const auto white = drawn(p, 3, [](auto, auto, auto) { return 255; });
  CHECK(filtered(white, {{"op", "box"}, {"radius", "128"}}) == white);
  CHECK(filtered(white, {{"op", "gauss"}, {"sigma", "40"}}) == white);
}

TEST_CASE("integer weights blur as real numbers do, to one step") {
  for (const double sigma : {0.3, 1.0, 3.3, 6.0}) {
    const auto p = noise(40, 30, 1, 9);
    const auto ours = filtered(p, {{"op", "gauss"}, {"sigma", std::to_string(sigma)}});
    const auto real = true_gauss(p, sigma);
    int most = 0;
    for (std::size_t i = 0; i < ours.samples.size(); ++i)
      most = std::max(most, std::abs(int(ours.samples[i]) - int(real.samples[i])));
    INFO("sigma " << sigma);
    CHECK(most <= 1);
  }
}

TEST_CASE("Gauss weights sum to 2^15 and follow the bell, to two units") {
  for (double sigma = 0.1; sigma <= 40; sigma += 0.1) {
    const auto weights = gauss_weights(sigma);
    INFO("sigma " << sigma);
    CHECK(weights.size() == std::size_t(std::max(1.0, std::ceil(3 * sigma))) + 1);
    CHECK(2 * std::accumulate(weights.begin() + 1, weights.end(), 0) + weights[0] == 1 << 15);
    double total = 1;
    for (std::size_t k = 1; k < weights.size(); ++k)
      total += 2 * std::exp(-double(k * k) / (2 * sigma * sigma));
    for (std::size_t k = 0; k < weights.size(); ++k)
      CHECK(std::abs(weights[k] - std::exp(-double(k * k) / (2 * sigma * sigma)) / total * 32768) <=
            2);
  }
}

TEST_CASE("20,000 x 3 and 3 x 20,000 are filtered right") {
  for (const auto& p : {noise(20'000, 3, 3, 12), noise(3, 20'000, 1, 13)}) {
    CHECK(filtered(p, {{"op", "box"}, {"radius", "2"}}) == slow_box(p, 2));
    CHECK(filtered(p, {{"op", "edge"}}) == slow_edge(p));
  }
}

TEST_CASE("the bytes of the PNG do not depend on the leaf") {
  const auto p = slopes(100, 90, 3);
  const auto file = png_file(p);
  for (const std::string op : {"box", "gauss", "edge", "gray"}) {
    const auto one = serial_job(filter(), {{"op", op}, {"tile", "16"}}, 0, 1, file);
    REQUIRE(one.ok());
    for (const std::uint64_t leaf : {2, 5, 42, 1000})
      CHECK(*serial_job(filter(), {{"op", op}, {"tile", "16"}}, 0, leaf, file) == *one);
  }
}

TEST_CASE("a run's bytes do not depend on what it ran before") {
  const auto p = noise(50, 50, 3, 14);
  const auto params = *check_params(filter().info(), {{"op", "gauss"}, {"tile", "16"}});
  Bytes raw;
  REQUIRE(filter().prepare(params, png_file(p), raw).ok());
  const auto plan = *filter().plan(params, 0, raw);
  auto used = *filter().open(params, raw, plan.items);
  for (auto item = plan.items; item-- > 0;) {
    auto fresh = *filter().open(params, raw, plan.items);
    Bytes a, b;
    REQUIRE(used->run(item, item + 1, a).ok());
    REQUIRE(fresh->run(item, item + 1, b).ok());
    CHECK(a == b);
  }
}

TEST_CASE("a photograph in JPEG goes in, a PNG of its size comes out") {
  const auto file = jpeg_file(slopes(150, 70, 3), {});
  const auto result = serial_job(filter(), {}, 0, 0, file);
  REQUIRE(result.ok());
  const auto out = png_picture(*result);
  CHECK(out.width == 150);
  CHECK(out.height == 70);
  CHECK(out.channels == 3);
}

TEST_CASE("bad input, items and partials are refused with their codes") {
  const auto params = *check_params(filter().info(), {});
  Bytes raw;
  REQUIRE(filter().prepare(params, png_file(noise(100, 100, 3, 1)), raw).ok());
  CHECK(filter().plan(params, 0, ByteView(raw).first(64))->items == 4);
  CHECK(filter().plan(params, 4, ByteView(raw).first(64)).ok());
  CHECK(filter().plan(params, 5, ByteView(raw).first(64)).error().code == "E421");
  CHECK(filter().plan(params, 0, {}).error().code == "E422");
  CHECK(filter().plan(params, 0, view("this is no picture, and long enough")).error().code ==
        "E422");
  CHECK(filter().open(params, {}, 4).error().code == "E422");
  CHECK(filter().open(params, ByteView(raw).first(raw.size() - 1), 4).error().code == "E422");
  CHECK(filter().open(params, raw, 5).error().code == "E421");
  auto run = *filter().open(params, raw, 4);
  Bytes out;
  CHECK(run->finish(Bytes(29'999), out).error().code == "E711");
  CHECK(run->finish(Bytes(30'001), out).error().code == "E711");
  CHECK(run->merge(Bytes(20'000), Bytes(10'001), out).error().code == "E711");
  CHECK(run->merge(Bytes(20'000), Bytes(10'000), out).ok());
  CHECK(serial_job(filter(), {}, 0, 0, {}).error().code == "E422");
}

TEST_CASE("bad parameters of filter are refused with E420") {
  for (const auto& given : std::vector<Given>{{{"op", "blur"}},
                                              {{"radius", "129"}},
                                              {{"radius", "-1"}},
                                              {{"sigma", "0"}},
                                              {{"sigma", "41"}},
                                              {{"tile", "3"}},
                                              {{"tile", "1025"}},
                                              {{"raduis", "3"}}}) {
    INFO(given.begin()->first);
    const auto params = check_params(filter().info(), given);
    REQUIRE_FALSE(params.ok());
    CHECK(params.error().code == "E420");
  }
}
