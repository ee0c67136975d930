#pragma once

#include "tests/fuzz/input.hpp"

#include <cstring>
#include <random>
#include <zlib.h>

// A mutator for pictures. PNG: after any change each chunk is told its right check sum; and at
// times what is changed are the rows themselves, inside the deflated stream. JPEG: sides mostly
// stay below 256, as a reader that makes room for a huge picture is slow, and says nothing new.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max);

namespace tessera::fuzz {

// Behind the magic: u32 size, 4 letters, so many bytes, u32 check over letters and bytes; all
// big-endian.
class PngFile {
public:
  using Chunk = std::span<std::uint8_t>; // With what is around its bytes.
  static constexpr std::string_view magic = "\x89PNG\r\n\x1a\n";
  static constexpr std::size_t around_bytes = 12;

  static bool is(ByteView file) { return text_of(file).starts_with(magic); }
  explicit PngFile(std::span<std::uint8_t> file) : rest_(file.subspan(magic.size())) {}

  Chunk next() { // Empty: no more is there as a whole.
    if (rest_.size() < around_bytes || u32(rest_) > rest_.size() - around_bytes)
      return {};
    const auto chunk = rest_.first(around_bytes + u32(rest_));
    rest_ = rest_.subspan(chunk.size());
    return chunk;
  }
  static void mend(std::span<std::uint8_t> file) {
    PngFile png{file};
    for (auto chunk = png.next(); !chunk.empty(); chunk = png.next())
      put_u32(chunk.last(4), std::uint32_t(crc32(0, chunk.data() + 4, uInt(chunk.size() - 8))));
  }
  static Chunk rows(std::span<std::uint8_t> file) { // The first that holds some.
    PngFile png{file};
    auto chunk = png.next();
    while (!chunk.empty() && std::memcmp(chunk.data() + 4, "IDAT", 4) != 0)
      chunk = png.next();
    return chunk;
  }
  static Bytes chunk(std::string_view name, ByteView bytes) { // Its check is to be mended.
    Bytes out(around_bytes + bytes.size());
    put_u32(out, std::uint32_t(bytes.size()));
    std::copy(name.begin(), name.end(), out.begin() + 4);
    std::copy(bytes.begin(), bytes.end(), out.begin() + 8);
    return out;
  }

private:
  static std::uint32_t u32(ByteView b) {
    return std::uint32_t(b[0]) << 24 | std::uint32_t(b[1]) << 16 | std::uint32_t(b[2]) << 8 | b[3];
  }
  static void put_u32(std::span<std::uint8_t> b, std::uint32_t n) {
    for (std::size_t i = 0; i != 4; ++i)
      b[i] = std::uint8_t(n >> (24 - 8 * i));
  }

  std::span<std::uint8_t> rest_;
};

// What was deflated, changed and deflated again; empty: it cannot be had.
inline Bytes other_rows(PngFile::Chunk chunk) {
  constexpr std::size_t rows_bytes_max = 1 << 14;
  Bytes rows(rows_bytes_max);
  uLongf size = rows.size();
  if (chunk.empty() || uncompress(rows.data(), &size, &chunk[8], chunk.size() - 12) != Z_OK)
    return {};
  rows.resize(LLVMFuzzerMutate(rows.data(), size, rows.size()));
  Bytes deflated(compressBound(rows.size()));
  size = deflated.size();
  compress2(deflated.data(), &size, rows.data(), rows.size(), 9);
  deflated.resize(size);
  return deflated;
}

// The file with other rows; empty: they cannot be had, or have no room.
inline Bytes with_other_rows(Bytes file, std::size_t max) {
  const auto chunk = PngFile::rows(file);
  const auto rows = other_rows(chunk);
  if (rows.empty())
    return {};
  const auto fresh = PngFile::chunk("IDAT", rows);
  const auto at = file.begin() + (chunk.data() - file.data());
  const auto behind = file.erase(at, at + std::ptrdiff_t(chunk.size()));
  file.insert(behind, fresh.begin(), fresh.end());
  PngFile::mend(file);
  return file.size() <= max ? file : Bytes{};
}

// Segments: 0xff, a marker, a u16 size that counts itself, big-endian. In a frame's, behind a byte
// for the depth, are height and width.
inline void mend_jpeg(std::span<std::uint8_t> file) {
  constexpr std::uint8_t scan = 0xda, huffman = 0xc4, extension = 0xc8, arithmetic = 0xcc;
  for (auto rest = file.subspan(2); rest.size() >= 9 && rest[0] == 0xff && rest[1] != scan;) {
    const auto marker = rest[1];
    if ((marker & 0xf0) == 0xc0 && marker != huffman && marker != extension && marker != arithmetic)
      rest[5] = rest[7] = 0;
    const std::size_t size = 2 + (rest[2] << 8 | rest[3]);
    rest = rest.subspan(std::min(size, rest.size()));
  }
}

inline std::size_t mutated_picture(std::uint8_t* data, std::size_t size, std::size_t max,
                                   unsigned seed) {
  std::minstd_rand rng{seed};
  if (PngFile::is({data, size}) && rng() % 4 == 0)
    if (const auto other = with_other_rows({data, data + size}, max); !other.empty()) {
      std::copy(other.begin(), other.end(), data);
      return other.size();
    }
  size = LLVMFuzzerMutate(data, size, max);
  if (rng() % 64 == 0)
    return size;
  if (PngFile::is({data, size}))
    PngFile::mend({data, size});
  else if (size > 2 && data[0] == 0xff && data[1] == 0xd8)
    mend_jpeg({data, size});
  return size;
}

} // namespace tessera::fuzz
