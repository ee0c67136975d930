#pragma once

#include "net/session.hpp"

// A peer written from the wire's description alone, that may say anything: the far end of a session
// under test.
namespace tessera {

inline const Identity& identity_of(std::uint8_t n) {
  static std::array<std::optional<Identity>, 256> known;
  if (!known[n]) {
    Secret<32> seed;
    seed.bytes.fill(n);
    known[n] = Identity::from_seed(seed);
  }
  return *known[n];
}

inline HandshakeConfig handshake_of(NoiseRole role, std::uint8_t n, bool is_private = true) {
  return {.role = role,
          .identity = &identity_of(n),
          .mesh = digest_of("session tests", {}),
          .psks = is_private ? std::vector<Psk>(1) : std::vector<Psk>{},
          .boot = 1};
}

inline Bytes number_frame(std::uint8_t kind, std::uint64_t number) {
  Bytes plaintext{kind};
  for (int i = 0; i != 8; ++i)
    plaintext.push_back(std::uint8_t(number >> (8 * i)));
  return plaintext;
}

// The plaintext of a piece; `total` goes in when `kind` says first.
inline Bytes piece_frame(std::uint8_t kind, std::uint32_t total, ByteView body) {
  Bytes plaintext{kind};
  if (kind & 2)
    for (int i = 0; i != 4; ++i)
      plaintext.push_back(std::uint8_t(total >> (8 * i)));
  plaintext.insert(plaintext.end(), body.begin(), body.end());
  return plaintext;
}

class RawPeer {
public:
  // Meets `session`, whose role is the other one. The news of its rise are kept in `news`.
  RawPeer(Session& session, NoiseRole role, std::uint64_t rekey_frames, Time now)
      : rekey_frames_(rekey_frames) {
    Handshake handshake{handshake_of(role, 2)};
    Bytes to_session = handshake.start();
    for (bool met = false; !met || !to_session.empty();) {
      for (auto& n : session.received(to_session, now))
        news.push_back(std::move(n));
      auto progress = handshake.received(session.take_output(1 << 20, now));
      to_session = std::move(progress.reply);
      met = std::holds_alternative<PeerHello>(progress.outcome);
    }
    const auto ciphers = handshake.split();
    send_ = ciphers.send;
    receive_ = ciphers.receive;
    stream_ = handshake.leftover();
  }

  Bytes frame(ByteView plaintext) {
    const auto n = plaintext.size() + 16;
    const Bytes length{std::uint8_t(n), std::uint8_t(n >> 8)};
    Bytes out = length;
    send_.encrypt(length, plaintext, out);
    if (send_.counter() % rekey_frames_ == 0)
      send_.rekey();
    return out;
  }

  // The plaintexts of the whole frames in the session's output. Empty, too, at one that is wrong.
  std::vector<Bytes> read(ByteView bytes) {
    stream_.insert(stream_.end(), bytes.begin(), bytes.end());
    std::vector<Bytes> plaintexts;
    std::size_t at = 0;
    while (stream_.size() - at >= 2) {
      const std::size_t n = stream_[at] + 256u * stream_[at + 1];
      if (stream_.size() - at < 2 + n)
        break;
      Bytes plaintext;
      if (!receive_.decrypt(ByteView{stream_}.subspan(at, 2), ByteView{stream_}.subspan(at + 2, n),
                            plaintext))
        return {};
      if (receive_.counter() % rekey_frames_ == 0)
        receive_.rekey();
      plaintexts.push_back(std::move(plaintext));
      at += 2 + n;
    }
    stream_.erase(stream_.begin(), stream_.begin() + std::ptrdiff_t(at));
    return plaintexts;
  }

  std::vector<SessionNews> news;

private:
  std::uint64_t rekey_frames_;
  CipherState send_, receive_;
  Bytes stream_;
};

} // namespace tessera
