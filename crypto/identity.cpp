#include "crypto/identity.hpp"

#include "crypto/key_file.hpp"
#include "crypto/primitives.hpp"

#include <sodium.h>

#include <algorithm>

namespace tessera {

namespace {

constexpr std::size_t check_bytes = 3;
constexpr std::size_t group_digits = 4;

// CRC-24 of RFC 4880, section 6.1. A CRC and no hash: it finds every burst of up to 24 bits, so
// that each mistyped digit and each swap of two neighbours is refused for certain.
std::array<std::uint8_t, check_bytes> check_of(ByteView bytes) {
  std::uint32_t crc = 0xb704ce;
  for (const auto byte : bytes) {
    crc ^= std::uint32_t(byte) << 16;
    for (int bit = 0; bit != 8; ++bit)
      crc = crc << 1 ^ (crc & 0x800000 ? 0x1864cfb : 0);
  }
  return {std::uint8_t(crc >> 16), std::uint8_t(crc >> 8), std::uint8_t(crc)};
}

Error not_an_id(std::string_view text, std::string why) {
  constexpr std::size_t shown_max = 80;
  return {"E411", "\"" + std::string{text.substr(0, shown_max)} + "\" is not a node id",
          std::move(why), "copy the whole id from: tessera id"};
}

} // namespace

std::string to_text(const NodeId& id) {
  Bytes bytes = to_bytes(id.view());
  const auto check = check_of(id.view());
  bytes.insert(bytes.end(), check.begin(), check.end());
  const auto digits = to_base32(bytes);
  std::string text;
  for (std::size_t i = 0; i != digits.size(); ++i) {
    if (i && i % group_digits == 0)
      text += '-';
    text += digits[i];
  }
  return text;
}

std::string short_text(const NodeId& id) {
  return to_base32(id.view()).substr(0, group_digits);
}

Result<NodeId> node_id_from_text(std::string_view text) {
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits),
               [](char c) { return c != '-'; });
  NodeId id;
  constexpr auto digits_wanted = (sizeof id.key + check_bytes) * 8 / 5;
  if (digits.size() != digits_wanted)
    return not_an_id(text,
                     "ids have 56 letters and digits, this has " + std::to_string(digits.size()));
  const auto bytes = from_base32(digits);
  if (!bytes)
    return not_an_id(text, "ids are made of the letters A-Z, the digits 2-7, and dashes");
  std::copy_n(bytes->begin(), id.key.size(), id.key.begin());
  if (!std::ranges::equal(check_of(id.view()), std::span{*bytes}.last(check_bytes)))
    return not_an_id(text, "its check digits do not fit: something in it is mistyped");
  return id;
}

Identity Identity::generate() {
  Secret<32> seed;
  fill_random(seed.bytes);
  return from_seed(seed);
}

Identity Identity::from_seed(const Secret<32>& seed) {
  primitives::ready();
  NodeId id;
  Secret<64> secret;
  crypto_sign_seed_keypair(id.key.data(), secret.data(), seed.data());
  return {id, secret};
}

Result<Identity> Identity::load_or_create(const std::filesystem::path& file) {
  const auto content = read_or_create_key_file(file, [] { return generate().secret_; });
  if (!content)
    return content.error();
  Secret<32> seed;
  std::copy_n(content->data(), seed.bytes.size(), seed.data());
  auto identity = from_seed(seed);
  if (identity.secret_.bytes != content->bytes)
    return key_file_damaged(file);
  return identity;
}

Signature Identity::sign(ByteView bytes) const {
  Signature signature;
  crypto_sign_detached(signature.data(), nullptr, primitives::at(bytes), bytes.size(),
                       secret_.data());
  return signature;
}

bool verify(const NodeId& signer, ByteView bytes, const Signature& signature) {
  primitives::ready();
  return crypto_sign_verify_detached(signature.data(), primitives::at(bytes), bytes.size(),
                                     signer.key.data()) == 0;
}

} // namespace tessera
