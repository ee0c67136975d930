#include "node/kernels/picture_readers.hpp"

#include <csetjmp>
#include <cstring>
#include <png.h>

namespace tessera {
namespace {

// Deflate makes at most 1032 bytes of one: a file that promises more is cut off, or a bomb.
constexpr std::uint64_t deflate_ratio_max = 1032;
constexpr std::size_t chunk_bytes_max = 1
                                        << 20; // Of a chunk that we would keep, a palette at most.

// libpng reports by longjmp. All that it may jump over lives here, outside the frames it leaves.
struct PngReader {
  ByteView rest;
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::jmp_buf failed;
  char why[128] = "";
  std::uint32_t width = 0, height = 0, channels = 0; // As libpng delivers them, alpha included.
  std::vector<png_bytep> rows;                       // Only of interlaced pictures.

  explicit PngReader(ByteView file) : rest(file) {}
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
};

void on_error(png_structp png, png_const_charp message) {
  auto& r = *static_cast<PngReader*>(png_get_error_ptr(png));
  std::strncpy(r.why, message, sizeof r.why - 1);
  std::longjmp(r.failed, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep to, std::size_t n) {
  auto& r = *static_cast<PngReader*>(png_get_io_ptr(png));
  if (n > r.rest.size())
    png_error(png, "the file is cut off");
  std::memcpy(to, r.rest.data(), n);
  r.rest = r.rest.subspan(n);
}

// Each step: false when libpng gave up. No object with a destructor lives across a jump.
bool create(PngReader& r) {
  if (setjmp(r.failed))
    return false;
  r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
  if (!r.png)
    return false;
  r.info = png_create_info_struct(r.png);
  if (!r.info)
    return false;
  png_set_read_fn(r.png, &r, on_read);
  png_set_user_limits(r.png, 0x7fffffff, 0x7fffffff); // check_sides says it better.
  png_set_chunk_malloc_max(r.png, chunk_bytes_max);
  png_set_keep_unknown_chunks(r.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  return true;
}

bool read_info(PngReader& r) {
  if (setjmp(r.failed))
    return false;
  png_read_info(r.png, r.info);
  r.width = png_get_image_width(r.png, r.info);
  r.height = png_get_image_height(r.png, r.info);
  return true;
}

bool start_rows(PngReader& r) {
  if (setjmp(r.failed))
    return false;
  png_set_expand(r.png);
  png_set_scale_16(r.png);
  png_set_interlace_handling(r.png);
  png_read_update_info(r.png, r.info);
  r.channels = png_get_channels(r.png, r.info);
  return png_get_rowbytes(r.png, r.info) == std::size_t(r.width) * r.channels;
}

bool read_row(PngReader& r, std::uint8_t* row) {
  if (setjmp(r.failed))
    return false;
  png_read_row(r.png, row, nullptr);
  return true;
}

bool read_interlaced(PngReader& r) {
  if (setjmp(r.failed))
    return false;
  png_read_image(r.png, r.rows.data());
  return true;
}

bool read_end(PngReader& r) {
  if (setjmp(r.failed))
    return false;
  png_read_end(r.png, nullptr);
  return true;
}

bool promises_too_much(const PngReader& r, std::size_t file_bytes) {
  const std::uint64_t bits = png_get_bit_depth(r.png, r.info) * png_get_channels(r.png, r.info);
  return std::uint64_t(r.width) * r.height * bits / 8 > deflate_ratio_max * file_bytes;
}

// A row without its alpha, laid on white.
void flatten(const std::uint8_t* row, std::uint32_t pixels, std::uint32_t channels, Bytes& out) {
  const bool alpha = channels % 2 == 0;
  if (!alpha) {
    out.insert(out.end(), row, row + std::size_t(pixels) * channels);
    return;
  }
  for (; pixels > 0; --pixels, row += channels) {
    const unsigned a = row[channels - 1];
    for (std::uint32_t c = 0; c + 1 < channels; ++c)
      out.push_back(std::uint8_t((row[c] * a + 255 * (255 - a) + 127) / 255));
  }
}

bool read_rows(PngReader& r, Bytes& out) {
  Bytes row(std::size_t(r.width) * r.channels);
  for (std::uint32_t y = 0; y < r.height; ++y) {
    if (!read_row(r, row.data()))
      return false;
    flatten(row.data(), r.width, r.channels, out);
  }
  return true;
}

bool read_passes(PngReader& r, Bytes& out) {
  const auto stride = std::size_t(r.width) * r.channels;
  Bytes all(stride * r.height);
  for (std::uint32_t y = 0; y < r.height; ++y)
    r.rows.push_back(all.data() + y * stride);
  if (!read_interlaced(r))
    return false;
  for (const auto* row : r.rows)
    flatten(row, r.width, r.channels, out);
  return true;
}

Error refused(const PngReader& r) {
  return unreadable_picture(std::string("PNG: ") + (*r.why ? r.why : "libpng cannot start"));
}

Status start(PngReader& r) {
  const auto file_bytes = r.rest.size();
  if (!create(r) || !read_info(r))
    return refused(r);
  if (auto sides = check_sides(r.width, r.height); !sides)
    return sides;
  if (promises_too_much(r, file_bytes))
    return unreadable_picture("PNG: the file is too short for its " + std::to_string(r.width) +
                              " x " + std::to_string(r.height) + " pixels");
  return Nothing{};
}

bool interlaced(const PngReader& r) {
  return png_get_interlace_type(r.png, r.info) != PNG_INTERLACE_NONE;
}

PictureHead head_of(const PngReader& r) {
  return {r.width, r.height, r.channels < 3 ? 1u : 3u};
}

} // namespace

Status scan_png(ByteView file, const PngHead& take_head, const PngRow& take_row) {
  PngReader r(file);
  if (auto started = start(r); !started)
    return started;
  if (interlaced(r))
    return unreadable_picture("PNG: it is interlaced");
  if (!start_rows(r))
    return refused(r);
  if (auto taken = take_head(head_of(r)); !taken)
    return taken;
  Bytes row(std::size_t(r.width) * r.channels), flat;
  for (std::uint32_t y = 0; y < r.height; ++y) {
    if (!read_row(r, row.data()))
      return refused(r);
    flat.clear();
    flatten(row.data(), r.width, r.channels, flat);
    take_row(y, flat);
  }
  return Nothing{};
}

Status read_png(ByteView file, Bytes& out) {
  PngReader r(file);
  if (auto started = start(r); !started)
    return started;
  const bool in_passes = interlaced(r);
  if (!start_rows(r))
    return refused(r);
  const auto head = head_of(r);
  out.reserve(out.size() + picture_head_bytes + head.bytes());
  put_head(out, head);
  if (!(in_passes ? read_passes(r, out) : read_rows(r, out)) || !read_end(r))
    return refused(r);
  return Nothing{};
}

} // namespace tessera
