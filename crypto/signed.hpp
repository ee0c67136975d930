#pragma once

#include "crypto/digest.hpp"
#include "crypto/identity.hpp"

// What outlives its session is an envelope: opaque bytes, who signed them, and the signature over
// domain string + mesh + type + body. Opaque, because Cap'n Proto is not canonical.
namespace tessera {

using MeshId = Digest; // Private: hash of the mesh root key. Open: hash of the mesh's name.

// The number goes into what is signed, so that a grant never passes for a result.
enum class SealType : std::uint16_t {
  record = 1,
  spec = 2,
  cancel = 3,
  grant = 4,
  result = 5,
  receipt = 6,
  commitment = 7,
  token = 8,
  // Numbers are never reused.
};

struct Signed {
  Bytes body;
  NodeId key;
  Signature signature{};

  bool operator==(const Signed&) const = default;
};

Signed seal(const Identity& signer, const MeshId& mesh, SealType type, Bytes body);
bool verified(const Signed& sealed, const MeshId& mesh, SealType type);

} // namespace tessera
