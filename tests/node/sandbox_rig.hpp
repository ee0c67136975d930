#pragma once

#include "tests/node/worker_rig.hpp"

#include "node/worker/sandbox.hpp"

#include <csignal>
#include <sys/socket.h>
#include <sys/wait.h>

// Children that shut themselves in, and how they end.
namespace tessera::rig {

struct Pair {
  Fd ours, theirs;
  Pair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    ours.reset(ends[0]);
    theirs.reset(ends[1]);
  }
};

inline constexpr int no_sandbox = 99;

// A child that gets ready, goes into the sandbox and then does this; its exit code is what that
// returns.
template<class Act>
pid_t shut_in(
    const WorkerLimits& limits, int keep_fd, Act act, void (*get_ready)() = [] {}) {
  const auto child = ::fork();
  if (child == 0) {
    get_ready();
    if (!enter_sandbox(limits, keep_fd))
      ::_exit(no_sandbox);
    ::_exit(act());
  }
  return child;
}

inline int status_of(pid_t child) {
  const auto gone = watch(child);
  const bool ended = readable(gone.get());
  if (!ended)
    ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(ended);
  return status;
}

template<class Act>
int fate_of(
    Act act, const WorkerLimits& limits = {}, void (*get_ready)() = [] {}) {
  const Pair line;
  return status_of(shut_in(
      limits, line.theirs.get(), [&] { return act(line.theirs.get()); }, get_ready));
}

} // namespace tessera::rig
