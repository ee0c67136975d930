#pragma once

#include "node/kernels/kernel.hpp"
#include "node/kernels/picture.hpp"

// A small picture of a large one that is not finished yet: what is done is painted, the rest is
// transparent. A pixel is the mean of four points, so that painting costs by the preview's size,
// not by the picture's.
namespace tessera {

inline constexpr std::uint32_t preview_width_min = 16, preview_width_max = 2048;
inline constexpr std::uint32_t preview_height_max = 4096; // Of what is much higher than wide.

class Preview {
public:
  // At most `width` wide, and never larger than the picture.
  Preview(TiledPicture picture, std::uint32_t width);

  std::uint32_t width() const { return width_; }
  std::uint32_t height() const { return height_; }

  // Tiles [first, end) from their bytes, but for those painted before. False: they are of another
  // size.
  bool paint(std::uint64_t first, std::uint64_t end, ByteView tiles);
  std::uint64_t painted() const { return painted_count_; } // Tiles.
  // All of it, from the finished PNG or plain PNM. E422: it is none, or another picture.
  Status paint_file(ByteView file);
  // Appends an RGBA PNG. E712: no memory.
  Status write(Bytes& out) const;

private:
  struct Pixel { // Sums of its points, and how many of them are painted: at most 4.
    std::uint16_t red = 0, green = 0, blue = 0, points = 0;
  };

  std::uint64_t column(std::uint64_t point) const; // Of the picture, under this point's column.
  std::uint64_t row(std::uint64_t point) const;
  void paint_tile(const Rect& tile, const std::uint8_t* bytes);
  void add(std::uint64_t x_point, std::uint64_t y_point, const std::uint8_t* pixel,
           std::uint32_t channels);

  TiledPicture picture_;
  std::uint32_t width_, height_;
  std::vector<Pixel> pixels_;
  std::vector<bool> painted_; // By tile.
  std::uint64_t painted_count_ = 0;
};

} // namespace tessera
