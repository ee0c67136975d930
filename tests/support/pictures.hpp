#pragma once

#include "crypto/bytes.hpp"

#include <cstdio> // jpeglib.h wants it.

#include <jpeglib.h>
#include <png.h>

#include <cstdlib>
#include <random>

// Pictures for tests: made at random, written as the files that people have, and read back by a way
// that the product does not use.
namespace tessera {

struct Picture {
  std::uint32_t width = 0, height = 0, channels = 0;
  Bytes samples; // Interleaved, top row first.

  bool operator==(const Picture&) const = default;
  // Past an edge, the edge's sample.
  int at(std::int64_t x, std::int64_t y, std::uint32_t c) const {
    const auto clamp = [](std::int64_t v, std::int64_t n) { return v < 0 ? 0 : v < n ? v : n - 1; };
    return samples[std::size_t((clamp(y, height) * width + clamp(x, width)) * channels + c)];
  }
};

inline Picture noise(std::uint32_t width, std::uint32_t height, std::uint32_t channels,
                     std::uint64_t seed) {
  std::mt19937_64 rng(seed);
  Picture p{width, height, channels, Bytes(std::size_t(width) * height * channels)};
  for (auto& s : p.samples)
    s = std::uint8_t(rng());
  return p;
}

// What a filter keeps visible: slopes, with a little noise.
inline Picture slopes(std::uint32_t width, std::uint32_t height, std::uint32_t channels) {
  auto p = noise(width, height, channels, 1);
  for (std::size_t i = 0; i < p.samples.size(); ++i) {
    const auto pixel = i / channels;
    p.samples[i] = std::uint8_t((pixel % width * 3 + pixel / width * 2 + i % channels * 40) % 240 +
                                p.samples[i] % 8);
  }
  return p;
}

struct PngLayout {
  int depth = 8, colour = PNG_COLOR_TYPE_RGB;
  bool interlaced = false;
  std::vector<png_color> palette{};
  Bytes palette_alpha{};
};

// `rows`: packed as the layout says, height x rowbytes.
inline Bytes png_file(std::uint32_t width, std::uint32_t height, const PngLayout& layout,
                      const Bytes& rows) {
  Bytes file;
  auto* png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  auto* info = png_create_info_struct(png);
  png_set_write_fn(
      png, &file,
      [](png_structp p, png_bytep from, std::size_t n) {
        auto& to = *static_cast<Bytes*>(png_get_io_ptr(p));
        to.insert(to.end(), from, from + n);
      },
      nullptr);
  png_set_IHDR(png, info, width, height, layout.depth, layout.colour,
               layout.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!layout.palette.empty())
    png_set_PLTE(png, info, layout.palette.data(), int(layout.palette.size()));
  if (!layout.palette_alpha.empty())
    png_set_tRNS(png, info, layout.palette_alpha.data(), int(layout.palette_alpha.size()), nullptr);
  png_write_info(png, info);
  std::vector<png_bytep> lines;
  for (std::uint32_t y = 0; y < height; ++y)
    lines.push_back(const_cast<png_bytep>(rows.data()) + y * png_get_rowbytes(png, info));
  png_write_image(png, lines.data());
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return file;
}

inline Bytes png_file(const Picture& p) {
  PngLayout layout;
  layout.colour = p.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB;
  return png_file(p.width, p.height, layout, p.samples);
}

struct JpegLayout {
  J_COLOR_SPACE space = JCS_RGB; // Of the samples.
  bool progressive = false;
  int quality = 95;
};

inline Bytes jpeg_file(const Picture& p, const JpegLayout& layout) {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &memory, &size);
  jpeg.image_width = p.width;
  jpeg.image_height = p.height;
  jpeg.input_components = int(p.channels);
  jpeg.in_color_space = layout.space;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, layout.quality, TRUE);
  if (layout.progressive)
    jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  for (std::uint32_t y = 0; y < p.height; ++y) {
    JSAMPROW row = const_cast<JSAMPROW>(p.samples.data()) + std::size_t(y) * p.width * p.channels;
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  Bytes file(memory, memory + size);
  jpeg_destroy_compress(&jpeg);
  std::free(memory);
  return file;
}

// By libpng's simplified interface; a picture without channels: it is no PNG.
inline Picture png_picture(ByteView file) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_memory(&image, file.data(), file.size()))
    return {};
  image.format &= PNG_FORMAT_FLAG_COLOR;
  Picture p{image.width, image.height, image.format & PNG_FORMAT_FLAG_COLOR ? 3u : 1u, {}};
  p.samples.resize(PNG_IMAGE_SIZE(image));
  if (!png_image_finish_read(&image, nullptr, p.samples.data(), 0, nullptr))
    return {};
  return p;
}

} // namespace tessera
