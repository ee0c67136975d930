#include "node/worker/sandbox.hpp"

#include "node/worker/system.hpp"

#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <initializer_list>

namespace tessera {

namespace {

// A call with a payload holds two descriptors at most; a guess with room to spare.
constexpr rlim_t descriptors_max = 64;

Error refused(const std::string& what) {
  return {"E704", "a worker process cannot be shut in", what + ": " + errno_text(),
          "tessera needs Linux 5.9 or later with seccomp; look at the container's own profile"};
}

Status limit(int resource, rlim_t most, const char* name) {
  rlimit l{};
  if (::getrlimit(__rlimit_resource(resource), &l) != 0)
    return refused(name);
  l.rlim_max = std::min(l.rlim_max, most);
  l.rlim_cur = l.rlim_max;
  if (::setrlimit(__rlimit_resource(resource), &l) != 0)
    return refused(name);
  return Nothing{};
}

// When the machine runs out of memory a worker goes first, and not the node. Best effort.
void volunteer_for_oom() {
  const Fd fd{::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)};
  if (fd)
    (void)!::write(fd.get(), "800", 3);
}

Status limit_resources(const WorkerLimits& limits) {
  volunteer_for_oom();
  errno = 0;
  if (::setpriority(PRIO_PROCESS, 0, limits.nice) != 0)
    return refused("nice");
  // What is written to memfds is not address space: RLIMIT_FSIZE bounds each of them. What modules
  // reserve is no memory: RLIMIT_DATA counts the part that may be written.
  const auto space = limits.memory_bytes + (limits.modules ? reserved_bytes_max : 0);
  for (auto set :
       {limit(RLIMIT_CORE, 0, "RLIMIT_CORE"),
        limit(RLIMIT_NOFILE, descriptors_max, "RLIMIT_NOFILE"),
        limit(RLIMIT_FSIZE, limits.memory_bytes, "RLIMIT_FSIZE"),
        limit(RLIMIT_DATA, sanitized ? RLIM_INFINITY : limits.memory_bytes, "RLIMIT_DATA"),
        limit(RLIMIT_AS, sanitized ? RLIM_INFINITY : space, "RLIMIT_AS")})
    if (!set)
      return set;
  return Nothing{};
}

Status give_up_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return refused("no_new_privs");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) // Nobody of the same user reads its memory.
    return refused("dumpable");
  return Nothing{};
}

class Filter {
public:
  Filter() : rules_(::seccomp_init(SCMP_ACT_KILL_PROCESS)) {}
  Filter(const Filter&) = delete;
  ~Filter() {
    if (rules_)
      ::seccomp_release(rules_);
  }

  void allow(std::initializer_list<int> calls) {
    for (const int call : calls)
      note(::seccomp_rule_add(rules_, SCMP_ACT_ALLOW, call, 0));
  }
  void allow_if(int call, scmp_arg_cmp argument) {
    note(::seccomp_rule_add(rules_, SCMP_ACT_ALLOW, call, 1, argument));
  }
  bool load() {
    if (good_)
      note(::seccomp_load(rules_));
    return good_;
  }

private:
  void note(int answer) {
    if (answer < 0 && good_)
      errno = -answer;
    good_ = good_ && answer >= 0;
  }

  scmp_filter_ctx rules_;
  bool good_ = rules_ != nullptr;
};

Status filter_calls(bool modules) {
  Filter f;
  // Its line to the node, and memfds.
  f.allow({SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(close),
           SCMP_SYS(lseek), SCMP_SYS(memfd_create)});
  for (const int command : {F_ADD_SEALS, F_GET_SEALS, F_GETFD, F_GETFL})
    f.allow_if(SCMP_SYS(fcntl), {1, SCMP_CMP_EQ, scmp_datum_t(command), 0});
  // Memory, but none that runs as code.
  f.allow({SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex)});
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)})
    f.allow_if(call, {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}); // No such bit.
  if (modules) { // Code was written first: it is never both.
    f.allow_if(SCMP_SYS(mprotect), {2, SCMP_CMP_EQ, PROT_READ | PROT_EXEC, 0});
#if defined(__aarch64__)
    f.allow({SCMP_SYS(membarrier)}); // Before new code runs.
#endif
  }
  // Time, chance, and the end. rt_sigprocmask is abort's.
  f.allow({SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
           SCMP_SYS(restart_syscall), SCMP_SYS(getrandom), SCMP_SYS(rt_sigreturn),
           SCMP_SYS(rt_sigprocmask), SCMP_SYS(exit), SCMP_SYS(exit_group)});
  if (sanitized) // At each throw, and to see whether an object's memory can be read.
    f.allow({SCMP_SYS(sigaltstack), SCMP_SYS(pipe2)});
  if (!f.load())
    return refused("seccomp");
  return Nothing{};
}

} // namespace

Status close_all_but(int keep_fd) {
  assert(keep_fd > 2);
  const Fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  if (!null)
    return refused("/dev/null");
  for (const int standard : {0, 1, 2})
    if (standard != 2 || !sanitized)
      if (::dup2(null.get(), standard) < 0)
        return refused("/dev/null");
  const auto kept = unsigned(keep_fd);
  if ((kept > 3 && ::close_range(3, kept - 1, 0) != 0) || ::close_range(kept + 1, ~0u, 0) != 0)
    return refused("close_range");
  return Nothing{};
}

Status enter_sandbox(const WorkerLimits& limits, int keep_fd) {
  if (auto closed = close_all_but(keep_fd); !closed)
    return closed;
  if (auto limited = limit_resources(limits); !limited)
    return limited;
  if (auto given_up = give_up_privileges(); !given_up)
    return given_up;
  return filter_calls(limits.modules);
}

} // namespace tessera
