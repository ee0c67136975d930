#pragma once

#include "crypto/bytes.hpp"

#include <cstdint>
#include <optional>
#include <vector>

// Tasks of a tree job that are still to be run, and what those that ran contributed. So is a
// round's state, and what its leaves make. All numbers are little-endian:
//
//   u64 tasks run | u64 fuel of them | u8 whether any contributed | u64 size, the contribution |
//   each task: u32 size, its bytes
namespace tessera::wasm {

inline constexpr std::size_t bag_bytes_max = 64 << 20; // A guess.

struct Bag { // Views what was read or will be written.
  std::uint64_t run = 0, fuel = 0;
  std::optional<ByteView> contribution;
  std::vector<ByteView> tasks; // In the order of running.

  static std::optional<Bag> of(ByteView bytes); // Nothing: not one.
  void append_to(Bytes& out) const;
};

} // namespace tessera::wasm
