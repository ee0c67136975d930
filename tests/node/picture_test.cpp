#include "node/kernels/kernel.hpp"
#include "node/kernels/picture.hpp"
#include "tests/support/pictures.hpp"

#include <doctest/doctest.h>

using namespace tessera;

namespace {

Picture read(ByteView file) {
  Bytes raw;
  const auto status = read_picture(file, raw);
  INFO((status.ok() ? std::string() : to_text(status.error())));
  REQUIRE(status.ok());
  const auto head = get_head(raw);
  REQUIRE(head);
  REQUIRE(raw.size() == picture_head_bytes + head->bytes());
  return {head->width, head->height, head->channels,
          Bytes(raw.begin() + picture_head_bytes, raw.end())};
}

Error refusal(ByteView file) {
  Bytes raw;
  const auto status = read_picture(file, raw);
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == "E422");
  CHECK(!status.error().what.empty());
  CHECK(!status.error().why.empty());
  CHECK(!status.error().fix.empty());
  return status.error();
}

int largest_difference(const Picture& a, const Picture& b) {
  REQUIRE(a.samples.size() == b.samples.size());
  int most = 0;
  for (std::size_t i = 0; i < a.samples.size(); ++i)
    most = std::max(most, std::abs(int(a.samples[i]) - int(b.samples[i])));
  return most;
}

// A PNG's chunk of IHDR rewritten, its CRC made right again.
Bytes with_sides(Bytes file, std::uint32_t width, std::uint32_t height) {
  const auto put = [&](std::size_t at, std::uint32_t word) {
    for (int i = 0; i < 4; ++i)
      file[at + std::size_t(i)] = std::uint8_t(word >> (24 - 8 * i));
  };
  put(16, width);
  put(20, height);
  std::uint32_t crc = ~0u;
  for (std::size_t i = 12; i < 29; ++i) {
    crc ^= file[i];
    for (int k = 0; k < 8; ++k)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  put(29, ~crc);
  return file;
}

std::vector<Bytes> files_of_all_kinds() {
  const auto rgb = slopes(23, 17, 3), gray = slopes(23, 17, 1);
  PngLayout interlaced;
  interlaced.interlaced = true;
  JpegLayout progressive;
  progressive.progressive = true;
  JpegLayout one_channel;
  one_channel.space = JCS_GRAYSCALE;
  return {png_file(rgb),
          png_file(gray),
          png_file(23, 17, interlaced, rgb.samples),
          jpeg_file(rgb, {}),
          jpeg_file(gray, one_channel),
          jpeg_file(rgb, progressive)};
}

} // namespace

TEST_CASE("PNGs of 8-bit gray and RGB are read as they are, interlaced or not") {
  for (const std::uint32_t channels : {1, 3})
    for (const auto& [w, h] : {std::pair{1, 1}, {7, 5}, {64, 3}, {1, 99}}) {
      const auto picture = noise(std::uint32_t(w), std::uint32_t(h), channels, 3);
      PngLayout layout;
      layout.colour = channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB;
      layout.interlaced = true;
      INFO(w << " x " << h << " x " << channels);
      CHECK(read(png_file(picture)) == picture);
      CHECK(read(png_file(picture.width, picture.height, layout, picture.samples)) == picture);
    }
}

TEST_CASE("16-bit samples are scaled to the nearest of 8") {
  PngLayout layout{16, PNG_COLOR_TYPE_GRAY, false, {}, {}};
  Bytes rows;
  Picture expected{256, 1, 1, {}};
  for (std::uint32_t i = 0; i < 256; ++i) {
    const auto v = i * 257 + (i % 2 ? 120 : 0);
    rows.push_back(std::uint8_t(v >> 8));
    rows.push_back(std::uint8_t(v));
    expected.samples.push_back(std::uint8_t((v * 255 + 32767) / 65535));
  }
  rows[510] = rows[511] = 0xff; // 255 * 257 + 120 would not fit.
  expected.samples[255] = 255;
  CHECK(read(png_file(256, 1, layout, rows)) == expected);
}

