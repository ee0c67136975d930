#include "node/worker/codec.hpp"
#include "node/worker/sandbox.hpp"
#include "node/worker/serve.hpp"
#include "node/worker/system.hpp"
#include "node/worker/throttle.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <link.h>
#include <poll.h>
#include <span>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tessera {

namespace {

// Node and zygote are one program and trust each other: their packets are plain structs.
struct Order {
  enum class Kind : std::uint64_t { spawn, kill } kind = Kind::spawn;
  std::uint64_t number = 0; // Echoed.
  WorkerLimits limits;
  pid_t worker = -1;
};
struct Spawned {
  std::uint64_t number = 0;
  pid_t worker = -1;
  int failure = 0; // errno, when there is no worker.
};

constexpr int spawn_ms_max = 5000;       // A guess: a machine that swaps.
constexpr std::uint8_t ready_byte = 'r'; // A worker's first packet, once its sandbox stands.

template<class Plain>
OutPacket packet_of(const Plain& plain) {
  OutPacket packet;
  packet.bytes.resize(sizeof plain);
  std::memcpy(packet.bytes.data(), &plain, sizeof plain);
  return packet;
}

template<class Plain>
std::optional<Plain> plain_of(const InPacket& packet) {
  Plain plain;
  if (packet.bytes.size() != sizeof plain)
    return std::nullopt;
  std::memcpy(&plain, packet.bytes.data(), sizeof plain);
  return plain;
}

bool readable(int fd, int timeout_ms) {
  pollfd p{fd, POLLIN, 0};
  return again([&] { return ::poll(&p, 1, timeout_ms); }) > 0;
}

Error no_worker(const std::string& why) {
  return {"E704", "a worker process cannot be had", why,
          "free processes or memory; if it stays, restart the node"};
}

bool socket_pair(Fd& a, Fd& b) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return false;
  a.reset(ends[0]);
  b.reset(ends[1]);
  return true;
}

// --- In the worker.

// A Ctrl-C in the terminal and a service manager's SIGTERM go to all processes at once. The node
// says when to end; it needs its workers until then. SIGXFSZ: a full memfd is an error, no death.
void as_if_new() {
  for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ})
    ::signal(s, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The node's handlers are not for its children. An engine's, which come later, are.
void own_signals() {
  for (int s = 1; s < NSIG; ++s)
    ::signal(s, SIG_DFL);
  as_if_new();
}

// Whatever the parent's end is, this process shares it.
void die_with(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != parent)
    ::_exit(1); // It was gone before.
}

// What this build's workers can run.
struct Kernels {
  FindKernel find;
  MakeModules modules;
};

// The compiler's code was used once: its pages, clean ones of the program's file, come again when
// they are needed.
void let_go_of_code() {
  const auto program = [](dl_phdr_info* object, std::size_t, void*) {
    const auto page = std::uintptr_t(::sysconf(_SC_PAGESIZE));
    for (const auto& part : std::span{object->dlpi_phdr, object->dlpi_phnum}) {
      if (part.p_type != PT_LOAD || (part.p_flags & PF_W))
        continue;
      const auto at = object->dlpi_addr + part.p_vaddr, begin = at / page * page;
      ::madvise(reinterpret_cast<void*>(begin), at + part.p_memsz - begin, MADV_DONTNEED);
    }
    return 1; // No more: the first is the program.
  };
  ::dl_iterate_phdr(program, nullptr);
}

// Modules' engine, warm; or why there is none.
struct Warmed {
  std::unique_ptr<Modules> modules;
  Status status = Nothing{};
};

[[noreturn]] void worker_main(const Fd& socket, const WorkerLimits& limits, FindKernel find,
                              const Warmed& warmed) {
  ::prctl(PR_SET_NAME, "tessera-worker", 0, 0, 0);
  hold_processor_to(limits.cpu_percent);
  OutPacket hello;
  const bool cold = limits.modules && !warmed.status;
  if (auto in = cold ? warmed.status : enter_sandbox(limits, socket.get()); !in) {
    encode(CallFailed{0, in.error()}, hello);
    send_packet(socket.get(), hello);
    ::_exit(1);
  }
  hello.bytes = {ready_byte};
  if (send_packet(socket.get(), hello) == Line::open)
    serve(socket, find, limits.modules ? warmed.modules.get() : nullptr);
  ::_exit(0);
}

// --- In the zygote.

class Nursery {
public:
  Nursery(Fd control, Kernels kernels) : control_(std::move(control)), kernels_(kernels) {}

  [[noreturn]] void live() {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &child, nullptr);
    deaths_ = Fd{::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK)};
    if (!deaths_)
      ::_exit(1);
    while (wait_and_act())
      ;
    ::_exit(0); // Its workers die with it.
  }

