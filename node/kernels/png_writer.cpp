#include "node/kernels/picture.hpp"

#include <csetjmp>
#include <cstring>
#include <new>
#include <png.h>

namespace tessera {
namespace {

// libpng reports by longjmp. All that it may jump over lives here, outside the frames it leaves.
struct PngWriter {
  Bytes& out;
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::jmp_buf failed;
  char why[128] = "";

  explicit PngWriter(Bytes& to) : out(to) {}
  ~PngWriter() { png_destroy_write_struct(&png, &info); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;
};

void on_error(png_structp png, png_const_charp message) {
  auto& w = *static_cast<PngWriter*>(png_get_error_ptr(png));
  std::strncpy(w.why, message, sizeof w.why - 1);
  std::longjmp(w.failed, 1);
}

void on_warning(png_structp, png_const_charp) {}

bool appended(Bytes& out, ByteView bytes) {
  try {
    out.insert(out.end(), bytes.begin(), bytes.end());
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void on_write(png_structp png, png_bytep from, std::size_t n) {
  auto& w = *static_cast<PngWriter*>(png_get_io_ptr(png));
  if (!appended(w.out, {from, n}))
    png_error(png, "no memory for the file");
}

void on_flush(png_structp) {}

// Each step: false when libpng gave up. No object with a destructor lives across a jump.
bool start(PngWriter& w, std::uint32_t width, std::uint32_t height, std::uint32_t channels,
           int level) {
  if (setjmp(w.failed))
    return false;
  w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, on_error, on_warning);
  if (!w.png)
    return false;
  w.info = png_create_info_struct(w.png);
  if (!w.info)
    return false;
  png_set_user_limits(w.png, picture_side_max, picture_side_max);
  png_set_write_fn(w.png, &w, on_write, on_flush);
  png_set_IHDR(w.png, w.info, width, height, 8,
               channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(w.png, level);
  png_set_filter(w.png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB | PNG_FILTER_UP);
  png_write_info(w.png, w.info);
  return true;
}

bool write_row(PngWriter& w, const std::uint8_t* row) {
  if (setjmp(w.failed))
    return false;
  png_write_row(w.png, row);
  return true;
}

bool end(PngWriter& w) {
  if (setjmp(w.failed))
    return false;
  png_write_end(w.png, nullptr);
  return true;
}

bool write_rows(PngWriter& w, const Tiling& tiling, std::uint32_t channels, ByteView tiles) {
  Bytes row(std::size_t(tiling.width()) * channels);
  for (std::uint32_t y = 0; y < tiling.height(); ++y) {
    collect_row(tiling, channels, tiles, y, row.data());
    if (!write_row(w, row.data()))
      return false;
  }
  return true;
}

} // namespace

Status write_png(const Tiling& tiling, std::uint32_t channels, ByteView tiles, Bytes& out,
                 int level) {
  assert(tiles.size() == tiling.pixels() * channels);
  PngWriter w(out);
  if (start(w, tiling.width(), tiling.height(), channels, level) &&
      write_rows(w, tiling, channels, tiles) && end(w))
    return Nothing{};
  return Error{"E712", "the PNG cannot be written", *w.why ? w.why : "libpng cannot start",
               "give workers more memory, or make the picture smaller"};
}

} // namespace tessera
