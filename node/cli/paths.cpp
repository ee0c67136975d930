#include "node/paths.hpp"

#include <cstdlib>
#include <pwd.h>
#include <unistd.h>

namespace tessera {

namespace fs = std::filesystem;

namespace {

fs::path home() {
  if (const char* dir = std::getenv("HOME"); dir && *dir)
    return dir;
  const auto* user = getpwuid(getuid());
  return user && user->pw_dir ? user->pw_dir : "/";
}

// The specification has relative values ignored.
fs::path xdg(const char* variable, const fs::path& otherwise) {
  const char* dir = std::getenv(variable);
  return (dir && *dir == '/' ? fs::path{dir} : otherwise) / "tessera";
}

} // namespace

Paths Paths::of(const std::optional<std::string>& data_dir) {
  if (data_dir) {
    const auto dir = fs::absolute(*data_dir);
    return {dir / "identity.key", dir / "mesh.json", dir / "journal.db",
            dir / "blobs",        dir / "token",     dir / "api"};
  }
  const auto data = xdg("XDG_DATA_HOME", home() / ".local/share");
  const auto state = xdg("XDG_STATE_HOME", home() / ".local/state");
  const auto cache = xdg("XDG_CACHE_HOME", home() / ".cache");
  const auto runtime = xdg("XDG_RUNTIME_DIR", state / "run");
  return {data / "identity.key", data / "mesh.json", state / "journal.db",
          cache / "blobs",       runtime / "token",  runtime / "api"};
}

} // namespace tessera
