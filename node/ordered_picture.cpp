#include "node/ordered_picture.hpp"

namespace tessera {

OrderedPicture::OrderedPicture(TiledPicture picture)
    : picture_(picture),
      head_(pnm_head(picture.tiling.width(), picture.tiling.height(), picture.channels).size()) {
  assert(picture.tiling.across() == 1);
}

std::uint64_t OrderedPicture::begin_of(std::uint64_t band) const {
  const auto& t = picture_.tiling;
  const auto pixels = band < t.tiles() ? t.pixels_before(t.tile(band)) : t.pixels();
  return band == 0 ? 0 : head_ + pixels * picture_.channels;
}

std::optional<std::pair<std::uint64_t, std::uint64_t>>
OrderedPicture::bands_in(std::uint64_t at, std::uint64_t size) const {
  if (size == 0 || at > this->size() || size > this->size() - at)
    return std::nullopt;
  const auto first = band_at(at), end = band_at(at + size);
  if (!first || !end)
    return std::nullopt;
  return std::pair{*first, *end};
}

// Begins grow with their bands.
std::optional<std::uint64_t> OrderedPicture::band_at(std::uint64_t byte) const {
  std::uint64_t low = 0, high = picture_.tiling.tiles();
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    if (begin_of(middle) < byte)
      low = middle + 1;
    else
      high = middle;
  }
  return begin_of(low) == byte ? std::optional{low} : std::nullopt;
}

} // namespace tessera