private:
  // False: the node is gone.
  bool wait_and_act() {
    pollfd both[] = {{deaths_.get(), POLLIN, 0}, {control_.get(), POLLIN, 0}};
    if (again([&] { return ::poll(both, 2, -1); }) < 0)
      return false;
    if (both[0].revents)
      reap();
    return !both[1].revents || obey();
  }

  void reap() {
    signalfd_siginfo news;
    while (::read(deaths_.get(), &news, sizeof news) > 0)
      ;
    for (pid_t dead; (dead = ::waitpid(-1, nullptr, WNOHANG)) > 0;)
      std::erase(workers_, dead);
  }

  bool obey() {
    InPacket packet;
    if (receive_packet(control_.get(), buffer_, packet) != Line::open)
      return false;
    const auto order = plain_of<Order>(packet);
    if (!order)
      return false;
    if (order->kind == Order::Kind::spawn)
      return spawn(*order);
    // Only this process reaps, so a pid in the list is nobody else's.
    if (std::find(workers_.begin(), workers_.end(), order->worker) != workers_.end())
      ::kill(order->worker, SIGKILL);
    return true;
  }

  bool spawn(const Order& order) {
    Fd ours, theirs;
    Spawned news{order.number, -1, 0};
    if (workers_.size() >= workers_max)
      news.failure = EAGAIN;
    else if (!socket_pair(ours, theirs) || (news.worker = give_birth(theirs, order)) < 0)
      news.failure = errno;
    auto packet = packet_of(news);
    if (news.failure == 0) {
      workers_.push_back(news.worker);
      packet.fds[packet.fd_count++] = ours.get();
    }
    return send_packet(control_.get(), packet) == Line::open;
  }

  pid_t give_birth(const Fd& socket, const Order& order) {
    const auto zygote = ::getpid();
    auto limits = order.limits;
    limits.modules = limits.modules && kernels_.modules;
    if (limits.modules)
      warm_up();
    const auto pid = ::fork();
    if (pid != 0)
      return pid;
    as_if_new();
    die_with(zygote);
    worker_main(socket, limits, kernels_.find, warmed_);
  }

  // Here, once, so that all workers share its pages: before the first that runs modules, and no
  // thread comes of it (tests/node/engine/wasm_zygote_test.cpp).
  void warm_up() {
    if (warmed_.modules)
      return;
    warmed_.modules = kernels_.modules();
    warmed_.status = warmed_.modules->warm_up();
    let_go_of_code();
  }

  Fd control_, deaths_;
  Kernels kernels_;
  Warmed warmed_;
  std::vector<pid_t> workers_; // At most workers_max.
  PacketBuffer buffer_;
};

[[noreturn]] void zygote_main(Fd control, pid_t node, Kernels kernels) {
  own_signals();
  die_with(node);
  ::prctl(PR_SET_NAME, "tessera-zygote", 0, 0, 0);
  if (!close_all_but(control.get()))
    ::_exit(1);
  const auto nursery = std::make_unique<Nursery>(std::move(control), kernels);
  nursery->live();
}

} // namespace

// --- In the node.

Result<Zygote> Zygote::start() {
  return start(find_kernel);
}

Result<Zygote> Zygote::start(FindKernel find, MakeModules modules) {
  Fd ours, theirs;
  if (!socket_pair(ours, theirs))
    return no_worker(errno_text());
  const auto node = ::getpid();
  const auto pid = ::fork();
  if (pid < 0)
    return no_worker(errno_text());
  if (pid == 0)
    zygote_main(std::move(theirs), node, {find, modules});
  return Zygote{pid, std::move(ours)};
}

Zygote::Zygote(pid_t pid, Fd control)
    : pid_(pid), control_(std::move(control)), turn_(std::make_unique<std::mutex>()) {}

Zygote::Zygote(Zygote&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), control_(std::move(other.control_)),
      turn_(std::move(other.turn_)), orders_(other.orders_) {}

Zygote& Zygote::operator=(Zygote&& other) noexcept {
  end();
  pid_ = std::exchange(other.pid_, -1);
  control_ = std::move(other.control_);
  turn_ = std::move(other.turn_);
  orders_ = other.orders_;
  return *this;
}

Zygote::~Zygote() {
  end();
}

void Zygote::end() {
  if (pid_ < 0)
    return;
  ::kill(pid_, SIGKILL);
  again([&] { return ::waitpid(pid_, nullptr, 0); });
  pid_ = -1;
}

namespace {

// The zygote's answer to order `number`; those to orders that were given up before are let go.
Result<WorkerProcess> await_spawned(const Fd& control, std::uint64_t number) {
  PacketBuffer buffer;
  while (readable(control.get(), spawn_ms_max)) {
    InPacket packet;
    if (receive_packet(control.get(), buffer, packet) != Line::open)
      return no_worker("the process that makes them is gone");
    const auto news = plain_of<Spawned>(packet);
    if (!news || news->number != number)
      continue;
    errno = news->failure;
    if (news->failure != 0 || packet.fd_count != 1)
      return no_worker(errno_text());
    return WorkerProcess{news->worker, std::move(packet.fds[0])};
  }
  return no_worker("the process that makes them does not answer");
}

Status await_ready(const Fd& socket) {
  PacketBuffer buffer;
  InPacket packet;
  if (!readable(socket.get(), spawn_ms_max) ||
      receive_packet(socket.get(), buffer, packet) != Line::open)
    return no_worker("it did not start");
  if (packet.bytes.size() == 1 && packet.bytes[0] == ready_byte)
    return Nothing{};
  const auto reply = decode_reply(std::move(packet));
  const auto* failed = reply ? std::get_if<CallFailed>(&*reply) : nullptr;
  return failed ? failed->error : no_worker("it did not start");
}

} // namespace

Result<WorkerProcess> Zygote::spawn(const WorkerLimits& limits) {
  const std::lock_guard turn{*turn_};
  const Order order{Order::Kind::spawn, ++orders_, limits, -1};
  if (send_packet(control_.get(), packet_of(order)) != Line::open)
    return no_worker("the process that makes them is gone");
  auto worker = await_spawned(control_, order.number);
  if (!worker)
    return worker;
  if (auto ready = await_ready(worker->socket); !ready) {
    kill(worker->pid);
    return ready.error();
  }
  if (::fcntl(worker->socket.get(), F_SETFL, O_NONBLOCK) != 0) {
    kill(worker->pid);
    return no_worker(errno_text());
  }
  return worker;
}

void Zygote::kill(pid_t worker) {
  send_packet(control_.get(), packet_of(Order{Order::Kind::kill, 0, {}, worker}));
}

} // namespace tessera
