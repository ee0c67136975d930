#pragma once

#include <filesystem>
#include <optional>
#include <string>

// Where a node keeps its things: all in one folder with --data DIR, else by the XDG Base Directory
// specification.
namespace tessera {

struct Paths {
  std::filesystem::path key;  // identity.key
  std::filesystem::path mesh; // mesh.json: id, psk, seeds of the mesh this node belongs to. 0600.
  std::filesystem::path journal; // journal.db
  std::filesystem::path blobs;   // A folder.
  std::filesystem::path token;   // 0600.
  std::filesystem::path api;     // One line: the API's URL. There while the node runs.

  static Paths of(const std::optional<std::string>& data_dir);
};

} // namespace tessera
