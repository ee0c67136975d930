#include "node/wasm/reader.hpp"

namespace tessera::wasm {

std::uint8_t Reader::byte() {
  const auto one = take(1);
  return one.empty() ? 0 : one[0];
}

ByteView Reader::take(std::uint64_t size) {
  if (size > rest_.size()) {
    spoil();
    return {};
  }
  const auto part = rest_.first(std::size_t(size));
  rest_ = rest_.subspan(std::size_t(size));
  return part;
}

std::string Reader::name() {
  return std::string{text_of(take(u32()))};
}

std::uint64_t Reader::leb(unsigned bits) {
  std::uint64_t number = 0;
  for (unsigned shift = 0; shift < bits; shift += 7) {
    const auto part = byte();
    const std::uint64_t low = part & 0x7f;
    if (shift + 7 > bits && low >> (bits - shift) != 0)
      break; // More bits than the number has.
    number |= low << shift;
    if (!(part & 0x80))
      return number;
  }
  spoil();
  return 0;
}

} // namespace tessera::wasm
