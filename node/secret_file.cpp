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

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return false;
    text.remove_prefix(std::size_t(n));
  }
  return ::fsync(fd) == 0;
}

} // namespace

Status write_secret_file(const std::filesystem::path& file, std::string_view text) {
  std::error_code bad;
  if (std::filesystem::create_directories(file.parent_path(), bad))
    ::chmod(file.parent_path().c_str(), 0700);
  if (bad)
    return cannot_write(file, bad.value());
  auto fresh = file;
  fresh += ".new";
  ::unlink(fresh.c_str()); // Whatever lies there, it and its mode are not ours to write into.
  const Fd fd{::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  if (!fd)
    return cannot_write(file, errno);
  if (write_all(fd.get(), text) && ::rename(fresh.c_str(), file.c_str()) == 0)
    return Nothing{};
  const auto error = errno;
  ::unlink(fresh.c_str());
  return cannot_write(file, error);
}

} // namespace tessera
