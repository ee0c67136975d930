#pragma once

#include "crypto/bytes.hpp"

#include <cassert>
#include <concepts>

// Numbers in what is signed, hashed or sent here: little-endian, whatever the machine.
namespace tessera {

template<std::unsigned_integral T>
void put(Bytes& out, T number) {
  for (std::size_t i = 0; i != sizeof(T); ++i)
    out.push_back(std::uint8_t(number >> (8 * i)));
}

inline void put(Bytes& out, ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// The number at `offset`, which the caller has checked to be there.
template<std::unsigned_integral T>
T get(ByteView bytes, std::size_t offset) {
  assert(offset + sizeof(T) <= bytes.size());
  T number = 0;
  for (std::size_t i = 0; i != sizeof(T); ++i)
    number = T(number | (T(bytes[offset + i]) << (8 * i)));
  return number;
}

} // namespace tessera
