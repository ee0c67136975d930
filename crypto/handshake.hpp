#pragma once

#include "crypto/noise.hpp"
#include "crypto/signed.hpp"

#include <memory>
#include <variant>

// Tessera's handshake: a cleartext preamble each way, then Noise with both preambles as prologue,
// whose payloads carry each side's Ed25519 identity, bound by a signature to its Noise static key,
// and its boot counter. Bytes in, bytes out; drawn in net/WIRE.md.
//
//   initiator                                    responder
//   preamble [+ XXpsk0 message 1]  ------------>            private: silent until the psk verifies
//                                  <------------  preamble  (open: told in words if it does not
//                                  fit)
//   message 1 (open) ... 2 ... 3
namespace tessera {

using Psk = Secret<32>;

struct HandshakeConfig {
  NoiseRole role;
  const Identity* identity = nullptr; // Outlives the handshake.
  MeshId mesh;
  std::vector<Psk>
      psks; // Empty: open mesh, XX. Else XXpsk0; the first is used to dial, any is accepted.
  std::uint64_t boot = 0;                    // Grows with each start of this node.
  Bytes token = {};                          // Membership, opaque here.
  std::optional<NodeId> expect = {};         // Dialling a known peer: anyone else is refused.
  std::vector<std::uint16_t> versions = {1}; // Spoken here, best first.
};

inline constexpr std::size_t handshake_versions_max = 16;
inline constexpr std::size_t handshake_token_bytes_max = 2048;

// Who is at the other end, proven.
struct PeerHello {
  NodeId id;
  std::uint64_t boot = 0;
  std::uint16_t version = 0;
  Bytes token;
};

// A peer's fault, or a mismatch told in words. `why` goes to the log, never a secret in it.
struct Closed {
  std::string why;

  bool operator==(const Closed&) const = default;
};

class Handshake {
public:
  explicit Handshake(HandshakeConfig config);
  Handshake(Handshake&&) noexcept;
  Handshake& operator=(Handshake&&) noexcept;
  ~Handshake();

  // First bytes to send; empty for a responder.
  Bytes start();

  struct Progress {
    Bytes reply; // To be sent first, also when closed (words for a mismatch).
    std::variant<std::monostate, PeerHello, Closed> outcome; // monostate: more bytes are wanted.
  };
  // Takes any cut of the stream. Bytes behind the handshake's last are kept for leftover().
  Progress received(ByteView bytes);

  Noise::Ciphers split(); // Only after PeerHello.
  Bytes leftover();       // Bytes already received that belong to the session.

private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
};

} // namespace tessera
