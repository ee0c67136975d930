#pragma once

#include "crypto/bytes.hpp"

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>

// What the entries have in common.
namespace tessera::fuzz {

// Good input of this fuzzer, always the same: each defines its own. What it takes to get past the
// first checks, and little more.
std::vector<Bytes> seeds();

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

// A seed: what chooses, then what is read.
inline Bytes seed(std::initializer_list<std::uint8_t> choices, ByteView rest = {}) {
  Bytes bytes{choices};
  bytes.insert(bytes.end(), rest.begin(), rest.end());
  return bytes;
}
inline Bytes seed(std::initializer_list<std::uint8_t> choices, std::string_view rest) {
  return seed(choices, view(rest));
}

} // namespace tessera::fuzz
