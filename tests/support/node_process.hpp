#pragma once

#include "node/cli/api.hpp"
#include "node/messages_actor.hpp"
#include "node/node.hpp"

#include <doctest/doctest.h>

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

// A node in a process of its own, forked from the test, whose actors die when the test says so. The
// test itself must have one thread only.
namespace tessera::rig {

struct Folder {
  std::filesystem::path path;

  Folder() {
    auto name = (std::filesystem::temp_directory_path() / "tessera-node-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  Folder(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

inline constexpr auto patience = std::chrono::minutes(5); // Against a hang only.
inline constexpr auto look_every = std::chrono::milliseconds(5);

// Whether it came true in time.
template<class Claim>
bool eventually(Claim claim) {
  const auto until = Clock::now() + patience;
  while (!claim()) {
    if (Clock::now() > until)
      return false;
    std::this_thread::sleep_for(look_every);
  }
  return true;
}

enum class End : char {
  gone = 'g',
  replaced = 'r',
  of_all = 'a'
}; // What follows an actor's death.

// --- In the node's process

// Lets actors of this node die on command: two letters, the reason and what follows, and a name.
class Assassin {
public:
  Assassin(const Node& node, Fd line)
      : node_(node), line_(std::move(line)), thread_([this] {
          char order[128];
          for (ssize_t n; (n = ::recv(line_.get(), order, sizeof order, 0)) > 0;) {
            // In a thread that ends: one that has had an actor keeps its system's logger.
            const auto answer = std::async(std::launch::async, [&] {
                                  return obey({order, std::size_t(n)});
                                }).get();
            [[maybe_unused]] const auto sent = ::send(line_.get(), answer.data(), answer.size(), 0);
          }
        }) {}
  ~Assassin() {
    ::shutdown(line_.get(), SHUT_RDWR);
    thread_.join();
  }

private:
  using Named = std::vector<std::pair<std::string, caf::actor>>;

  Named children() const {
    Named named;
    const auto node = node_.wiring()->node;
    caf::scoped_actor self{node.home_system()};
    self->request(node, caf::infinite, ChildrenAsk{})
        .receive([&](Children& all) { named = std::move(all.named); }, [](const caf::error&) {});
    named.emplace_back("node", node);
    return named;
  }

  static const caf::actor* find(const Named& all, const std::string& name) {
    const auto known = std::find_if(
        all.begin(), all.end(), [&](const auto& child) { return child.first.starts_with(name); });
    return known == all.end() ? nullptr : &known->second;
  }

  // Nobody outside is told to talk to it any more.
  bool unwired(const caf::actor& dead) const {
    const auto w = node_.wiring();
    return w->mesh != dead && w->scheduler != dead && w->store != dead && w->api != dead &&
           std::find(w->slots.begin(), w->slots.end(), dead) == w->slots.end();
  }

  std::string obey(const std::string& order) const {
    const auto reason = order[0] == 'k' ? caf::exit_reason::kill : caf::exit_reason::user_shutdown;
    const auto end = End(order[1]);
    const auto name = order.substr(2);
    const auto now = children();
    const auto* known = find(now, name);
    if (!known)
      return "there is no " + name;
    const auto victim = *known;
    caf::anon_send_exit(victim, reason);
    if (end == End::of_all)
      return "done";
    const bool over = eventually([&] {
      const auto all = children();
      const bool gone = std::none_of(all.begin(), all.end(),
                                     [&](const auto& child) { return child.second == victim; });
      return gone && unwired(victim) && (end == End::gone || find(all, name));
    });
    return over ? "done" : "nobody saw " + name + " die";
  }

  const Node& node_;
  Fd line_;
  std::thread thread_;
};

// --- In the test's

// Those that it forked, and that are not reaped.
inline std::vector<pid_t> children_of(pid_t pid) {
  const auto id = std::to_string(pid);
  std::ifstream in{"/proc/" + id + "/task/" + id + "/children"};
  return {std::istream_iterator<pid_t>{in}, {}};
}

// Whether it is stopped by a signal, or no more.
inline bool still(pid_t pid) {
  std::ifstream in{"/proc/" + std::to_string(pid) + "/stat"};
  const std::string stat{std::istreambuf_iterator<char>{in}, {}};
  const auto state = stat.rfind(')') + 2;
  return stat.empty() || std::string_view{"TZX"}.find(stat.at(state)) != std::string_view::npos;
}

// Processes that do nothing while this lives, however slow or fast the machine is.
class Frozen {
public:
  explicit Frozen(std::vector<pid_t> pids) : pids_(std::move(pids)) {
    for (const auto pid : pids_)
      ::kill(pid, SIGSTOP);
    REQUIRE(eventually([&] { return std::all_of(pids_.begin(), pids_.end(), still); }));
  }
  Frozen(Frozen&& other) noexcept : pids_(std::exchange(other.pids_, {})) {}
  ~Frozen() {
    for (const auto pid : pids_)
      ::kill(pid, SIGCONT);
  }

private:
  std::vector<pid_t> pids_;
};

class NodeProcess {
public:
  // Ready when this returns; `options` but for the paths.
  explicit NodeProcess(StartOptions options) {
    options.paths = Paths::of(folder_.path.string());
    options.listen = {"127.0.0.1", 0};
    options.listen_given = true;
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    line_.reset(ends[0]);
    Fd theirs{ends[1]};
    std::fflush(nullptr); // Or it would be written twice.
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0)
      run(options, std::move(theirs));
    REQUIRE(eventually([&] { return std::filesystem::exists(options.paths.api); }));
    cli::Common common;
    common.data = folder_.path.string();
    api_.emplace(common);
    api_->get("/v1/status"); // A node that has said where its API is answers there.
  }
  NodeProcess(const NodeProcess&) = delete;
  ~NodeProcess() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }

  cli::Api& api() { return *api_; }
  const std::filesystem::path& folder() const { return folder_.path; }
  pid_t pid() const { return pid_; }
  pid_t zygote() const {
    const auto forked = children_of(pid_);
    REQUIRE(forked.size() == 1);
    return forked.front();
  }
  std::vector<pid_t> workers() const { return children_of(zygote()); }

  // The first actor whose name begins so dies; answered once its end is seen by all.
  void strike(const std::string& name, caf::exit_reason reason, End end = End::replaced) {
    const std::string order{reason == caf::exit_reason::kill ? 'k' : 'u', char(end)};
    REQUIRE(::send(line_.get(), (order + name).data(), 2 + name.size(), 0) > 0);
    if (end == End::of_all)
      return;
    char answer[128];
    const auto n = ::recv(line_.get(), answer, sizeof answer, 0);
    REQUIRE(n > 0);
    REQUIRE(std::string(answer, std::size_t(n)) == "done");
  }

  // What it said on stderr.
  std::string said() const {
    std::ifstream in{folder_.path / "stderr"};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

  // Its exit code; when it does not end by itself, after it was told to.
  int ended() {
    int status = 0;
    if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }))
      return -1;
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  int stop() {
    ::kill(pid_, SIGTERM);
    return ended();
  }

private:
  [[noreturn]] void run(const StartOptions& options, Fd line) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    line_.reset();
    const auto err = std::freopen((folder_.path / "stderr").c_str(), "w", stderr);
    int code = 1;
    if (err) {
      try {
        Node node{options};
        Assassin assassin{node, std::move(line)};
        code = node.run();
      } catch (const Node::CannotStart& failed) {
        std::fprintf(stderr, "%s\n", to_text(failed.why).c_str());
      }
    }
    std::exit(code);
  }

  Folder folder_;
  Fd line_;
  pid_t pid_ = -1;
  std::optional<cli::Api> api_;
};

} // namespace tessera::rig
