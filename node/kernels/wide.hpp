#pragma once

#include "crypto/bytes.hpp"

#include <array>
#include <string>

// Unsigned 192-bit integers, as far as sums of squares need them: sum of i^2 below 2^63 is under
// 2^188.
namespace tessera {

__extension__ using u128 = unsigned __int128;

struct Wide {
  static constexpr std::size_t bytes = 24;
  std::array<std::uint64_t, 3> words{}; // Low first.

  bool operator==(const Wide&) const = default;
  Wide& operator+=(u128 other);
  Wide& operator+=(const Wide& other);
};

void put_wide(Bytes& out, const Wide& wide); // Little-endian, Wide::bytes long.
Wide get_wide(ByteView bytes);
std::string to_decimal(Wide wide);

} // namespace tessera
