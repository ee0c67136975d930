#pragma once

#include "node/kernels/kernel.hpp"
#include "node/kernels/picture.hpp"

#include <cstdint>
#include <optional>
#include <utility>

// Where the bands of a picture lie in ordered output: behind the head of a PNM, one after the
// other, so that a band, or several, can be seen before the rest is there. Pure.
namespace tessera {

class OrderedPicture {
public:
  // Of a picture in bands.
  explicit OrderedPicture(TiledPicture picture);

  const TiledPicture& picture() const { return picture_; }
  std::uint64_t head_bytes() const { return head_; }
  std::uint64_t size() const { return begin_of(picture_.tiling.tiles()); }
  // Its first byte; the head is of band 0. Of the number of all bands: the end.
  std::uint64_t begin_of(std::uint64_t band) const;
  // Bands [first, second) that are these bytes. Nothing: they are not whole ones.
  std::optional<std::pair<std::uint64_t, std::uint64_t>> bands_in(std::uint64_t at,
                                                                  std::uint64_t size) const;
  // Bytes at the begin of such bands that are no pixels.
  std::size_t head_in(std::uint64_t first_band) const { return first_band == 0 ? head_ : 0; }

private:
  std::optional<std::uint64_t> band_at(std::uint64_t byte) const;

  TiledPicture picture_;
  std::size_t head_;
};

} // namespace tessera
