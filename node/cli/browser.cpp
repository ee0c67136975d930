#include "node/cli/browser.hpp"

#include "node/cli/failed.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tessera::cli {

namespace fs = std::filesystem;

namespace {

constexpr int wait_ms_max =
    5000; // xdg-open ends at once, or only when a browser that it runs does.

bool set(const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value;
}

std::string page_to(const std::string& address) {
  return "<!doctype html><meta charset=utf-8><title>Tessera</title>"
         "<meta name=referrer content=no-referrer>"
         "<meta http-equiv=refresh content=\"0; url=" +
         address + "\"><p><a href=\"" + address + "\">the dashboard</a>\n";
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno != EINTR)
      return false;
    text.remove_prefix(n < 0 ? 0 : std::size_t(n));
  }
  return true;
}

// Under another name first, so that a file which lies there lends neither its mode nor its reader.
bool write_secret(const fs::path& file, std::string_view text) {
  std::error_code bad;
  if (fs::create_directories(file.parent_path(), bad))
    ::chmod(file.parent_path().c_str(), 0700);
  auto draft = file.string() + ".XXXXXX";
  const int fd = ::mkostemp(draft.data(), O_CLOEXEC); // Mode 0600.
  if (fd < 0)
    return false;
  const bool whole = write_all(fd, text);
  if (::close(fd) == 0 && whole && ::rename(draft.c_str(), file.c_str()) == 0)
    return true;
  const int error = errno;
  ::unlink(draft.c_str());
  errno = error;
  return false;
}

// A session of its own: the browser outlives this terminal. 0: it cannot be started.
pid_t start_viewer(const std::string& file) {
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t files;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  posix_spawn_file_actions_init(&files);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
  std::string name = "xdg-open", argument = file;
  char* argv[] = {name.data(), argument.data(), nullptr};
  pid_t pid = 0;
  if (posix_spawnp(&pid, "xdg-open", &files, &attributes, argv, environ) != 0)
    pid = 0;
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  return pid;
}

// Whether it ended well, or is still at it after a while.
bool went_well(pid_t pid) {
  const int handle = int(::syscall(SYS_pidfd_open, pid, 0));
  pollfd ended{handle, POLLIN, 0};
  if (handle >= 0) {
    ::poll(&ended, 1, wait_ms_max);
    ::close(handle);
  }
  int status = 0;
  return ::waitpid(pid, &status, WNOHANG) != pid || status == 0;
}

} // namespace

bool has_display() {
  return set("DISPLAY") || set("WAYLAND_DISPLAY");
}

void browse(const fs::path& page, const std::string& address) {
  if (!write_secret(page, page_to(address)))
    throw Failed{Exit::failed,
                 {"E451", "cannot write " + page.string(), std::strerror(errno),
                  "make room there, or open the address yourself: tessera open --no-browser"}};
  const auto viewer = start_viewer(page.string());
  if (!viewer || !went_well(viewer))
    throw Failed{Exit::failed,
                 {"E452", "no browser could be opened",
                  viewer ? "xdg-open failed on " + page.string() : "xdg-open cannot be run",
                  "open the address yourself: tessera open --no-browser"}};
}

} // namespace tessera::cli
