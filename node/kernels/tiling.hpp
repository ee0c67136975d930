#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <optional>

// A picture cut into tiles by a grid, in rows from the top left. One item is one tile; a partial is
// the bytes of consecutive tiles, each tile row by row, one behind the other.
namespace tessera {

struct Rect {
  std::uint32_t x = 0, y = 0, width = 0, height = 0;

  bool operator==(const Rect&) const = default;
  std::uint64_t pixels() const { return std::uint64_t(width) * height; }
};

class Tiling {
public:
  // Squares of that side; the last of a row or column are cut off.
  Tiling(std::uint32_t width, std::uint32_t height, std::uint32_t side)
      : width_(width), height_(height), side_(side), across_((width - 1) / side + 1),
        down_((height - 1) / side + 1) {
    assert(width && height && side);
  }

  // Exactly so many tiles, within a pixel of each other's size and as square as their number
  // allows. Nothing: no grid of so many has a pixel for each.
  static std::optional<Tiling> of_tiles(std::uint32_t width, std::uint32_t height,
                                        std::uint32_t tiles) {
    std::optional<Tiling> best;
    const auto consider = [&](std::uint32_t across, std::uint32_t down) {
      const Tiling grid(width, height, across, down);
      if (across <= width && down <= height && (!best || grid.slimness() < best->slimness()))
        best = grid;
    };
    for (std::uint32_t part = 1; std::uint64_t(part) * part <= tiles; ++part)
      if (tiles % part == 0) {
        consider(part, tiles / part);
        consider(tiles / part, part);
      }
    return best;
  }

  // So many bands, each as wide as the picture; at most one for each row of pixels.
  static Tiling of_bands(std::uint32_t width, std::uint32_t height, std::uint32_t bands) {
    assert(bands > 0 && bands <= height);
    return {width, height, 1, bands};
  }

  std::uint32_t width() const { return width_; }
  std::uint32_t height() const { return height_; }
  std::uint32_t across() const { return across_; }
  std::uint32_t down() const { return down_; }
  std::uint64_t tiles() const { return std::uint64_t(across()) * down(); }
  std::uint64_t pixels() const { return std::uint64_t(width_) * height_; }

  Rect tile(std::uint64_t item) const {
    assert(item < tiles());
    const auto column = item % across_, row = item / across_;
    const auto x = cut(column, across_, width_), y = cut(row, down_, height_);
    return {x, y, cut(column + 1, across_, width_) - x, cut(row + 1, down_, height_) - y};
  }

  // The first tile of the row of tiles that holds this row of pixels.
  std::uint64_t first_tile_at(std::uint32_t y) const {
    assert(y < height_);
    const auto row = side_ ? y / side_ : ((y + std::uint64_t{1}) * down_ - 1) / height_;
    return row * across_;
  }

  // How many pixels lie in the tiles before this one. All tiles of its row are as high as it is.
  std::uint64_t pixels_before(const Rect& tile) const {
    return std::uint64_t(tile.y) * width_ + std::uint64_t(tile.x) * tile.height;
  }

private:
  Tiling(std::uint32_t width, std::uint32_t height, std::uint32_t across, std::uint32_t down)
      : width_(width), height_(height), side_(0), across_(across), down_(down) {}

  // Where part `i` of `parts` begins.
  std::uint32_t cut(std::uint64_t i, std::uint32_t parts, std::uint32_t whole) const {
    const auto at = side_ ? i * side_ : i * whole / parts;
    return std::uint32_t(std::min<std::uint64_t>(at, whole));
  }

  // The longer side of a tile by its shorter one.
  double slimness() const {
    const auto wide = double(width_) / across_, high = double(height_) / down_;
    return wide > high ? wide / high : high / wide;
  }

  std::uint32_t width_, height_, side_; // Side 0: the grid is cut evenly.
  std::uint32_t across_, down_;
};

} // namespace tessera
