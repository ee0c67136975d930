#pragma once

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"

#include <compare>
#include <cstring>
#include <filesystem>
#include <functional>

// Who a node is: an Ed25519 key pair (RFC 8032, by libsodium). The NodeId is its public key.
namespace tessera {

struct NodeId {
  std::array<std::uint8_t, 32> key{};

  auto operator<=>(const NodeId&) const = default;
  ByteView view() const { return key; }
};

// Groups of four base32 digits with dashes; the last digits are a check over the key, so that a
// mistyped id is refused: "K7QX-4MPA-...". 32 key bytes + 3 check bytes = 56 digits = 14 groups.
std::string to_text(const NodeId& id);
std::string short_text(const NodeId& id);                // The first group.
Result<NodeId> node_id_from_text(std::string_view text); // E411: not a node id, or mistyped.

using Signature = std::array<std::uint8_t, 64>;

class Identity {
public:
  static Identity generate();
  static Identity from_seed(const Secret<32>& seed); // For tests and key files.

  // Reads the key file; makes one (mode 0600, its folder 0700) where there is none.
  // E101: unreadable, of a wrong size, or readable by others.
  static Result<Identity> load_or_create(const std::filesystem::path& file);

  const NodeId& id() const { return id_; }
  Signature sign(ByteView bytes) const;

private:
  Identity(NodeId id, const Secret<64>& secret) : id_(id), secret_(secret) {}

  NodeId id_;
  Secret<64> secret_;
};

// About 80 us: check sizes, duplicates and rates first.
bool verify(const NodeId& signer, ByteView bytes, const Signature& signature);

} // namespace tessera

template<>
struct std::hash<tessera::NodeId> {
  std::size_t operator()(const tessera::NodeId& n) const {
    std::size_t h;
    std::memcpy(&h, n.key.data(), sizeof h);
    return h;
  }
};
