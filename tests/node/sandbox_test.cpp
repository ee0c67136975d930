#include "tests/node/sandbox_rig.hpp"

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <linux/sched.h>
#include <sstream>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

using namespace tessera;
using namespace tessera::rig;

namespace {

struct Forbidden {
  const char* name;
  long (*call)(int fd);
};

// Raw calls where glibc would wrap them in others.
const Forbidden forbidden[] = {
    {"socket", [](int) { return long(::socket(AF_INET, SOCK_STREAM, 0)); }},
    {"socketpair",
     [](int) {
       int e[2];
       return long(::socketpair(AF_UNIX, SOCK_STREAM, 0, e));
     }},
    {"connect", [](int fd) { return ::syscall(SYS_connect, fd, nullptr, 0); }},
    {"bind", [](int fd) { return ::syscall(SYS_bind, fd, nullptr, 0); }},
    {"sendto", [](int fd) { return ::syscall(SYS_sendto, fd, "x", 1, 0, nullptr, 0); }},
    {"openat", [](int) { return ::syscall(SYS_openat, AT_FDCWD, "/etc/hostname", O_RDONLY); }},
    {"openat2", [](int) { return ::syscall(SYS_openat2, AT_FDCWD, "/", nullptr, 0); }},
    {"newfstatat",
     [](int) {
       struct stat s;
       return long(::stat("/etc/hostname", &s));
     }},
    {"unlinkat", [](int) { return ::syscall(SYS_unlinkat, AT_FDCWD, "/nowhere", 0); }},
    {"execve", [](int) { return ::syscall(SYS_execve, "/bin/true", nullptr, nullptr); }},
    {"execveat",
     [](int) { return ::syscall(SYS_execveat, 3, "", nullptr, nullptr, AT_EMPTY_PATH); }},
    {"fork", [](int) { return long(::fork()); }},
    {"clone3", [](int) { return ::syscall(SYS_clone3, nullptr, 0); }},
    {"kill", [](int) { return long(::kill(::getppid(), 0)); }},
    {"tgkill", [](int) { return ::syscall(SYS_tgkill, 1, 1, 0); }},
    {"pidfd_open", [](int) { return ::syscall(SYS_pidfd_open, 1, 0); }},
    {"ptrace", [](int) { return ::syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0); }},
    {"process_vm_readv", [](int) { return ::syscall(SYS_process_vm_readv, 1, 0, 0, 0, 0, 0); }},
    {"mmap of code",
     [](int) {
       return long(::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                          0) == MAP_FAILED);
     }},
    {"mprotect to code",
     [](int) {
       static std::array<char, 8192> page;
       const auto at =
           (reinterpret_cast<std::uintptr_t>(page.data()) + 4095) & ~std::uintptr_t{4095};
       return long(::mprotect(reinterpret_cast<void*>(at), 4096, PROT_READ | PROT_EXEC));
     }},
    {"mprotect to code that can be written",
     [](int) {
       static std::array<char, 8192> page;
       const auto at =
           (reinterpret_cast<std::uintptr_t>(page.data()) + 4095) & ~std::uintptr_t{4095};
       return long(
           ::mprotect(reinterpret_cast<void*>(at), 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
     }},
    {"pkey_mprotect", [](int) { return ::syscall(SYS_pkey_mprotect, nullptr, 0, PROT_EXEC, -1); }},
    {"prctl", [](int) { return long(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }},
    {"prlimit", [](int) { return ::syscall(SYS_prlimit64, 0, RLIMIT_AS, nullptr, nullptr); }},
    {"setpriority", [](int) { return long(::setpriority(PRIO_PROCESS, 0, 0)); }},
    {"dup", [](int fd) { return long(::dup(fd)); }},
    {"fcntl F_DUPFD", [](int fd) { return long(::fcntl(fd, F_DUPFD, 0)); }},
    {"fcntl F_SETOWN", [](int fd) { return long(::fcntl(fd, F_SETOWN, 1)); }},
    {"ioctl", [](int fd) { return ::syscall(SYS_ioctl, fd, 0x5412, nullptr); }},
    {"io_uring_setup", [](int) { return ::syscall(SYS_io_uring_setup, 1, nullptr); }},
    {"bpf", [](int) { return ::syscall(SYS_bpf, 0, nullptr, 0); }},
    {"userfaultfd", [](int) { return ::syscall(SYS_userfaultfd, 0); }},
    {"unshare", [](int) { return ::syscall(SYS_unshare, 0); }},
    {"setns", [](int fd) { return ::syscall(SYS_setns, fd, 0); }},
    {"mount", [](int) { return ::syscall(SYS_mount, "", "", "", 0, ""); }},
    {"seccomp", [](int) { return ::syscall(SYS_seccomp, 0, 0, nullptr); }},
    {"setuid", [](int) { return ::syscall(SYS_setuid, 0); }},
    {"a call of no kernel", [](int) { return ::syscall(4000); }},
};

std::string status_line(pid_t pid, const std::string& key) {
  std::ifstream in{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(key + ":"))
      return line.substr(line.find_first_not_of(" \t", key.size() + 1));
  return "";
}

std::uint64_t limit_of(pid_t pid, __rlimit_resource resource) {
  rlimit l{};
  REQUIRE(::prlimit(pid, resource, nullptr, &l) == 0);
  CHECK(l.rlim_cur == l.rlim_max);
  return l.rlim_max;
}

} // namespace

TEST_CASE("each call that is not on the list kills the process") {
  for (const bool modules : {false, true})
    for (const auto& f : forbidden) {
      if (modules && f.name == std::string{"mprotect to code"})
        continue;
      const auto status =
          fate_of([&](int fd) { return f.call(fd) == 0 ? 0 : 1; }, {.modules = modules});
      INFO(f.name << " ended with status " << status << (modules ? " where modules run" : ""));
      CHECK(WIFSIGNALED(status));
      CHECK(WTERMSIG(status) == SIGSYS);
    }
}

TEST_CASE("what task code needs works inside") {
  const auto status = fate_of([](int fd) {
    // Memory small and large, moved and given back.
    std::vector<std::string> many(10'000, std::string(100, 'x'));
    Bytes large(8 << 20, 1);
    large.resize(32 << 20);
    large = {};
    // A failed expectation, thrown and caught.
    try {
      throw std::runtime_error("as kernels may");
    } catch (const std::exception&) {}
    const timespec nap{0, 1000};
    timespec now;
    if (::nanosleep(&nap, nullptr) != 0 || ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0)
      return 1;
    // A payload, made and read, and a word to the node.
    auto payload = Payload::of(Bytes(100'000, 7));
    if (!payload)
      return 2;
    const auto contents = Contents::of(std::move(*payload));
    if (!contents || contents->bytes().size() != 100'000 || contents->bytes()[99'999] != 7)
      return 3;
    return send(Fd{fd}, CloseJob{1}) ? 0 : 4;
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("the process inside has its walls, its one line, and nothing else") {
  const Pair line, other;
  const auto child = shut_in({.memory_bytes = 512 << 20, .nice = 10}, line.theirs.get(), [&] {
    char byte = 'r';
    (void)!::write(line.theirs.get(), &byte, 1);
    return ::read(line.theirs.get(), &byte, 1) == 1 ? 0 : 1;
  });
  REQUIRE(readable(line.ours.get()));
  char byte = 0;
  REQUIRE(::read(line.ours.get(), &byte, 1) == 1);

  CHECK(::getpriority(PRIO_PROCESS, id_t(child)) == 10);
  CHECK(status_line(child, "Seccomp") == "2");
  CHECK(status_line(child, "NoNewPrivs") == "1");
  CHECK(limit_of(child, RLIMIT_CORE) == 0);
  CHECK(limit_of(child, RLIMIT_NOFILE) == 64);
  CHECK(limit_of(child, RLIMIT_FSIZE) == 512 << 20);
  if (!sanitized) {
    CHECK(limit_of(child, RLIMIT_AS) == 512 << 20);
    CHECK(limit_of(child, RLIMIT_DATA) == 512 << 20);
  }

  const auto fd_path = [&](int fd) {
    std::array<char, 256> target{};
    const auto link = "/proc/" + std::to_string(child) + "/fd/" + std::to_string(fd);
    return ::readlink(link.c_str(), target.data(), target.size() - 1) < 0
               ? std::string{}
               : std::string{target.data()};
  };
  if (fd_path(0).empty())
    MESSAGE("skipped: only root may look at the descriptors of a process that is not dumpable");
  else
    for (int fd = 0; fd < 200; ++fd) {
      CAPTURE(fd);
      if (fd == line.theirs.get())
        CHECK(fd_path(fd).starts_with("socket:"));
      else if (fd < 3)
        CHECK((fd_path(fd) == "/dev/null" || (sanitized && fd == 2)));
      else
        CHECK(fd_path(fd) == "");
    }

  REQUIRE(::write(line.ours.get(), &byte, 1) == 1);
  const auto status = status_of(child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("memory ends at the limit, as an answer and not as a death") {
  if (sanitized) {
    MESSAGE("skipped: sanitizers need the address space that this limit takes");
    return;
  }
  const auto status = fate_of(
      [](int) {
        try {
          Bytes large(300 << 20);
          return large.empty() ? 1 : 2;
        } catch (const std::bad_alloc&) {
          return Bytes(16 << 20).size() == 16 << 20 ? 0 : 3;
        }
      },
      {.memory_bytes = 256 << 20});
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE(
    "a worker whose kernel reaches for the network or a file is killed, and the node hears it") {
  static const TestKernel connects{"connects", [](std::uint64_t, std::uint64_t, Bytes&) -> Status {
                                     return ::socket(AF_INET, SOCK_STREAM, 0) < 0
                                                ? Error{"E999", "refused", "", ""}
                                                : Status{Nothing{}};
                                   }};
  static const TestKernel opens{"opens", [](std::uint64_t, std::uint64_t, Bytes&) -> Status {
                                  std::ifstream in{"/etc/passwd"};
                                  return in ? Status{Nothing{}} : Error{"E999", "refused", "", ""};
                                }};
  auto zygote = Zygote::start([](const std::string& name) -> const Kernel* {
    return name == "connects" ? &connects : name == "opens" ? &opens : nullptr;
  });
  REQUIRE(zygote.ok());
  for (const auto* name : {"connects", "opens"}) {
    CAPTURE(name);
    auto worker = zygote->spawn({});
    REQUIRE(worker.ok());
    REQUIRE(send(worker->socket, open_job(1, name, 1)).ok());
    REQUIRE(send(worker->socket, RunCall{1, 1, {0, 0}}).ok());
    CHECK(answer(worker->socket).error.code == "E701");
  }
}
