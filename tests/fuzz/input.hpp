#pragma once

#include "crypto/bytes.hpp"

#include <algorithm>
#include <cstdlib>

// What the entries have in common.
namespace tessera::fuzz {

inline void must(bool holds) {
  if (!holds)
    std::abort();
}

// Input, read from its start; behind its end all is empty, or 0.
struct Input {
  ByteView rest;

  ByteView take(std::size_t size) {
    const auto part = rest.first(std::min(size, rest.size()));
    rest = rest.subspan(part.size());
    return part;
  }
  std::uint8_t byte() {
    const auto one = take(1);
    return one.empty() ? 0 : one[0];
  }
  std::size_t place(std::size_t size) { // Below `size`, which is not 0.
    const std::size_t low = byte(), high = byte();
    return (low | high << 8) % size;
  }
};

// `edits` to the end: places, each with its new byte.
inline Bytes damaged(Bytes good, Input edits) {
  while (edits.rest.size() >= 3 && !good.empty()) {
    const auto at = edits.place(good.size());
    good[at] = edits.byte();
  }
  return good;
}

} // namespace tessera::fuzz
