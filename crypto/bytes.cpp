#include "crypto/bytes.hpp"

#include "crypto/primitives.hpp"

#include <sodium.h>

namespace tessera {

namespace {

constexpr std::string_view base32_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

int hex_value(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int base32_value(char c) {
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a';
  return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

} // namespace

std::string to_hex(ByteView bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const auto byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::optional<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2)
    return {};
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i != text.size(); i += 2) {
    const int high = hex_value(text[i]), low = hex_value(text[i + 1]);
    if (high < 0 || low < 0)
      return {};
    bytes.push_back(std::uint8_t(high << 4 | low));
  }
  return bytes;
}

std::string to_base32(ByteView bytes) {
  std::string text;
  text.reserve((bytes.size() * 8 + 4) / 5);
  unsigned window = 0, bits = 0;
  for (const auto byte : bytes) {
    window = (window << 8 | byte) & 0xfff; // At most 4 bits wait for the next byte.
    for (bits += 8; bits >= 5; bits -= 5)
      text += base32_digits[window >> (bits - 5) & 31];
  }
  if (bits)
    text += base32_digits[window << (5 - bits) & 31];
  return text;
}

std::optional<Bytes> from_base32(std::string_view text) {
  Bytes bytes;
  bytes.reserve(text.size() * 5 / 8);
  unsigned window = 0, bits = 0;
  for (const char c : text) {
    const int value = base32_value(c);
    if (value < 0)
      return {};
    window = (window << 5 | unsigned(value)) & 0xfff;
    if ((bits += 5) < 8)
      continue;
    bits -= 8;
    bytes.push_back(std::uint8_t(window >> bits));
  }
  // A whole digit too many, or bits that no byte holds: two texts would name the same bytes.
  if (bits >= 5 || (window & ((1u << bits) - 1)))
    return {};
  return bytes;
}

std::string to_base64(ByteView bytes) {
  constexpr int variant = sodium_base64_VARIANT_ORIGINAL;
  std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), variant);
  text.pop_back(); // The terminator.
  return text;
}

void fill_random(std::span<std::uint8_t> bytes) {
  primitives::ready();
  if (!bytes.empty())
    randombytes_buf(bytes.data(), bytes.size());
}

void wipe(std::span<std::uint8_t> bytes) {
  if (!bytes.empty())
    sodium_memzero(bytes.data(), bytes.size());
}

} // namespace tessera
