#include "node/cli/files.hpp"

#include "node/cli/failed.hpp"
#include "node/cli/terminal.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tessera::cli {

namespace {

constexpr std::size_t input_bytes_max = std::size_t{1} << 30; // As the API takes.
constexpr std::size_t read_bytes = 1 << 20;

Failed bad_input(const std::string& file, std::string why) {
  return {Exit::usage,
          {"E424", "cannot read the input " + file, std::move(why), "give another: --input FILE"}};
}

Failed large_input(const std::string& file) {
  return {Exit::usage,
          {"E425", "the input " + file + " is too large",
           "at most " + bytes(input_bytes_max) + " are taken", "split it into several jobs"}};
}

struct InputFd {
  int fd;
  ~InputFd() {
    if (fd > STDIN_FILENO)
      close(fd);
  }
};

} // namespace

Bytes read_file(const std::string& name) {
  const InputFd in{name == "-" ? STDIN_FILENO : open(name.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat info {};
  if (in.fd < 0 || fstat(in.fd, &info) != 0)
    throw bad_input(name, std::strerror(errno));
  if (S_ISREG(info.st_mode) && std::uint64_t(info.st_size) > input_bytes_max)
    throw large_input(name);
  Bytes out;
  for (std::size_t size = 0;;) {
    out.resize(size + read_bytes);
    const auto got = read(in.fd, out.data() + size, read_bytes);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      throw bad_input(name, std::strerror(errno));
    size += std::size_t(got);
    out.resize(size);
    if (got == 0)
      return out;
    if (size > input_bytes_max)
      throw large_input(name);
  }
}

} // namespace tessera::cli
