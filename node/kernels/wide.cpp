#include "node/kernels/wide.hpp"

#include "node/kernels/native.hpp"

#include <algorithm>

namespace tessera {

Wide& Wide::operator+=(u128 other) {
  return *this += Wide{{std::uint64_t(other), std::uint64_t(other >> 64), 0}};
}

Wide& Wide::operator+=(const Wide& other) {
  u128 carry = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    carry += u128(words[i]) + other.words[i];
    words[i] = std::uint64_t(carry);
    carry >>= 64;
  }
  return *this;
}

void put_wide(Bytes& out, const Wide& wide) {
  for (const auto word : wide.words)
    put(out, word);
}

Wide get_wide(ByteView bytes) {
  Wide wide;
  for (std::size_t i = 0; i < wide.words.size(); ++i)
    wide.words[i] = get<std::uint64_t>(bytes, 8 * i);
  return wide;
}

std::string to_decimal(Wide wide) {
  std::string digits;
  do {
    u128 rest = 0;
    for (auto i = wide.words.size(); i-- > 0;) {
      const auto part = rest << 64 | wide.words[i];
      wide.words[i] = std::uint64_t(part / 10);
      rest = part % 10;
    }
    digits += char('0' + int(rest));
  } while (wide != Wide{});
  std::reverse(digits.begin(), digits.end());
  return digits;
}

} // namespace tessera
