#include "crypto/primitives.hpp"

#include <sodium.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>

namespace tessera::primitives {

namespace {

struct Hmac {
  crypto_auth_hmacsha256_state state;

  explicit Hmac(ByteView key) { crypto_auth_hmacsha256_init(&state, at(key), key.size()); }
  ~Hmac() { sodium_memzero(&state, sizeof state); }

  Hmac& add(ByteView bytes) {
    crypto_auth_hmacsha256_update(&state, at(bytes), bytes.size());
    return *this;
  }
  void finish(std::span<std::uint8_t, 32> out) { crypto_auth_hmacsha256_final(&state, out.data()); }
};

} // namespace

void ready() {
  // Without it there is neither randomness nor any promise: better no process at all.
  static const bool initialised = sodium_init() >= 0;
  if (!initialised)
    std::abort();
}

const std::uint8_t* at(ByteView bytes) {
  static constexpr std::uint8_t nothing = 0;
  return bytes.empty() ? &nothing : bytes.data();
}

struct Blake2b::State {
  crypto_generichash_state it;
  std::size_t out_bytes;
};

Blake2b::Blake2b(std::size_t out_bytes, ByteView key) : state_(std::make_unique<State>()) {
  ready();
  state_->out_bytes = out_bytes;
  // Below 16 bytes libsodium's own front door is shut; nothing here asks for less.
  [[maybe_unused]] const int code =
      crypto_generichash_init(&state_->it, at(key), key.size(), out_bytes);
  assert(code == 0);
}

Blake2b::~Blake2b() {
  sodium_memzero(state_.get(), sizeof *state_);
}

Blake2b& Blake2b::add(ByteView bytes) {
  crypto_generichash_update(&state_->it, at(bytes), bytes.size());
  return *this;
}

void Blake2b::finish(std::span<std::uint8_t> out) {
  assert(out.size() == state_->out_bytes);
  crypto_generichash_final(&state_->it, out.data(), out.size());
}

Key sha256(ByteView a, ByteView b) {
  ready();
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  crypto_hash_sha256_update(&state, at(a), a.size());
  crypto_hash_sha256_update(&state, at(b), b.size());
  Key out;
  crypto_hash_sha256_final(&state, out.data());
  return out;
}

Key hmac_sha256(ByteView key, ByteView message) {
  ready();
  Key out;
  Hmac{key}.add(message).finish(out);
  return out;
}

bool hkdf_sha256(ByteView salt, ByteView input, ByteView info, std::span<std::uint8_t> out) {
  if (out.size() > 255 * 32)
    return false;
  const Secret<32> extracted{hmac_sha256(salt, input)};
  Secret<32> block;
  for (std::size_t done = 0; done < out.size(); done += 32) {
    Hmac hmac{extracted.view()};
    if (done)
      hmac.add(block.view());
    const std::uint8_t number = std::uint8_t(done / 32 + 1);
    hmac.add(info).add({&number, 1}).finish(block.bytes);
    std::copy_n(block.data(), std::min<std::size_t>(32, out.size() - done), &out[done]);
  }
  return true;
}

bool x25519(const Secret<32>& secret, const Key& point, Secret<32>& product) {
  ready();
  return crypto_scalarmult(product.data(), secret.data(), point.data()) == 0;
}

Key x25519_base(const Secret<32>& secret) {
  ready();
  Key out;
  crypto_scalarmult_base(out.data(), secret.data());
  return out;
}

void seal(const Secret<32>& key, const Nonce& nonce, ByteView ad, ByteView plaintext, Bytes& out) {
  ready();
  const auto before = out.size();
  out.resize(before + plaintext.size() + tag_bytes);
  crypto_aead_chacha20poly1305_ietf_encrypt(out.data() + before, nullptr, at(plaintext),
                                            plaintext.size(), at(ad), ad.size(), nullptr,
                                            nonce.data(), key.data());
}

bool open(const Secret<32>& key, const Nonce& nonce, ByteView ad, ByteView ciphertext, Bytes& out) {
  ready();
  if (ciphertext.size() < tag_bytes)
    return false;
  const auto before = out.size();
  out.resize(before + ciphertext.size()); // Room for the tag too, so that data() is never null.
  const bool fits = crypto_aead_chacha20poly1305_ietf_decrypt(
                        out.data() + before, nullptr, nullptr, ciphertext.data(), ciphertext.size(),
                        at(ad), ad.size(), nonce.data(), key.data()) == 0;
  out.resize(fits ? before + ciphertext.size() - tag_bytes : before);
  return fits;
}

} // namespace tessera::primitives
