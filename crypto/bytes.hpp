#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Bytes, views of bytes, and secrets that wipe themselves.
namespace tessera {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline ByteView view(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(ByteView bytes) {
  return {bytes.begin(), bytes.end()};
}

std::string to_hex(ByteView bytes);
std::optional<Bytes> from_hex(std::string_view text); // Nothing: odd length or a bad digit.

// RFC 4648 base32, upper case, no padding; reading takes either case and refuses stray bits.
std::string to_base32(ByteView bytes);
std::optional<Bytes> from_base32(std::string_view text);

std::string to_base64(ByteView bytes); // RFC 4648, padded.

void fill_random(std::span<std::uint8_t> bytes);
void wipe(std::span<std::uint8_t> bytes);

// N secret bytes, overwritten when they go.
template<std::size_t N>
struct Secret {
  std::array<std::uint8_t, N> bytes{};

  Secret() = default;
  explicit Secret(const std::array<std::uint8_t, N>& b) : bytes(b) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret() { wipe(bytes); }

  ByteView view() const { return bytes; }
  std::uint8_t* data() { return bytes.data(); }
  const std::uint8_t* data() const { return bytes.data(); }
};

} // namespace tessera
