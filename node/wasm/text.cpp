#include "node/wasm/text.hpp"

namespace tessera::wasm {

namespace {

// Bytes of the UTF-8 sequence at the start of `rest`; 0: there is none (RFC 3629).
std::size_t sequence(ByteView rest) {
  const auto first = rest[0];
  const std::size_t size = first < 0x80   ? 1
                           : first < 0xc2 ? 0
                           : first < 0xe0 ? 2
                           : first < 0xf0 ? 3
                           : first < 0xf5 ? 4
                                          : 0;
  if (size > rest.size())
    return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((rest[i] & 0xc0) != 0x80)
      return 0;
  const bool overlong = (first == 0xe0 && rest[1] < 0xa0) || (first == 0xf0 && rest[1] < 0x90);
  const bool surrogate = first == 0xed && rest[1] >= 0xa0;
  const bool beyond = first == 0xf4 && rest[1] >= 0x90;
  return overlong || surrogate || beyond ? 0 : size;
}

// C0, DEL, and C1 (0xc2 0x80-0x9f), which terminals obey.
bool control(ByteView character) {
  return character[0] < 0x20 || character[0] == 0x7f ||
         (character[0] == 0xc2 && character[1] < 0xa0);
}

} // namespace

std::string plain_text(ByteView bytes, std::size_t bytes_max) {
  std::string text;
  while (!bytes.empty()) {
    const auto size = sequence(bytes);
    const auto character = bytes.first(size ? size : 1);
    if (text.size() + character.size() > bytes_max)
      return text + "...";
    if (size == 0)
      text += '?';
    else
      text += control(character) ? " " : text_of(character);
    bytes = bytes.subspan(character.size());
  }
  return text;
}

} // namespace tessera::wasm
