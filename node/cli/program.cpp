#include "node/cli/program.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace tessera::cli {

namespace {

constexpr std::size_t said_bytes_max = 64 * 1024;

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> chunk;
  for (ssize_t n; (n = ::read(fd, chunk.data(), chunk.size())) != 0;) {
    if (n < 0 && errno != EINTR)
      break;
    if (n > 0 && text.size() < said_bytes_max)
      text.append(chunk.data(), std::size_t(n));
  }
  return text;
}

int exit_of(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

std::optional<Ran> run_program(const std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (const auto& word : words)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  int line[2];
  if (::pipe2(line, O_CLOEXEC) != 0)
    return {};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, line[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, line[1], STDERR_FILENO);
  pid_t pid = -1;
  const bool ran = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ) == 0;
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(line[1]);
  auto said = ran ? read_all(line[0]) : std::string{};
  ::close(line[0]);
  if (!ran)
    return {};
  return Ran{exit_of(pid), std::move(said)};
}

} // namespace tessera::cli
