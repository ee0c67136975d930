#pragma once

#include "node/kernels/picture.hpp"

// The readers behind read_picture, and what all refuse.
namespace tessera {

Status read_png(ByteView file, Bytes& out);
Status read_jpeg(ByteView file, Bytes& out);
Status read_pnm(ByteView file, Bytes& out);

Error unreadable_picture(const std::string& why); // E422
Status check_sides(std::uint64_t width,
                   std::uint64_t height); // E422, before anything is allocated.

// The head of a plain PNM (picture.hpp), and where its samples begin. Nothing: it has no such head.
struct PlainPnm {
  PictureHead head;
  std::size_t samples_at = 0;
};
std::optional<PlainPnm> plain_pnm(ByteView start);

} // namespace tessera
