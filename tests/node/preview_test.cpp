#include "node/kernels/preview.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace tessera;

namespace {

// A picture whose pixels tell where they are.
struct Source {
  Tiling tiling;
  std::uint32_t channels;

  std::uint8_t at(std::uint32_t x, std::uint32_t y, std::uint32_t c) const {
    return std::uint8_t(x * 7 + y * 13 + c * 50);
  }
  Bytes tiles(std::uint64_t first, std::uint64_t end) const {
    Bytes all;
    for (auto item = first; item < end; ++item) {
      const auto t = tiling.tile(item);
      for (auto y = t.y; y < t.y + t.height; ++y)
        for (auto x = t.x; x < t.x + t.width; ++x)
          for (std::uint32_t c = 0; c < channels; ++c)
            all.push_back(at(x, y, c));
    }
    return all;
  }
  Preview preview(std::uint32_t width) const { return {{tiling, channels}, width}; }
};

Bytes png_of(const Preview& preview) {
  Bytes png;
  REQUIRE(preview.write(png).ok());
  return png;
}

// As read_picture flattens it: what is transparent is white.
struct Pixels {
  PictureHead head;
  Bytes raw;
  explicit Pixels(const Bytes& png) {
    REQUIRE(read_picture(png, raw).ok());
    head = *get_head(raw);
  }
  std::uint8_t at(std::uint32_t x, std::uint32_t y, std::uint32_t c) const {
    return raw[picture_head_bytes + (std::size_t(y) * head.width + x) * head.channels + c];
  }
};

} // namespace

TEST_CASE("a preview as wide as the picture is the picture") {
  for (const auto channels : {1u, 3u}) {
    const Source source{{37, 21, 8}, channels};
    auto preview = source.preview(2048);
    CHECK(preview.width() == 37);
    REQUIRE(preview.paint(0, source.tiling.tiles(), source.tiles(0, source.tiling.tiles())));
    const Pixels seen{png_of(preview)};
    for (std::uint32_t y = 0; y < 21; ++y)
      for (std::uint32_t x = 0; x < 37; ++x)
        for (std::uint32_t c = 0; c < 3; ++c)
          CHECK(seen.at(x, y, c) == source.at(x, y, channels == 1 ? 0 : c));
  }
}

TEST_CASE("a preview is the same whatever the cuts and their order, and as from the file") {
  std::mt19937 dice{5};
  for (int round = 0; round < 30; ++round) {
    const auto side = [&] { return std::uint32_t(1 + dice() % 200); };
    const Source source{{side(), side(), 1 + std::uint32_t(dice() % 40)}, dice() % 2 ? 3u : 1u};
    const auto width = std::uint32_t(16 + dice() % 100);
    const auto tiles = source.tiling.tiles();
    auto at_once = source.preview(width), in_pieces = source.preview(width),
         from_file = source.preview(width), from_plain = source.preview(width);
    const auto all = source.tiles(0, tiles);
    REQUIRE(at_once.paint(0, tiles, all));
    std::vector<std::pair<std::uint64_t, std::uint64_t>> cuts;
    for (std::uint64_t first = 0; first < tiles;) {
      const auto end = std::min(tiles, first + 1 + dice() % 9);
      cuts.emplace_back(first, end);
      first = end;
    }
    std::shuffle(cuts.begin(), cuts.end(), dice);
    for (const auto& [first, end] : cuts)
      REQUIRE(in_pieces.paint(first, end, source.tiles(first, end)));
    Bytes file, plain;
    REQUIRE(write_png(source.tiling, source.channels, all, file).ok());
    REQUIRE(from_file.paint_file(file).ok());
    CHECK(png_of(at_once) == png_of(in_pieces));
    CHECK(png_of(at_once) == png_of(from_file));
    REQUIRE(write_pnm(source.tiling, source.channels, all, plain).ok());
    REQUIRE(from_plain.paint_file(plain).ok());
    CHECK(png_of(at_once) == png_of(from_plain));
  }
}

TEST_CASE("what is not done is transparent") {
  const Source source{{64, 64, 32}, 3};
  auto preview = source.preview(32);
  REQUIRE(preview.paint(0, 1, source.tiles(0, 1)));
  const Pixels seen{png_of(preview)};
  CHECK(seen.at(0, 0, 0) != 255);
  for (std::uint32_t c = 0; c < 3; ++c)
    CHECK(seen.at(31, 31, c) == 255);
}

TEST_CASE("a tile is painted once, though a merge brings it again") {
  const Source source{{100, 90, 16}, 3};
  const auto tiles = source.tiling.tiles();
  auto once = source.preview(40), again = source.preview(40);
  REQUIRE(once.paint(0, tiles, source.tiles(0, tiles)));
  REQUIRE(again.paint(3, 7, source.tiles(3, 7)));
  CHECK(again.painted() == 4);
  REQUIRE(again.paint(0, tiles, source.tiles(0, tiles)));
  CHECK(again.painted() == tiles);
  CHECK(png_of(again) == png_of(once));
}

TEST_CASE("bytes of another size paint nothing, nor does another picture") {
  const Source source{{64, 64, 32}, 3};
  auto preview = source.preview(32);
  const auto untouched = png_of(preview);
  CHECK_FALSE(preview.paint(0, 1, source.tiles(0, 2)));
  CHECK_FALSE(preview.paint(3, 5, source.tiles(0, 2)));
  CHECK_FALSE(preview.paint(2, 2, {}));
  CHECK(png_of(preview) == untouched);
  const Source other{{65, 64, 32}, 3};
  Bytes file;
  REQUIRE(write_png(other.tiling, 3, other.tiles(0, other.tiling.tiles()), file).ok());
  CHECK(preview.paint_file(file).error().code == "E422");
  CHECK(preview.paint_file(to_bytes(view("no PNG"))).error().code == "E422");
}

TEST_CASE("a picture much higher than wide stays small") {
  const Preview preview{{{10, 1'000'000, 10}, 3}, 1024};
  CHECK(preview.width() == 10);
  CHECK(preview.height() == preview_height_max);
}
