#include "node/kernels/preview.hpp"

#include <png.h>

namespace tessera {
namespace {

constexpr std::uint64_t points = 2; // Of a pixel, along each side.

// Where, among `of` places, the middle of point `at` of `count` lies.
std::uint64_t place(std::uint64_t at, std::uint64_t count, std::uint64_t of) {
  return (2 * at + 1) * of / (2 * count);
}

// The first point that lies at `from` or behind.
std::uint64_t first_point(std::uint64_t from, std::uint64_t count, std::uint64_t of) {
  auto at = from * count / of;
  at -= std::min<std::uint64_t>(at, 1);
  while (at < count && place(at, count, of) < from)
    ++at;
  return at;
}

std::uint32_t height_of(const Tiling& tiling, std::uint32_t width) {
  const auto h = std::uint64_t(tiling.height()) * width / tiling.width();
  return std::uint32_t(std::clamp<std::uint64_t>(h, 1, preview_height_max));
}

Error not_written(const char* why) {
  return {"E712", "the preview cannot be written", why, "ask for one that is less wide"};
}

// A PNG, or a plain PNM.
Status scan(ByteView file, const PngHead& head, const PngRow& row) {
  const auto plain = get_picture(file);
  if (!plain)
    return scan_png(file, head, row);
  if (auto taken = head(plain->head); !taken)
    return taken;
  const auto stride = std::size_t(plain->head.width) * plain->head.channels;
  for (std::uint32_t y = 0; y < plain->head.height; ++y)
    row(y, plain->pixels.subspan(y * stride, stride));
  return Nothing{};
}

} // namespace

Preview::Preview(TiledPicture picture, std::uint32_t width)
    : picture_(picture), width_(std::min(width, picture.tiling.width())),
      height_(height_of(picture.tiling, width_)), pixels_(std::size_t(width_) * height_),
      painted_(picture.tiling.tiles()) {}

std::uint64_t Preview::column(std::uint64_t point) const {
  return place(point, width_ * points, picture_.tiling.width());
}
std::uint64_t Preview::row(std::uint64_t point) const {
  return place(point, height_ * points, picture_.tiling.height());
}

void Preview::add(std::uint64_t x_point, std::uint64_t y_point, const std::uint8_t* pixel,
                  std::uint32_t channels) {
  auto& to = pixels_[y_point / points * width_ + x_point / points];
  const bool gray = channels == 1;
  to.red = std::uint16_t(to.red + pixel[0]);
  to.green = std::uint16_t(to.green + pixel[gray ? 0 : 1]);
  to.blue = std::uint16_t(to.blue + pixel[gray ? 0 : 2]);
  ++to.points;
}

void Preview::paint_tile(const Rect& tile, const std::uint8_t* bytes) {
  const auto& t = picture_.tiling;
  const auto across = width_ * points, down = height_ * points;
  const auto left = first_point(tile.x, across, t.width());
  for (auto y = first_point(tile.y, down, t.height()); y < down && row(y) < tile.y + tile.height;
       ++y)
    for (auto x = left; x < across && column(x) < tile.x + tile.width; ++x) {
      const auto at = (row(y) - tile.y) * tile.width + (column(x) - tile.x);
      add(x, y, bytes + at * picture_.channels, picture_.channels);
    }
}

bool Preview::paint(std::uint64_t first, std::uint64_t end, ByteView tiles) {
  const auto& t = picture_.tiling;
  if (first >= end || end > t.tiles())
    return false;
  const auto before = t.pixels_before(t.tile(first));
  const auto last = t.tile(end - 1);
  const auto pixels = t.pixels_before(last) + last.pixels() - before;
  if (tiles.size() != pixels * picture_.channels)
    return false;
  for (auto item = first; item < end; ++item) {
    if (painted_[item])
      continue;
    painted_[item] = true;
    ++painted_count_;
    const auto tile = t.tile(item);
    paint_tile(tile, tiles.data() + (t.pixels_before(tile) - before) * picture_.channels);
  }
  return true;
}

Status Preview::paint_file(ByteView file) {
  const auto& t = picture_.tiling;
  pixels_.assign(pixels_.size(), Pixel{});
  painted_.assign(painted_.size(), true);
  painted_count_ = painted_.size();
  std::uint32_t channels = 0;
  std::uint64_t y_point = 0;
  return scan(
      file,
      [&](const PictureHead& head) -> Status {
        channels = head.channels;
        if (head.width == t.width() && head.height == t.height())
          return Nothing{};
        return Error{"E422", "the result is not the picture that the job is of",
                     "its sides are others", "please report this"};
      },
      [&](std::uint32_t y, ByteView line) {
        for (; y_point < height_ * points && row(y_point) == y; ++y_point)
          for (std::uint64_t x = 0; x < width_ * points; ++x)
            add(x, y_point, line.data() + column(x) * channels, channels);
      });
}

Status Preview::write(Bytes& out) const {
  Bytes rgba;
  rgba.reserve(pixels_.size() * 4);
  for (const auto& p : pixels_) {
    const auto n = std::max<std::uint32_t>(1, p.points);
    const auto mean = [n](std::uint32_t sum) { return std::uint8_t((sum + n / 2) / n); };
    rgba.insert(rgba.end(), {mean(p.red), mean(p.green), mean(p.blue),
                             std::uint8_t(p.points * 255 / (points * points))});
  }
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = width_;
  image.height = height_;
  image.format = PNG_FORMAT_RGBA;
  image.flags = PNG_IMAGE_FLAG_FAST;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  const auto at = out.size();
  out.resize(at + size);
  if (!png_image_write_to_memory(&image, out.data() + at, &size, 0, rgba.data(), 0, nullptr))
    return not_written(image.message);
  out.resize(at + size);
  return Nothing{};
}

} // namespace tessera
