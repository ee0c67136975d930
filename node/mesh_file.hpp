#pragma once

#include "crypto/handshake.hpp"
#include "net/message.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

// Which mesh a node belongs to, as its folder keeps it and as an invite tells it.
namespace tessera {

struct MeshMembership {
  MeshId id;
  std::optional<Psk> psk;     // Nothing: an open mesh, which anyone may join who knows a seed.
  std::vector<Address> seeds; // At most mesh_seeds_max, the newest first.

  bool open() const { return !psk; }
  void add_seeds(const std::vector<Address>& more);
};

inline constexpr std::size_t mesh_seeds_max = 16;

MeshMembership found_mesh(); // A private one: its id and psk are new and random.
MeshMembership open_mesh();  // The one open mesh.

// mesh.json, mode 0600. Nothing where there is no file. E312: it cannot be read; E313: written
// (E111: the disk is full).
Result<std::optional<MeshMembership>> load_mesh(const std::filesystem::path& file);
Status save_mesh(const std::filesystem::path& file, const MeshMembership& mesh);

// "tess1..." in base32, with a check over all of it: mesh id, psk and seeds (but those whose host
// is longer than 255 bytes). A secret, of a private mesh only.
std::string to_invite(const MeshMembership& mesh);
Result<MeshMembership> from_invite(std::string_view text); // E311: not an invite, or mistyped.

} // namespace tessera
