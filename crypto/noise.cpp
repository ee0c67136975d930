#include "crypto/noise.hpp"

#include "crypto/primitives.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

// The patterns (section 7.5; 9.4 for the psk):
//   -> [psk] e        <- e, ee, s, es        -> s, se
// ee, es and se follow the same two lines on either side: who holds e and who s depends on the
// role.
namespace tessera {

namespace {

constexpr std::size_t dh_bytes = 32;
constexpr auto last_nonce = std::numeric_limits<std::uint64_t>::max(); // Rekey's own.

primitives::Nonce nonce_of(std::uint64_t counter) {
  primitives::Nonce nonce{};
  for (std::size_t i = 0; i != 8; ++i)
    nonce[4 + i] = std::uint8_t(counter >> (8 * i));
  return nonce;
}

template<std::size_t N>
Secret<32> key_at(const Secret<N>& keys, std::size_t index) {
  Secret<32> key;
  std::copy_n(keys.data() + 32 * index, 32, key.data());
  return key;
}

} // namespace

DhKeyPair DhKeyPair::generate() {
  Secret<32> secret;
  fill_random(secret.bytes);
  return from_secret(secret);
}

DhKeyPair DhKeyPair::from_secret(const Secret<32>& secret) {
  return {secret, primitives::x25519_base(secret)};
}

void CipherState::encrypt(ByteView ad, ByteView plaintext, Bytes& out) {
  if (!keyed_) {
    out.insert(out.end(), plaintext.begin(), plaintext.end());
    return;
  }
  assert(counter_ != last_nonce);
  primitives::seal(key_, nonce_of(counter_++), ad, plaintext, out);
}

bool CipherState::decrypt(ByteView ad, ByteView ciphertext, Bytes& out) {
  if (!keyed_) {
    out.insert(out.end(), ciphertext.begin(), ciphertext.end());
    return true;
  }
  if (counter_ == last_nonce || !primitives::open(key_, nonce_of(counter_), ad, ciphertext, out))
    return false;
  ++counter_;
  return true;
}

void CipherState::rekey() {
  assert(keyed_);
  Bytes fresh;
  primitives::seal(key_, nonce_of(last_nonce), {}, Secret<32>{}.view(), fresh);
  std::copy_n(fresh.begin(), key_.bytes.size(), key_.data());
  wipe(fresh);
}

Noise::Noise(NoiseConfig config) : config_(std::move(config)) {
  const auto name = view(config_.psk ? "Noise_XXpsk0_25519_ChaChaPoly_SHA256"
                                     : "Noise_XX_25519_ChaChaPoly_SHA256");
  // Section 5.2: a name that fits stands for itself.
  if (name.size() <= hash_.size())
    std::ranges::copy(name, hash_.begin());
  else
    hash_ = primitives::sha256(name);
  chaining_ = Secret<32>{hash_};
  mix_hash(config_.prologue);
}

bool Noise::finished() const {
  return message_ == 3 && !failed_;
}

bool Noise::my_turn() const {
  return !failed_ && message_ < 3 && (message_ % 2 == 0) == (config_.role == NoiseRole::initiator);
}

void Noise::use_static(const DhKeyPair& key) {
  assert(message_ < 2);
  config_.static_key = key;
}

void Noise::mix_hash(ByteView bytes) {
  hash_ = primitives::sha256(hash_, bytes);
}

void Noise::mix_key(ByteView input) {
  Secret<64> keys;
  primitives::hkdf_sha256(chaining_.view(), input, {}, keys.bytes);
  chaining_ = key_at(keys, 0);
  cipher_ = CipherState{key_at(keys, 1)};
}

void Noise::mix_key_and_hash(ByteView input) {
  Secret<96> keys;
  primitives::hkdf_sha256(chaining_.view(), input, {}, keys.bytes);
  chaining_ = key_at(keys, 0);
  mix_hash(key_at(keys, 1).view());
  cipher_ = CipherState{key_at(keys, 2)};
}

bool Noise::mix_dh(const DhKeyPair& ours, const DhPublic& theirs) {
  Secret<32> product;
  if (!primitives::x25519(ours.secret, theirs, product))
    return false;
  mix_key(product.view());
  return true;
}

// Section 9.2: with a psk in the pattern, `e` goes through MixKey too, so that no two handshakes
// use one key.
void Noise::mix_ephemeral(const DhPublic& key) {
  mix_hash(key);
  if (config_.psk)
    mix_key(key);
}

void Noise::seal_into(Bytes& message, ByteView plaintext) {
  const auto before = message.size();
  cipher_.encrypt(hash_, plaintext, message);
  mix_hash(ByteView{message}.subspan(before));
}

std::optional<Bytes> Noise::open_part(ByteView part) {
  Bytes plaintext;
  if (!cipher_.decrypt(hash_, part, plaintext))
    return {};
  mix_hash(part);
  return plaintext;
}

// What message number message_ carries besides its payload, and the payload's tag.
std::size_t Noise::overhead() const {
  const std::size_t tag = message_ > 0 || config_.psk ? noise_tag_bytes : 0;
  const std::size_t e = message_ < 2 ? dh_bytes : 0;
  const std::size_t s = message_ > 0 ? dh_bytes + noise_tag_bytes : 0;
  return e + s + tag;
}

std::optional<Bytes> Noise::write(ByteView payload) {
  assert(my_turn());
  if (overhead() + payload.size() > noise_message_bytes_max)
    return {};
  Bytes message;
  message.reserve(overhead() + payload.size());
  if (!write_keys(message)) {
    failed_ = true;
    return {};
  }
  seal_into(message, payload);
  ++message_;
  return message;
}

bool Noise::write_keys(Bytes& message) {
  if (message_ == 0 && config_.psk)
    mix_key_and_hash(config_.psk->view());
  if (message_ < 2) {
    if (!config_.ephemeral)
      config_.ephemeral = DhKeyPair::generate();
    const auto& key = config_.ephemeral->public_key;
    message.insert(message.end(), key.begin(), key.end());
    mix_ephemeral(key);
  }
  if (message_ == 0)
    return true;
  if (message_ == 1 && !mix_dh(*config_.ephemeral, remote_ephemeral_)) // ee
    return false;
  seal_into(message, config_.static_key.public_key);
  return mix_dh(config_.static_key, remote_ephemeral_); // es, or se: their e, our s.
}

std::optional<Bytes> Noise::read(ByteView message) {
  assert(!my_turn());
  std::optional<Bytes> payload;
  if (!failed_ && message_ < 3 && message.size() >= overhead() &&
      message.size() <= noise_message_bytes_max && read_keys(message))
    payload = open_part(message);
  failed_ = !payload;
  message_ += !failed_;
  return payload;
}

// Takes the keys off the front of `message`.
bool Noise::read_keys(ByteView& message) {
  const auto take = [&](std::size_t n) {
    const auto part = message.first(n);
    message = message.subspan(n);
    return part;
  };
  if (message_ == 0 && config_.psk)
    mix_key_and_hash(config_.psk->view());
  if (message_ < 2) {
    std::ranges::copy(take(dh_bytes), remote_ephemeral_.begin());
    mix_ephemeral(remote_ephemeral_);
  }
  if (message_ == 0)
    return true;
  if (message_ == 1 && !mix_dh(*config_.ephemeral, remote_ephemeral_)) // ee
    return false;
  const auto key = open_part(take(dh_bytes + noise_tag_bytes));
  if (!key)
    return false;
  std::ranges::copy(*key, remote_static_.begin());
  return mix_dh(*config_.ephemeral, remote_static_); // es, or se: our e, their s.
}

Noise::Ciphers Noise::split() {
  assert(finished());
  Secret<64> keys;
  primitives::hkdf_sha256(chaining_.view(), {}, {}, keys.bytes);
  CipherState forth{key_at(keys, 0)}, back{key_at(keys, 1)};
  if (config_.role == NoiseRole::initiator)
    return {forth, back};
  return {back, forth};
}

} // namespace tessera
