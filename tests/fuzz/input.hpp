#pragma once

#include "crypto/bytes.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>

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

// How many of at most seven, then places, each with its new byte.
inline Bytes damaged(Bytes good, Input edits) {
  for (auto n = good.empty() ? 0 : edits.byte() % 8; n; --n) {
    const auto at = edits.place(good.size());
    good[at] = edits.byte();
  }
  return good;
}

// The same for text, where a byte may also come in between, or one go.
inline std::string edited(std::string text, Input edits) {
  for (auto n = edits.byte() % 8; n && !text.empty(); --n) {
    const auto at = edits.place(text.size());
    const auto what = edits.byte() % 3;
    const auto byte = char(edits.byte());
    if (what == 0)
      text[at] = byte;
    else if (what == 1)
      text.insert(at, 1, byte);
    else
      text.erase(at, 1);
  }
  return text;
}

} // namespace tessera::fuzz
