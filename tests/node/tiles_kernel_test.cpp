#include "node/kernels/picture.hpp"
#include "tests/support/pictures.hpp"
#include "tests/support/serial.hpp"

#include <doctest/doctest.h>

using namespace tessera;

namespace {

using Given = std::map<std::string, std::string>;

Bytes tiled(const Picture& picture, const Given& given, std::uint64_t leaf = 0) {
  const auto result = serial_job(*find_kernel("tiles"), given, 0, leaf, png_file(picture));
  INFO((result.ok() ? std::string() : to_text(result.error())));
  REQUIRE(result.ok());
  return *result;
}

template<class F>
Picture drawn(const Picture& like, F f) {
  auto p = like;
  for (std::uint32_t y = 0; y < p.height; ++y)
    for (std::uint32_t x = 0; x < p.width; ++x)
      for (std::uint32_t c = 0; c < p.channels; ++c)
        p.samples[(std::size_t(y) * p.width + x) * p.channels + c] =
            std::uint8_t(std::clamp(f(std::int64_t(x), std::int64_t(y), c), 0, 255));
  return p;
}

Picture slow_sharpen(const Picture& p) {
  return drawn(p, [&](std::int64_t x, std::int64_t y, std::uint32_t c) {
    return 5 * p.at(x, y, c) - p.at(x - 1, y, c) - p.at(x + 1, y, c) - p.at(x, y - 1, c) -
           p.at(x, y + 1, c);
  });
}

Picture slow_invert(const Picture& p) {
  return drawn(
      p, [&](std::int64_t x, std::int64_t y, std::uint32_t c) { return 255 - p.at(x, y, c); });
}

std::string refusal(const Picture& picture, const Given& given) {
  const auto result = serial_job(*find_kernel("tiles"), given, 0, 0, png_file(picture));
  REQUIRE_FALSE(result.ok());
  CHECK(!result.error().what.empty());
  CHECK(!result.error().why.empty());
  CHECK(!result.error().fix.empty());
  return result.error().code;
}

} // namespace

TEST_CASE("a picture of 1000 x 1000 in 100 tiles is the one that one tile makes") {
  const auto picture = slopes(1000, 1000, 3);
  Bytes raw;
  REQUIRE(read_picture(png_file(picture), raw).ok());
  const auto& kernel = *find_kernel("tiles");
  const auto params = *check_params(kernel.info(), {{"tiles", "100"}});
  CHECK(kernel.plan(params, 0, ByteView(raw).first(64))->items == 100);
  CHECK(tiled(picture, {{"tiles", "100"}, {"format", "ppm"}}) ==
        tiled(picture, {{"tiles", "1"}, {"format", "ppm"}}));
}

TEST_CASE("each operation is stitched without a seam, whatever the tiles and the leaf") {
  std::uint64_t seed = 70;
  for (const auto& [w, h] : {std::pair{1, 1}, {3, 40}, {17, 16}, {40, 41}})
    for (const std::uint32_t channels : {1, 3}) {
      const auto p = noise(std::uint32_t(w), std::uint32_t(h), channels, ++seed);
      for (const std::string op : {"box", "gauss", "sharpen", "edge", "gray", "invert"}) {
        const auto whole = tiled(p, {{"op", op}, {"tiles", "1"}});
        INFO("seed " << seed << ": " << w << " x " << h << " x " << channels << " " << op);
        if (op == "sharpen")
          CHECK(png_picture(whole) == slow_sharpen(p));
        if (op == "invert")
          CHECK(png_picture(whole) == slow_invert(p));
        for (const std::string side : {"4", "7", "16"})
          for (const std::uint64_t leaf : {1, 3})
            CHECK(tiled(p, {{"op", op}, {"tile", side}}, leaf) == whole);
        if (w * h > 100)
          for (const std::string tiles : {"2", "3", "15", "16"})
            CHECK(tiled(p, {{"op", op}, {"tiles", tiles}}) == whole);
      }
    }
}

