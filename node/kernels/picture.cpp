#include "node/kernels/native.hpp"
#include "node/kernels/picture_readers.hpp"

#include <algorithm>
#include <new>

namespace tessera {
namespace {

bool starts_with(ByteView file, std::string_view magic) {
  return text_of(file).starts_with(magic);
}

std::string first_bytes(ByteView file) {
  return to_hex(file.first(std::min<std::size_t>(file.size(), 8)));
}

} // namespace

Error unreadable_picture(const std::string& why) {
  return {"E422", "the picture cannot be read", why,
          "give a whole PNG, JPEG or PPM file as --input"};
}

Status check_sides(std::uint64_t width, std::uint64_t height) {
  if (width > 0 && height > 0 && width <= picture_side_max && height <= picture_side_max &&
      width * height <= picture_pixels_max)
    return Nothing{};
  return Error{"E422", "the picture is too large",
               "it says that it is " + std::to_string(width) + " x " + std::to_string(height) +
                   "; " + std::to_string(picture_pixels_max) + " pixels are the most",
               "scale it down, or cut it into several"};
}

void put_head(Bytes& out, const PictureHead& head) {
  for (const auto word : {head.width, head.height, head.channels, std::uint32_t{0}})
    put(out, word);
}

std::optional<PictureHead> get_head(ByteView raw) {
  if (const auto plain = plain_pnm(raw))
    return plain->head;
  if (raw.size() < picture_head_bytes)
    return std::nullopt;
  const PictureHead head{get<std::uint32_t>(raw, 0), get<std::uint32_t>(raw, 4),
                         get<std::uint32_t>(raw, 8)};
  const auto known = (head.channels == 1 || head.channels == 3) && get<std::uint32_t>(raw, 12) == 0;
  if (!known || !check_sides(head.width, head.height))
    return std::nullopt;
  return head;
}

std::optional<RawPicture> get_picture(ByteView raw) {
  const auto head = get_head(raw);
  if (!head)
    return std::nullopt;
  const auto plain = plain_pnm(raw);
  const auto pixels = raw.subspan(plain ? plain->samples_at : picture_head_bytes);
  return pixels.size() == head->bytes() ? std::optional{RawPicture{*head, pixels}} : std::nullopt;
}

bool is_plain_pnm(ByteView file) {
  return plain_pnm(file) && get_picture(file);
}

Status read_picture(ByteView file, Bytes& out) {
  try {
    if (starts_with(file, "\x89PNG\r\n\x1a\n"))
      return read_png(file, out);
    if (starts_with(file, "\xff\xd8\xff"))
      return read_jpeg(file, out);
    if (starts_with(file, "P5") || starts_with(file, "P6"))
      return read_pnm(file, out);
  } catch (const std::bad_alloc&) {
    return unreadable_picture("it needs more memory than a worker has");
  }
  if (file.empty())
    return unreadable_picture("it is empty");
  return unreadable_picture("it is no PNG, JPEG or binary PPM: it starts with " +
                            first_bytes(file));
}

} // namespace tessera
