#include "node/kernels/picture_readers.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>

// The plainest of picture files: a few numbers, then the samples.
// https://netpbm.sourceforge.net/doc/ppm.html
namespace tessera {
namespace {

Error refused(const std::string& why) {
  return unreadable_picture("PPM: " + why);
}

// The next number of a header: before it white space, and comments from # to the end of the line.
std::optional<std::uint64_t> number(ByteView& rest) {
  bool comment = false;
  while (!rest.empty() && (comment || std::isspace(rest[0]) || rest[0] == '#')) {
    comment = rest[0] != '\n' && (comment || rest[0] == '#');
    rest = rest.subspan(1);
  }
  const auto text = text_of(rest);
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{})
    return std::nullopt;
  rest = rest.subspan(std::size_t(end - text.data()));
  return n;
}

// To 8 bits, rounded to nearest; samples past what the file says is white are white.
void scale(ByteView samples, std::uint32_t white, Bytes& out) {
  const std::size_t size = white > 255 ? 2 : 1;
  for (std::size_t i = 0; i < samples.size(); i += size) {
    const std::uint32_t s = size == 2 ? samples[i] << 8 | samples[i + 1] : samples[i];
    out.push_back(std::uint8_t((std::min(s, white) * 255 + white / 2) / white));
  }
}

struct Head {
  std::uint64_t width = 0, height = 0, white = 0;
  std::uint32_t channels = 0;
};

// Takes it off `rest`, which begins with P5 or P6. Nothing: it is cut off, or is none.
std::optional<Head> take_head(ByteView& rest) {
  const std::uint32_t channels = rest[1] == '6' ? 3 : 1;
  rest = rest.subspan(2);
  const auto width = number(rest), height = number(rest), white = number(rest);
  if (!width || !height || !white || rest.empty() || !std::isspace(rest[0]))
    return std::nullopt;
  rest = rest.subspan(1);
  return Head{*width, *height, *white, channels};
}

} // namespace

std::optional<PlainPnm> plain_pnm(ByteView start) {
  const auto first = start.first(std::min(start.size(), pnm_head_bytes_max));
  if (!text_of(first).starts_with("P5") && !text_of(first).starts_with("P6"))
    return std::nullopt;
  auto rest = first;
  const auto head = take_head(rest);
  if (!head || head->white != 255 || !check_sides(head->width, head->height))
    return std::nullopt;
  return PlainPnm{{std::uint32_t(head->width), std::uint32_t(head->height), head->channels},
                  first.size() - rest.size()};
}

Status read_pnm(ByteView file, Bytes& out) {
  auto rest = file;
  const auto told = take_head(rest);
  if (!told)
    return refused("width, height and the value of white are not told");
  const auto white = told->white;
  if (white == 0 || white > 65535)
    return refused("white is " + std::to_string(white) + ", and not from 1 to 65535");
  if (auto sides = check_sides(told->width, told->height); !sides)
    return sides;
  const PictureHead head{std::uint32_t(told->width), std::uint32_t(told->height), told->channels};
  const auto bytes = head.bytes() * (white > 255 ? 2 : 1);
  if (rest.size() < bytes)
    return refused("the file is cut off: " + std::to_string(rest.size()) +
                   " bytes of samples are there, " + std::to_string(bytes) + " should be");
  out.reserve(out.size() + picture_head_bytes + head.bytes());
  put_head(out, head);
  const auto samples = rest.first(std::size_t(bytes));
  if (white == 255)
    out.insert(out.end(), samples.begin(), samples.end());
  else
    scale(samples, std::uint32_t(white), out);
  return Nothing{};
}

std::string pnm_head(std::uint32_t width, std::uint32_t height, std::uint32_t channels) {
  return std::string(channels == 1 ? "P5\n" : "P6\n") + std::to_string(width) + " " +
         std::to_string(height) + "\n255\n";
}

Status write_pnm(const Tiling& tiling, std::uint32_t channels, ByteView tiles, Bytes& out) {
  assert(tiles.size() == tiling.pixels() * channels);
  const auto head = pnm_head(tiling.width(), tiling.height(), channels);
  const auto row = std::size_t(tiling.width()) * channels;
  auto at = out.size() + head.size();
  out.resize(at + tiles.size());
  std::memcpy(out.data() + at - head.size(), head.data(), head.size());
  for (std::uint32_t y = 0; y < tiling.height(); ++y, at += row)
    collect_row(tiling, channels, tiles, y, out.data() + at);
  return Nothing{};
}

void collect_row(const Tiling& tiling, std::uint32_t channels, ByteView tiles, std::uint32_t y,
                 std::uint8_t* row) {
  const auto first = tiling.first_tile_at(y);
  for (auto item = first; item < first + tiling.across(); ++item) {
    const auto t = tiling.tile(item);
    const auto inside = std::uint64_t(y - t.y) * t.width;
    std::memcpy(row + std::size_t(t.x) * channels,
                tiles.data() + (tiling.pixels_before(t) + inside) * channels,
                std::size_t(t.width) * channels);
  }
}

} // namespace tessera
