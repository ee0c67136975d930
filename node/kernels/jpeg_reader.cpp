#include "node/kernels/picture_readers.hpp"

#include <csetjmp>
#include <cstdio> // jpeglib.h wants it.

#include <jpeglib.h>

#include <jerror.h>

namespace tessera {
namespace {

constexpr int scans_max =
    500; // Of a progressive file; a guess. Each costs a pass over the picture.

// libjpeg reports by longjmp. All that it may jump over lives here, outside the frames it leaves.
struct JpegReader {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf failed;
  char why[JMSG_LENGTH_MAX] = "";

  JpegReader() = default;
  ~JpegReader() { jpeg_destroy_decompress(&jpeg); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
};

JpegReader& reader_of(j_common_ptr jpeg) {
  return *static_cast<JpegReader*>(jpeg->client_data);
}

void on_error(j_common_ptr jpeg) {
  auto& r = reader_of(jpeg);
  jpeg->err->format_message(jpeg, r.why);
  std::longjmp(r.failed, 1);
}

// What libjpeg would paint over (gray below the cut, noise) is refused. Stray bytes between
// segments are common in photographs, and harmless.
void on_message(j_common_ptr jpeg, int level) {
  if (level < 0 && jpeg->err->msg_code != JWRN_EXTRANEOUS_DATA)
    on_error(jpeg);
}

void on_progress(j_common_ptr jpeg) {
  auto& r = reader_of(jpeg);
  if (r.jpeg.input_scan_number <= scans_max)
    return;
  std::snprintf(r.why, sizeof r.why, "more than %d scans", scans_max);
  std::longjmp(r.failed, 1);
}

// Each step: false when libjpeg gave up. No object with a destructor lives across a jump.
bool read_header(JpegReader& r, const std::uint8_t* data, std::size_t size) {
  r.jpeg.err = jpeg_std_error(&r.errors);
  r.jpeg.client_data = &r;
  r.errors.error_exit = on_error;
  r.errors.emit_message = on_message;
  r.progress.progress_monitor = on_progress;
  if (setjmp(r.failed))
    return false;
  jpeg_create_decompress(&r.jpeg);
  r.jpeg.progress = &r.progress;
  jpeg_mem_src(&r.jpeg, data, size);
  jpeg_read_header(&r.jpeg, TRUE);
  return true;
}

J_COLOR_SPACE delivered(J_COLOR_SPACE stored) {
  if (stored == JCS_GRAYSCALE)
    return JCS_GRAYSCALE;
  return stored == JCS_CMYK || stored == JCS_YCCK ? JCS_CMYK : JCS_RGB;
}

bool start_rows(JpegReader& r) {
  if (setjmp(r.failed))
    return false;
  r.jpeg.out_color_space = delivered(r.jpeg.jpeg_color_space);
  r.jpeg.dct_method = JDCT_ISLOW;
  return jpeg_start_decompress(&r.jpeg);
}

bool read_row(JpegReader& r, std::uint8_t* row) {
  if (setjmp(r.failed))
    return false;
  JSAMPROW rows[] = {row};
  return jpeg_read_scanlines(&r.jpeg, rows, 1) == 1;
}

bool finish(JpegReader& r) {
  if (setjmp(r.failed))
    return false;
  return jpeg_finish_decompress(&r.jpeg);
}

// Adobe's writers, who mark their files, store inks inverted.
void put_inks(const std::uint8_t* row, std::uint32_t pixels, bool inverted, Bytes& out) {
  const unsigned flip = inverted ? 0 : 255;
  for (; pixels > 0; --pixels, row += 4)
    for (int c = 0; c < 3; ++c)
      out.push_back(std::uint8_t(((row[c] ^ flip) * (row[3] ^ flip) + 127) / 255));
}

bool read_rows(JpegReader& r, Bytes& out) {
  const auto width = r.jpeg.output_width;
  const auto channels = std::uint32_t(r.jpeg.output_components);
  Bytes row(std::size_t(width) * channels);
  while (r.jpeg.output_scanline < r.jpeg.output_height) {
    if (!read_row(r, row.data()))
      return false;
    if (channels == 4)
      put_inks(row.data(), width, r.jpeg.saw_Adobe_marker, out);
    else
      out.insert(out.end(), row.begin(), row.end());
  }
  return true;
}

Error refused(const JpegReader& r) {
  return unreadable_picture(std::string("JPEG: ") + (*r.why ? r.why : "libjpeg stopped"));
}

} // namespace

Status read_jpeg(ByteView file, Bytes& out) {
  JpegReader r;
  if (!read_header(r, file.data(), file.size()))
    return refused(r);
  if (auto sides = check_sides(r.jpeg.image_width, r.jpeg.image_height); !sides)
    return sides;
  if (!start_rows(r))
    return refused(r);
  const PictureHead head{r.jpeg.output_width, r.jpeg.output_height,
                         r.jpeg.output_components == 1 ? 1u : 3u};
  out.reserve(out.size() + picture_head_bytes + head.bytes());
  put_head(out, head);
  if (!read_rows(r, out) || !finish(r))
    return refused(r);
  return Nothing{};
}

} // namespace tessera
