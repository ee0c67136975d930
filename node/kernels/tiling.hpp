#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>

// A picture cut into square tiles, in rows from the top left. One item is one tile; a partial is
// the bytes of consecutive tiles, each tile row by row, one behind the other.
namespace tessera {

struct Rect {
  std::uint32_t x = 0, y = 0, width = 0, height = 0;

  bool operator==(const Rect&) const = default;
  std::uint64_t pixels() const { return std::uint64_t(width) * height; }
};

class Tiling {
public:
  Tiling(std::uint32_t width, std::uint32_t height, std::uint32_t side)
      : width_(width), height_(height), side_(side) {
    assert(width && height && side);
  }

  std::uint32_t width() const { return width_; }
  std::uint32_t height() const { return height_; }
  std::uint32_t across() const { return (width_ - 1) / side_ + 1; }
  std::uint32_t down() const { return (height_ - 1) / side_ + 1; }
  std::uint64_t tiles() const { return std::uint64_t(across()) * down(); }
  std::uint64_t pixels() const { return std::uint64_t(width_) * height_; }

  Rect tile(std::uint64_t item) const {
    assert(item < tiles());
    const auto x = std::uint32_t(item % across()) * side_;
    const auto y = std::uint32_t(item / across()) * side_;
    return {x, y, std::min(side_, width_ - x), std::min(side_, height_ - y)};
  }

  // How many pixels lie in the tiles before this one. All tiles of its row are as high as it is.
  std::uint64_t pixels_before(const Rect& tile) const {
    return std::uint64_t(tile.y) * width_ + std::uint64_t(tile.x) * tile.height;
  }

private:
  std::uint32_t width_, height_, side_;
};

} // namespace tessera
