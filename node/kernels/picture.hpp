#pragma once

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"
#include "node/kernels/tiling.hpp"

#include <functional>
#include <optional>
#include <string>

// Pictures: read from PNG, JPEG and PNM files into raw pixels, and written as PNG or PNM
// from tiles. Reading is
// wary: the files are strangers'.
namespace tessera {

inline constexpr std::uint64_t picture_pixels_max = 1 << 27; // A guess: 384 MiB as RGB.
inline constexpr std::uint32_t picture_side_max = 1 << 20;   // Row pointers stay small.
inline constexpr std::size_t picture_head_bytes = 16;
inline constexpr std::size_t pnm_head_bytes_max = 64; // Of a plain one: a planner sees no more.

// The raw form starts with {u32 width, u32 height, u32 channels, u32 0}, little-endian; rows of
// 8-bit gray (1 channel) or RGB (3) follow, top first. Or it is a plain PNM: a file of 8 bits whose
// head is short and behind whose samples nothing stands. Read as numbers, that head is no picture.
struct PictureHead {
  std::uint32_t width = 0, height = 0, channels = 0;

  std::uint64_t bytes() const { return std::uint64_t(width) * height * channels; }
};

void put_head(Bytes& out, const PictureHead& head);
std::optional<PictureHead> get_head(ByteView raw); // Nothing: no raw picture starts like this.

struct RawPicture {
  PictureHead head;
  ByteView pixels; // As many as the head says.
};
std::optional<RawPicture> get_picture(ByteView raw); // Nothing: no raw picture, or not a whole one.
bool is_plain_pnm(ByteView file);

// Appends the raw form of a PNG, JPEG or binary PNM (PPM, PGM) file. 16-bit samples are scaled to
// 8, palettes expanded; what is transparent is laid on white. E422: unreadable, cut off, or too
// large; `out` is then unspecified.
Status read_picture(ByteView file, Bytes& out);

// A PNG file row by row, none of it kept: `head` may refuse it, `row` gets gray or RGB. E422, also
// for one that is interlaced.
using PngHead = std::function<Status(const PictureHead&)>;
using PngRow = std::function<void(std::uint32_t y, ByteView row)>;
Status scan_png(ByteView file, const PngHead& head, const PngRow& row);

// Finishing is serial. Measured on a photograph: level 3 takes half again the time for 3 % fewer
// bytes, level 6 four times for 1 %.
inline constexpr int deflate_level_default = 2;

// Each appends a picture of the tiles' bytes (a whole root partial; its size is the caller's to
// check): a PNG, or a PPM (of one channel: a PGM), which is not compressed.
Status write_png(const Tiling& tiling, std::uint32_t channels, ByteView tiles, Bytes& out,
                 int level = deflate_level_default);
std::string pnm_head(std::uint32_t width, std::uint32_t height, std::uint32_t channels);
Status write_pnm(const Tiling& tiling, std::uint32_t channels, ByteView tiles, Bytes& out);

// One row of the picture, from the tiles that it crosses; `row` has room for it.
void collect_row(const Tiling& tiling, std::uint32_t channels, ByteView tiles, std::uint32_t y,
                 std::uint8_t* row);

} // namespace tessera
