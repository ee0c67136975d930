#pragma once

#include "crypto/bytes.hpp"

#include <memory>

// What the room builds on: libsodium behind spans, empty ones included, and initialised on first
// use. For crypto/ and its tests; other rooms have digests, identities and ciphers.
namespace tessera::primitives {

// Safe from any thread, and free after the first call.
void ready();

using Key = std::array<std::uint8_t, 32>;
using Nonce = std::array<std::uint8_t, 12>;
inline constexpr std::size_t tag_bytes = 16;

// BLAKE2b (RFC 7693): 1 to 64 bytes out, a key of 0 to 64 bytes.
class Blake2b {
public:
  explicit Blake2b(std::size_t out_bytes = 32, ByteView key = {});
  Blake2b(const Blake2b&) = delete;
  ~Blake2b();

  Blake2b& add(ByteView bytes);
  void finish(std::span<std::uint8_t> out); // `out` is out_bytes long. Once.

private:
  struct State;
  std::unique_ptr<State> state_;
};

Key sha256(ByteView a, ByteView b = {}); // Of a and b, one behind the other.
Key hmac_sha256(ByteView key, ByteView message);

// RFC 5869. False past 255 blocks of 32 bytes. With an empty `info` it is Noise's HKDF.
bool hkdf_sha256(ByteView salt, ByteView input, ByteView info, std::span<std::uint8_t> out);

// RFC 7748. False for a point of low order, whose product says nothing of the secret.
bool x25519(const Secret<32>& secret, const Key& point, Secret<32>& product);
Key x25519_base(const Secret<32>& secret);

// RFC 8439's ChaCha20-Poly1305. Both append to `out`; open() leaves it alone if the tag is wrong.
void seal(const Secret<32>& key, const Nonce& nonce, ByteView ad, ByteView plaintext, Bytes& out);
bool open(const Secret<32>& key, const Nonce& nonce, ByteView ad, ByteView ciphertext, Bytes& out);

// Never null: libsodium's declarations ask for that even where the length is 0.
const std::uint8_t* at(ByteView bytes);

} // namespace tessera::primitives