TEST_CASE("bands are tiles as well, and joined they are a PPM already") {
  const auto p = slopes(60, 50, 3);
  for (const std::string op : {"box", "gauss", "sharpen", "edge", "gray", "invert"})
    for (const std::string format : {"png", "ppm"}) {
      const auto whole = tiled(p, {{"op", op}, {"format", format}});
      INFO(op << " " << format);
      for (const std::string tiles : {"1", "2", "7", "50"})
        CHECK(tiled(p, {{"op", op}, {"format", format}, {"shape", "band"}, {"tiles", tiles}}) ==
              whole);
      CHECK(tiled(p, {{"op", op}, {"format", format}, {"shape", "band"}, {"tile", "16"}}) == whole);
    }
  CHECK(refusal(p, {{"shape", "band"}, {"tiles", "51"}}) == "E420");
}

TEST_CASE("a plain PPM is read where it lies, and its result is that of the same PNG") {
  for (const std::uint32_t channels : {1, 3}) {
    const auto p = noise(60, 50, channels, 99);
    auto file = to_bytes(view(pnm_head(60, 50, channels)));
    file.insert(file.end(), p.samples.begin(), p.samples.end());
    for (const std::string name : {"tiles", "filter"}) {
      const auto& kernel = *find_kernel(name);
      const auto params = *check_params(kernel.info(), {{"op", "box"}});
      REQUIRE(kernel.is_prepared(params, file));
      const auto plan = kernel.plan(params, 0, ByteView(file).first(64));
      REQUIRE(plan);
      CHECK(*serial_result(kernel, params, plan->items, 1, file) ==
            *serial_job(kernel, {{"op", "box"}}, 0, 0, png_file(p)));
      auto cut = file, longer = file;
      cut.pop_back();
      longer.push_back(0);
      for (const auto& other : {cut, longer, png_file(p)}) {
        CHECK_FALSE(kernel.is_prepared(params, other));
        CHECK(kernel.open(params, other, 0).error().code == "E422");
      }
    }
  }
}

TEST_CASE("tiles and filter make the same of the same operation") {
  const auto p = slopes(90, 70, 3);
  for (const std::string op : {"box", "gauss", "edge", "gray"})
    CHECK(tiled(p, {{"op", op}}) ==
          *serial_job(*find_kernel("filter"), {{"op", op}}, 0, 0, png_file(p)));
}

TEST_CASE("the result is a PNG of any level, or a PPM") {
  const auto p = slopes(90, 70, 3);
  const auto expected = slow_invert(p);
  for (const std::string level : {"0", "1", "2", "9"})
    CHECK(png_picture(tiled(p, {{"op", "invert"}, {"level", level}})) == expected);
  const auto ppm = tiled(p, {{"op", "invert"}, {"format", "ppm"}});
  const auto pgm = tiled(p, {{"op", "gray"}, {"format", "ppm"}});
  CHECK(text_of(ppm).substr(0, 13) == "P6\n90 70\n255\n");
  CHECK(Bytes(ppm.begin() + 13, ppm.end()) == expected.samples);
  CHECK(text_of(pgm).substr(0, 13) == "P5\n90 70\n255\n");
  CHECK(pgm.size() == 13 + 90 * 70);
}

TEST_CASE("what cannot be cut or done is refused") {
  const auto p = slopes(5, 4, 1);
  CHECK(refusal(p, {{"tiles", "21"}}) == "E420");
  CHECK(refusal(p, {{"tiles", "7"}}) == "E420");
  CHECK(refusal(p, {{"tiles", "-1"}}) == "E420");
  CHECK(refusal(p, {{"tile", "3"}}) == "E420");
  CHECK(refusal(p, {{"format", "gif"}}) == "E420");
  CHECK(refusal(p, {{"level", "10"}}) == "E420");
  CHECK(serial_job(*find_kernel("tiles"), {}, 3, 0, png_file(p)).error().code == "E421");
  CHECK(serial_job(*find_kernel("tiles"), {}, 0, 0, view("no picture")).error().code == "E422");
}

TEST_CASE("partials that are no tiles are refused with E711") {
  const auto& kernel = *find_kernel("tiles");
  const auto params = *check_params(kernel.info(), {{"tiles", "4"}});
  Bytes raw;
  REQUIRE(kernel.prepare(params, png_file(slopes(8, 8, 3)), raw).ok());
  auto run = *kernel.open(params, raw, 4);
  Bytes out;
  CHECK(run->merge(Bytes(100), Bytes(93), out).error().code == "E711");
  CHECK(run->finish(Bytes(191), out).error().code == "E711");
  CHECK(run->finish(Bytes(193), out).error().code == "E711");
  CHECK(run->finish(Bytes(192), out).ok());
}
