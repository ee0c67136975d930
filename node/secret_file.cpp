#include "node/secret_file.hpp"

#include "node/worker/worker.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tessera {
namespace {

Error cannot_write(const std::filesystem::path& file, int error) {
  return {error == ENOSPC ? "E111" : "E313", "cannot write " + file.string(), std::strerror(error),
          error == ENOSPC ? "make room on that disk" : "use another folder: --data DIR"};
}

} // namespace

Status write_secret_file(const std::filesystem::path& file, std::string_view text) {
  std::error_code bad;
  if (std::filesystem::create_directories(file.parent_path(), bad); bad)
    return cannot_write(file, bad.value());
  ::chmod(file.parent_path().c_str(), 0700);
  auto fresh = file;
  fresh += ".new";
  const Fd fd{::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  if (!fd)
    return cannot_write(file, errno);
  for (auto left = text; !left.empty();) {
    const auto n = ::write(fd.get(), left.data(), left.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return cannot_write(file, errno);
    left.remove_prefix(std::size_t(n));
  }
  if (::fsync(fd.get()) != 0 || ::rename(fresh.c_str(), file.c_str()) != 0)
    return cannot_write(file, errno);
  return Nothing{};
}

} // namespace tessera
