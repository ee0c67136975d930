#include "crypto/signed.hpp"

#include "crypto/little_endian.hpp"

// What is signed: the 18 letters "tessera envelope 1", the mesh id (32 bytes), the type (2 bytes,
// little-endian), the body. Only the last has a free length, so that no two envelopes meet.
namespace tessera {

namespace {

Bytes signed_bytes(const MeshId& mesh, SealType type, ByteView body) {
  constexpr std::string_view domain = "tessera envelope 1";
  Bytes bytes;
  bytes.reserve(domain.size() + mesh.bytes.size() + sizeof type + body.size());
  put(bytes, view(domain));
  put(bytes, mesh.view());
  put(bytes, std::uint16_t(type));
  put(bytes, body);
  return bytes;
}

} // namespace

Signed seal(const Identity& signer, const MeshId& mesh, SealType type, Bytes body) {
  const auto signature = signer.sign(signed_bytes(mesh, type, body));
  return {std::move(body), signer.id(), signature};
}

bool verified(const Signed& sealed, const MeshId& mesh, SealType type) {
  return verify(sealed.key, signed_bytes(mesh, type, sealed.body), sealed.signature);
}

} // namespace tessera
