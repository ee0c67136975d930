#pragma once

#include <compare>
#include <cstdint>

// The name of a dyadic node over a job's leaves: covers leaves [index * 2^level, (index + 1) *
// 2^level), cut at the last leaf. Its arithmetic is in actors/block.hpp.
namespace tessera {

struct Block {
  std::uint8_t level = 0; // 0 ... 63
  std::uint64_t index = 0;

  auto operator<=>(const Block&) const = default;
};

} // namespace tessera