TEST_CASE("palettes are expanded, at each depth") {
  const std::vector<png_color> palette{{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {9, 8, 7}};
  const Picture expected{4, 1, 3, {255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7}};
  CHECK(read(png_file(4, 1, {8, PNG_COLOR_TYPE_PALETTE, false, palette, {}}, {0, 1, 2, 3})) ==
        expected);
  CHECK(read(png_file(4, 1, {2, PNG_COLOR_TYPE_PALETTE, false, palette, {}}, {0b00011011})) ==
        expected);
}

TEST_CASE("black and white of one bit are 0 and 255") {
  CHECK(read(png_file(8, 1, {1, PNG_COLOR_TYPE_GRAY, false, {}, {}}, {0b10110001})) ==
        Picture{8, 1, 1, {255, 0, 255, 255, 0, 0, 0, 255}});
}

TEST_CASE("what is transparent is laid on white") {
  const Bytes rgba{10, 20, 30, 255, 10, 20, 30, 0, 100, 0, 255, 128};
  const Picture expected{3, 1, 3, {10, 20, 30, 255, 255, 255, 177, 127, 255}};
  for (const bool interlaced : {false, true}) {
    CHECK(read(png_file(3, 1, {8, PNG_COLOR_TYPE_RGB_ALPHA, interlaced, {}, {}}, rgba)) ==
          expected);
    CHECK(read(png_file(2, 1, {8, PNG_COLOR_TYPE_GRAY_ALPHA, interlaced, {}, {}},
                        {40, 255, 40, 0})) == Picture{2, 1, 1, {40, 255}});
  }
  const std::vector<png_color> palette{{1, 2, 3}, {4, 5, 6}};
  CHECK(read(png_file(2, 1, {8, PNG_COLOR_TYPE_PALETTE, false, palette, {0}}, {0, 1})) ==
        Picture{2, 1, 3, {255, 255, 255, 4, 5, 6}});
}

TEST_CASE("JPEGs come back near what they were: RGB, gray, progressive, four inks") {
  const auto rgb = slopes(50, 40, 3), gray = slopes(50, 40, 1);
  JpegLayout progressive;
  progressive.progressive = true;
  JpegLayout one_channel;
  one_channel.space = JCS_GRAYSCALE;
  // Slopes with a jump: a few samples ring.
  CHECK(largest_difference(read(jpeg_file(gray, one_channel)), gray) < 60);
  CHECK(read(jpeg_file(rgb, {})).channels == 3);
  CHECK(read(jpeg_file(rgb, progressive)) == read(jpeg_file(rgb, {})));
  // Inverted inks, as Adobe stores them: white paper less what they say.
  Picture inks{16, 16, 4, {}};
  for (int i = 0; i < 256; ++i)
    inks.samples.insert(inks.samples.end(), {200, 100, 50, 255});
  JpegLayout cmyk;
  cmyk.space = JCS_CMYK;
  const auto flat = read(jpeg_file(inks, cmyk));
  CHECK(flat.channels == 3);
  CHECK(std::abs(int(flat.samples[0]) - 200) < 4);
  CHECK(std::abs(int(flat.samples[1]) - 100) < 4);
  CHECK(std::abs(int(flat.samples[2]) - 50) < 4);
}

TEST_CASE("a picture cut off at any byte is refused") {
  for (const auto& file : files_of_all_kinds()) {
    Bytes raw;
    REQUIRE(read_picture(file, raw).ok());
    for (std::size_t size = 0; size < file.size(); ++size) {
      INFO("the first " << size << " of " << file.size() << " bytes");
      refusal(ByteView(file).first(size));
    }
  }
}

TEST_CASE("a picture with any byte changed is refused or read, whole") {
  std::size_t refused = 0, taken = 0;
  for (const auto& file : files_of_all_kinds())
    for (std::size_t at = 0; at < file.size(); ++at)
      for (const int flip : {0x01, 0x80, 0xff}) {
        auto bad = file;
        bad[at] ^= std::uint8_t(flip);
        Bytes raw;
        const auto status = read_picture(bad, raw);
        (status.ok() ? taken : refused) += 1;
        INFO("byte " << at << " of " << file.size() << " ^ " << flip);
        if (!status.ok()) {
          CHECK(status.error().code == "E422");
          continue;
        }
        const auto head = get_head(raw);
        REQUIRE(head);
        CHECK(raw.size() == picture_head_bytes + head->bytes());
      }
  CHECK(refused > 1000);
  CHECK(taken > 10); // JPEG has no checksums.
}

TEST_CASE("a changed byte in a PNG's pixels is always found") {
  const auto file = png_file(slopes(23, 17, 3));
  for (std::size_t at = 33; at < file.size(); ++at) {
    auto bad = file;
    bad[at] ^= 1;
    INFO("byte " << at);
    refusal(bad);
  }
}

TEST_CASE("bombs are refused by their heads, before memory is taken") {
  const auto small = png_file(slopes(8, 8, 3));
  CHECK(refusal(with_sides(small, 1'000'000, 1'000'000)).what == "the picture is too large");
  CHECK(refusal(with_sides(small, 0x7fffffff, 1)).what == "the picture is too large");
  CHECK(refusal(with_sides(small, 11'000, 11'000)).why.find("too short") != std::string::npos);
  REQUIRE(read(with_sides(small, 8, 8)) == slopes(8, 8, 3)); // The helper itself makes whole files.
  refusal(with_sides(small, 0, 8));
  auto jpeg = jpeg_file(slopes(8, 8, 3), {});
  for (std::size_t i = 0; i + 8 < jpeg.size(); ++i)
    if (jpeg[i] == 0xff && jpeg[i + 1] == 0xc0)
      std::fill_n(jpeg.begin() + std::ptrdiff_t(i) + 5, 4, std::uint8_t(0xfa)); // 64250 x 64250
  CHECK(refusal(jpeg).what == "the picture is too large");
}

TEST_CASE("what is no picture is refused in words") {
  CHECK(refusal({}).why == "it is empty");
  CHECK(refusal(view("GIF89a....")).why ==
        "it is no PNG, JPEG or binary PPM: it starts with 4749463839612e2e");
  refusal(view("\x89PNG\r\n\x1a\n"));
  refusal(view("\xff\xd8\xff"));
}

TEST_CASE("raw heads of no picture are told apart") {
  Bytes raw;
  put_head(raw, {5, 4, 3});
  REQUIRE(get_head(raw));
  CHECK(get_head(raw)->bytes() == 60);
  CHECK_FALSE(get_head(ByteView(raw).first(15)));
  for (const auto& [at, value] :
       {std::pair{0, 0}, {4, 0}, {8, 2}, {8, 0}, {8, 4}, {12, 1}, {3, 255}}) {
    auto bad = raw;
    bad[std::size_t(at)] = std::uint8_t(value);
    INFO(at << " = " << value);
    CHECK_FALSE(get_head(bad));
  }
}

TEST_CASE("PPM and PGM files are read as they are, whatever their header's spaces and comments") {
  const auto file = [](const std::string& head, const Bytes& samples) {
    auto bytes = to_bytes(view(head));
    bytes.insert(bytes.end(), samples.begin(), samples.end());
    return bytes;
  };
  const auto rgb = noise(7, 5, 3, 21), gray = noise(7, 5, 1, 22);
  CHECK(read(file("P6\n7 5\n255\n", rgb.samples)) == rgb);
  CHECK(read(file("P5\n7 5\n255\n", gray.samples)) == gray);
  CHECK(read(file("P6 # made by hand\n# 9 9\n 7\t5#wide\n\r 255 ", rgb.samples)) == rgb);
  CHECK(read(file("P5 2 2 1 ", {0, 1, 1, 0})) == Picture{2, 2, 1, {0, 255, 255, 0}});
  CHECK(read(file("P5 3 1 100 ", {0, 50, 200})) == Picture{3, 1, 1, {0, 128, 255}});
  CHECK(read(file("P5 2 1 65535 ", {0x80, 0, 0xff, 0xff})) == Picture{2, 1, 1, {128, 255}});
  for (const std::string head :
       {"P6", "P6 7", "P6 7 5", "P6 7 5 255", "P6 7 5 0 ", "P6 7 5 65536 ", "P6 -7 5 255 ",
        "P6 7 x 255 ", "P6 0 5 255 ", "P6 7 6 255 ", "P6 7 5 256 ", "P6 # 7 5 255 ",
        "P6 99999999999999999999 5 255 ", "P6 1000000 1000000 255 ", "P3 7 5 255 "}) {
    INFO(head);
    refusal(file(head, rgb.samples));
  }
}

TEST_CASE("a plain PNM is a raw picture already, and nothing like it is") {
  const auto rgb = noise(7, 5, 3, 21);
  const auto file = [&](const std::string& head) {
    auto bytes = to_bytes(view(head));
    bytes.insert(bytes.end(), rgb.samples.begin(), rgb.samples.end());
    return bytes;
  };
  const auto plain = file("P6 # by hand\n7 5 255\n");
  CHECK(is_plain_pnm(plain));
  const auto picture = get_picture(plain);
  REQUIRE(picture);
  CHECK(picture->head.width == 7);
  CHECK(picture->head.height == 5);
  CHECK(picture->head.channels == 3);
  CHECK(Bytes(picture->pixels.begin(), picture->pixels.end()) == rgb.samples);
  CHECK(is_plain_pnm(file("P6 #" + std::string(51, 'x') + "\n7 5 255 "))); // 64 bytes.
  for (const std::string& head :
       {"P6 #" + std::string(52, 'x') + "\n7 5 255 ", std::string("P6 7 5 100 "),
        std::string("P6 7 4 255 "), std::string("P6 7 6 255 "), std::string("P6 0 5 255 "),
        std::string("P5 7 5 255 "), std::string("P3 7 5 255 ")}) {
    INFO(head);
    CHECK_FALSE(is_plain_pnm(file(head)));
  }
  Bytes raw;
  REQUIRE(read_picture(plain, raw).ok());
  CHECK_FALSE(is_plain_pnm(raw));
  REQUIRE(get_picture(raw));
  CHECK(Bytes(get_picture(raw)->pixels.begin(), get_picture(raw)->pixels.end()) == rgb.samples);
}

TEST_CASE("a picture of so many tiles has exactly so many, as square as can be") {
  const auto cut = [](std::uint32_t w, std::uint32_t h, std::uint32_t n) {
    const auto grid = Tiling::of_tiles(w, h, n);
    return grid ? std::pair{grid->across(), grid->down()} : std::pair{0u, 0u};
  };
  CHECK(cut(1000, 1000, 100) == std::pair{10u, 10u});
  CHECK(cut(8000, 8000, 64) == std::pair{8u, 8u});
  CHECK(cut(3000, 1000, 12) == std::pair{6u, 2u});
  CHECK(cut(100, 1000, 7) == std::pair{1u, 7u});
  CHECK(cut(1, 1, 1) == std::pair{1u, 1u});
  CHECK(cut(3, 3, 9) == std::pair{3u, 3u});
  CHECK(cut(3, 3, 7) == std::pair{0u, 0u}); // Neither 7 across nor 7 down.
  CHECK(cut(3, 3, 10) == std::pair{0u, 0u});
  std::uint64_t seed = 60;
  for (const std::uint32_t tiles : {1, 2, 6, 7, 12, 30, 100}) {
    const auto picture = noise(47, 31, 3, ++seed);
    const auto grid = Tiling::of_tiles(47, 31, tiles);
    REQUIRE(grid);
    CHECK(grid->tiles() == tiles);
    Bytes bytes, png, ppm;
    for (std::uint64_t item = 0; item < tiles; ++item) {
      const auto t = grid->tile(item);
      CHECK(t.pixels() > 0);
      CHECK(grid->tile(0).width + 1 >= t.width);
      CHECK(t.width + 1 >= grid->tile(0).width);
      CHECK(bytes.size() == grid->pixels_before(t) * 3);
      for (auto y = t.y; y < t.y + t.height; ++y)
        for (auto x = t.x; x < t.x + t.width; ++x)
          for (std::uint32_t c = 0; c < 3; ++c)
            bytes.push_back(std::uint8_t(picture.at(x, y, c)));
    }
    REQUIRE(write_png(*grid, 3, bytes, png).ok());
    REQUIRE(write_pnm(*grid, 3, bytes, ppm).ok());
    CHECK(png_picture(png) == picture);
    CHECK(read(ppm) == picture);
  }
}

TEST_CASE("tiles become rows of the same picture, at any tile side") {
  for (const std::uint32_t channels : {1, 3})
    for (const auto& [w, h] : {std::pair{1, 1}, {40, 30}, {64, 64}, {65, 3}})
      for (const std::uint32_t side : {4, 16, 64, 1000}) {
        const auto picture = noise(std::uint32_t(w), std::uint32_t(h), channels, 5);
        const Tiling tiling(picture.width, picture.height, side);
        Bytes tiles, file;
        for (std::uint64_t item = 0; item < tiling.tiles(); ++item) {
          const auto t = tiling.tile(item);
          CHECK(tiles.size() == tiling.pixels_before(t) * channels);
          for (auto y = t.y; y < t.y + t.height; ++y)
            for (auto x = t.x; x < t.x + t.width; ++x)
              for (std::uint32_t c = 0; c < channels; ++c)
                tiles.push_back(std::uint8_t(picture.at(x, y, c)));
        }
        REQUIRE(write_png(tiling, channels, tiles, file).ok());
        INFO(w << " x " << h << " x " << channels << ", side " << side);
        CHECK(png_picture(file) == picture);
      }
}
