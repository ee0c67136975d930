#pragma once

#include "crypto/bytes.hpp"

#include <optional>

// Noise, revision 34, patterns XX and XXpsk0, suite 25519_ChaChaPoly_SHA256, from libsodium's
// primitives. Knows nothing of preambles, identities or sockets.
namespace tessera {

using DhPublic = std::array<std::uint8_t, 32>;

struct DhKeyPair {
  Secret<32> secret;
  DhPublic public_key{};

  static DhKeyPair generate();
  static DhKeyPair from_secret(const Secret<32>& secret);
};

inline constexpr std::size_t noise_message_bytes_max = 65535;
inline constexpr std::size_t noise_tag_bytes = 16;

// Section 5.1: a key and a counter. The nonce is 4 zero bytes and the counter, little-endian.
class CipherState {
public:
  CipherState() = default;
  explicit CipherState(const Secret<32>& key) : key_(key), keyed_(true) {}

  bool keyed() const { return keyed_; }
  std::uint64_t counter() const { return counter_; }

  // Appends ciphertext and tag to `out`. Without a key: the plaintext as it is.
  void encrypt(ByteView ad, ByteView plaintext, Bytes& out);
  // Appends plaintext to `out`; false, with `out` and the counter unchanged, if the tag is wrong.
  bool decrypt(ByteView ad, ByteView ciphertext, Bytes& out);
  // Section 4.2's REKEY: the key becomes the encryption of zeros under nonce 2^64-1; the counter
  // stays.
  void rekey();

private:
  Secret<32> key_;
  std::uint64_t counter_ = 0;
  bool keyed_ = false;
};

enum class NoiseRole { initiator, responder };

struct NoiseConfig {
  NoiseRole role;
  DhKeyPair static_key;
  Bytes prologue;
  std::optional<Secret<32>> psk;           // With it the pattern is XXpsk0, without it XX.
  std::optional<DhKeyPair> ephemeral = {}; // Tests only: vectors fix it.
};

class Noise {
public:
  explicit Noise(NoiseConfig config);

  bool my_turn() const;  // Whether write() is next.
  bool finished() const; // All three messages have passed.

  // The next handshake message around `payload`. Only on my turn. Nothing: a low-order key came in,
  // or too long.
  std::optional<Bytes> write(ByteView payload);
  // The payload of the peer's message. Nothing: refused, and this handshake is over.
  std::optional<Bytes> read(ByteView message);

  // A responder's static key may come as late as its first write(): strangers are not worth one.
  void use_static(const DhKeyPair& key);

  const DhPublic& remote_static() const {
    return remote_static_;
  } // Known once message 2 or 3 was read.
  const std::array<std::uint8_t, 32>& hash() const {
    return hash_;
  } // h: binds a channel, section 11.2.

  struct Ciphers {
    CipherState send, receive;
  };
  Ciphers split(); // Only when finished.

private:
  void mix_hash(ByteView bytes);
  void mix_key(ByteView input);
  void mix_key_and_hash(ByteView input);
  bool mix_dh(const DhKeyPair& ours, const DhPublic& theirs);
  void mix_ephemeral(const DhPublic& key);
  void seal_into(Bytes& message, ByteView plaintext);
  std::optional<Bytes> open_part(ByteView part);
  std::size_t overhead() const;
  bool write_keys(Bytes& message);
  bool read_keys(ByteView& message);

  NoiseConfig config_;
  std::array<std::uint8_t, 32> hash_{};
  Secret<32> chaining_;
  CipherState cipher_;
  DhPublic remote_ephemeral_{};
  DhPublic remote_static_{};
  int message_ = 0; // How many have passed, of 3.
  bool failed_ = false;
};

} // namespace tessera
