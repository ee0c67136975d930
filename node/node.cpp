#include "node/node.hpp"

#include "net/asio/probe.hpp"
#include "node/cli/terminal.hpp"
#include "node/dashboard/page.hpp"
#include "node/node_actor.hpp"
#include "node/owner/readings.hpp"
#include "node/secret_file.hpp"
#include "node/speed.hpp"
#include "node/store/needed.hpp"
#include "node/wasm/job.hpp"
#include "node/worker/worker.hpp"

#include <asio/executor_work_guard.hpp>
#include <asio/signal_set.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>

#include <future>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/stat.h>
#include <thread>

namespace tessera {
namespace {

constexpr std::uint16_t ports_tried = 100;     // From the default one up, where none was asked for.
constexpr std::uint64_t start_bytes = 1 << 20; // Guess: more than a start writes.
constexpr int exit_failed = 1, exit_usage = 2;

using CannotStart = Node::CannotStart;

template<class T>
T must(Result<T> result, int code = exit_failed) {
  if (!result)
    throw CannotStart{result.error(), code};
  return std::move(*result);
}

// --- Which mesh

MeshMembership chosen_mesh(const StartOptions& o, const std::optional<MeshMembership>& before) {
  if (!o.invite.empty()) {
    if (o.open)
      throw CannotStart{{"E310", "--join and --open do not go together",
                         "an invite is for a private mesh", "leave one of them out"},
                        exit_usage};
    auto invited = must(from_invite(o.invite), exit_usage);
    if (before && before->id != invited.id)
      throw CannotStart{{"E310", "this node belongs to another mesh",
                         o.paths.mesh.string() + " names it",
                         "use another folder: --data DIR, or move that file away"},
                        exit_usage};
    return invited;
  }
  if (before) {
    if (o.open && !before->open())
      throw CannotStart{{"E310", "this node belongs to a private mesh",
                         o.paths.mesh.string() + " names it",
                         "leave out --open, or use another folder: --data DIR"},
                        exit_usage};
    return *before;
  }
  if (o.open)
    return open_mesh();
  if (!o.seeds.empty())
    throw CannotStart{{"E310", "a seed alone does not say which mesh to join",
                       "a private mesh is joined with an invite, which names seeds itself",
                       "tessera start --join INVITE, or for an open mesh: --open --seed HOST:PORT"},
                      exit_usage};
  return found_mesh();
}

// --- Addresses

bool wildcard(const std::string& host) {
  return host.empty() || host == "0.0.0.0" || host == "::";
}

// What other machines may dial. Loopback only where there is nothing else.
std::vector<Address> own_addresses(const std::string& host, std::uint16_t port) {
  if (!wildcard(host))
    return {{host, port}};
  std::vector<Address> out;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) == 0) {
    for (auto* i = list; i; i = i->ifa_next) {
      if (!i->ifa_addr || (i->ifa_flags & IFF_LOOPBACK) || !(i->ifa_flags & IFF_UP))
        continue;
      const bool v4 = i->ifa_addr->sa_family == AF_INET;
      if (!v4 && !(i->ifa_addr->sa_family == AF_INET6 && host == "::"))
        continue;
      char text[NI_MAXHOST];
      const auto size = v4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
      const bool read = ::getnameinfo(i->ifa_addr, socklen_t(size), text, sizeof text, nullptr, 0,
                                      NI_NUMERICHOST) == 0;
      if (read && std::string_view{text}.find('%') == std::string_view::npos &&
          out.size() < addresses_max)
        out.push_back({text, port});
    }
    ::freeifaddrs(list);
  }
  if (out.empty())
    out.push_back({"127.0.0.1", port});
  return out;
}

// --- The parts outside of actors

// One Asio thread, once it is started. The context outlives it, for those who still post.
class Io {
public:
  Io() : work_(context.get_executor()) {}
  ~Io() { stop(); }
  void start() {
    thread_ = std::thread{[this] { context.run(); }};
  }
  void stop() {
    context.stop();
    if (thread_.joinable())
      thread_.join();
  }
  asio::io_context context{1};

private:
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::thread thread_;
};

class ActorSystemConfig : public caf::actor_system_config {
public:
  ActorSystemConfig() {
    add_message_types<caf::id_block::tessera>();
    add_message_types<caf::id_block::tessera_node>();
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", std::size_t{2});
    set("scheduler.max-throughput", std::size_t{16});
  }
};

std::string loopback_url(std::uint16_t port) {
  return "http://127.0.0.1:" + std::to_string(port);
}

std::string fresh_token() {
  Secret<32> token;
  fill_random(token.bytes);
  return to_base32(token.view());
}

std::uint64_t cores() {
  return std::max(1u, std::thread::hardware_concurrency());
}

// `modules`: whether workers run them.
std::vector<std::string> own_kernels(bool modules, std::uint64_t worker_bytes) {
  auto names = modules ? wasm::kernels_for(worker_bytes) : std::vector<std::string>{};
  for (const auto* kernel : kernels())
    names.push_back(kernel->info().name + "@" + std::to_string(kernel->info().version));
  return names;
}

std::int64_t unix_ms_at_zero() {
  using std::chrono::duration_cast, std::chrono::milliseconds;
  return duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count() -
         duration_cast<milliseconds>(Clock::now().time_since_epoch()).count();
}

LinkEvents news_to(const caf::actor& session) {
  return {[session](SessionNews news) { caf::anon_send(session, std::move(news)); }};
}

} // namespace

// Everything that a node is, from the folder to the farewell.
struct Node::Parts {
  explicit Parts(const StartOptions& options)
      : options_(options), zygote_(must(Zygote::start(find_kernel, modules_of_this_build()))),
        log_(spdlog::stderr_color_mt("tessera")) {
    log_->set_pattern("%H:%M:%S %^%l%$ %v");
    modules_ = runs_modules();
    fresh_ = !std::filesystem::exists(options.paths.key);
    identity_.emplace(must(Identity::load_or_create(options.paths.key)));
    choose_mesh();
    codec_ = std::make_shared<const Codec>(*identity_, mesh_.id);
    open_journal();
    must(save_mesh(options_.paths.mesh, mesh_)); // Now that no other node runs here.
    io_.emplace();
    listen();
    system_.emplace(config_);
    node_ = system_->spawn(node_actor, setup());
    await_wired();
    io_->start();
    serve();
    write_access();
  }

  int run() {
    asio::signal_set signals{io_->context, SIGINT, SIGTERM, SIGHUP};
    signals.async_wait([this](std::error_code failed, int) {
      if (!failed)
        caf::anon_send(node_, leave_atom_v);
    });
    greet();
    const auto why = ended_.get_future().get();
    signals.cancel();
    stop();
    if (why)
      std::fprintf(stderr, "%s\n", to_text(*why).c_str());
    return why ? exit_failed : 0;
  }

  // Also when the start was given up half-way.
  ~Parts() { stop(); }

  WorkerLimits worker_limits(bool modules) const {
    WorkerLimits limits;
    limits.memory_bytes = options_.memory_bytes;
    limits.cpu_percent = options_.cpu_percent;
    limits.modules = modules;
    return limits;
  }

  // Whether the owner allows modules, and a worker can be had that is ready for them.
  bool runs_modules() {
    if (!options_.wasm || !modules_of_this_build() ||
        wasm::kernels_for(options_.memory_bytes).empty())
      return false;
    const auto trial = zygote_.spawn(worker_limits(true));
    if (trial)
      zygote_.kill(trial->pid);
    else
      log_->warn(to_text(trial.error()));
    return trial.ok();
  }

  void open_journal() {
    auto journal = must(Journal::open(options_.paths.journal));
    make_room(journal);
    boot_ = must(journal.next_boot());
    remembered_ = must(journal.peers());
    pause_ = must(journal.pause());
  }

  // On a disk that old blobs fill, those that no job needs go.
  void make_room(Journal& journal) {
    const auto disk = std::filesystem::space(options_.paths.journal);
    if (disk.available >= start_bytes)
      return;
    auto blobs = must(Blobs::open(options_.paths.blobs, options_.blob_quota_bytes));
    must(forget_unneeded(journal, blobs, *codec_, start_bytes - disk.available));
  }

  void choose_mesh() {
    const auto before = must(load_mesh(options_.paths.mesh));
    mesh_ = chosen_mesh(options_, before);
    founded_ = !before && options_.invite.empty() && !mesh_.open();
    if (before) { // The invite's are newer.
      const auto invited = std::exchange(mesh_.seeds, before->seeds);
      mesh_.add_seeds(invited);
    }
    mesh_.add_seeds(options_.seeds);
    seeds_ = mesh_.seeds;
  }

  void listen() {
    const auto& at = options_.listen;
    const auto try_port = [&](std::uint16_t port) {
      return tessera::listen(
          io_->context, at.host, port,
          [this](NoiseRole role, std::optional<NodeId> expect) { return handshake(role, expect); },
          limits(), [this](LinkPtr link) { return accepted(std::move(link)); });
    };
    auto listener = try_port(at.port);
    for (std::uint16_t i = 1; !listener && !options_.listen_given && i < ports_tried; ++i)
      listener = try_port(std::uint16_t(at.port + i));
    listener_ = must(std::move(listener));
    addresses_ = own_addresses(at.host, listener_->port());
    own_.subject = identity_->id();
    own_.name = options_.name;
    own_.version = TESSERA_VERSION;
    own_.addresses = addresses_;
    own_.cores = std::uint32_t(cores());
    own_.slots = options_.slots.value_or(std::uint32_t(std::max<std::uint64_t>(1, cores() - 1)));
    own_.slots_free = own_.slots;
    own_.speed = measured_speed() * options_.cpu_percent / 100;
    own_.kernels = own_kernels(modules_, options_.memory_bytes);
    own_.worker = {options_.memory_bytes, std::string{this_arch}};
  }

  HandshakeConfig handshake(NoiseRole role, std::optional<NodeId> expect) const {
    HandshakeConfig config{};
    config.role = role;
    config.identity = &*identity_;
    config.mesh = mesh_.id;
    if (mesh_.psk)
      config.psks.push_back(*mesh_.psk);
    config.boot = boot_;
    config.expect = expect;
    return config;
  }

  // On the Asio thread, as all callbacks of links.
  LinkEvents accepted(LinkPtr link) {
    const auto wiring = board_->wiring();
    const auto session = system_->spawn(session_actor, codec_, false, wiring);
    caf::anon_send(session, std::move(link));
    caf::anon_send(wiring->node, session);
    return news_to(session);
  }

  LinkPtr dial(const Address& address, std::optional<NodeId> expect, const caf::actor& session) {
    return tessera::dial(io_->context, address.host, address.port,
                         handshake(NoiseRole::initiator, expect), limits(), news_to(session));
  }

  static std::shared_ptr<Rate> rate_of(std::uint64_t bytes) {
    return bytes ? std::make_shared<Rate>(bytes) : nullptr;
  }

  SessionLimits limits() const {
    SessionLimits all;
    all.budget = budget_;
    all.upload = upload_;
    all.download = download_;
    return all;
  }

  NodeSetup setup() {
    NodeSetup node;
    node.store = {
        identity_->id(), options_.paths.journal, options_.paths.blobs, options_.blob_quota_bytes,
        codec_,          options_.results_keep,  options_.blobs_keep};
    node.scheduler.self = own_.subject;
    node.scheduler.slots = own_.slots;
    node.scheduler.speed = own_.speed;
    node.scheduler.kernels = own_.kernels;
    node.scheduler.worker = own_.worker;
    node.job.self = own_.subject;
    node.job.boot = boot_;
    node.job.slots = own_.slots;
    node.job.speed = own_.speed;
    node.job.worker = own_.worker;
    node.job.unix_ms_at_zero = unix_ms_at_zero();
    node.mesh = {{}, own_, boot_, remembered_, 0, codec_, ports()};
    node.mesh.config.self = own_.subject;
    node.mesh.config.seeds = seeds_;
    node.mesh.config.addresses = addresses_;
    node.mesh.config.unix_ms_at_zero = unix_ms_at_zero();
    auto invited = mesh_;
    invited.add_seeds(addresses_);
    node.api = {codec_,
                own_,
                invited,
                to_text(addresses_.front()),
                0,
                Clock::now(),
                unix_ms_at_zero(),
                options_.memory_bytes,
                modules_,
                HttpConfig{}.body_bytes_max,
                HttpConfig{}.connections_max};
    for (std::uint32_t i = 0; i < std::max(1u, own_.slots); ++i)
      node.slots.push_back({i, &zygote_, &io_->context, worker_limits(modules_)});
    node.board = board_;
    node.pause = pause_;
    node.policy = policy();
    node.log = [this](const std::string& what) {
      log_->warn(what);
      tell(board_->wiring()->api, LogNews{"warning", what});
    };
    node.ended = [this](std::optional<Error> why) { ended_.set_value(std::move(why)); };
    return node;
  }

  std::optional<PolicySetup> policy() const {
    if (!options_.when.any())
      return {};
    const auto machine =
        std::make_shared<Machine>(options_.system_root, std::vector{::getpid(), zygote_.pid()});
    return PolicySetup{
        options_.when,
        [machine](std::int64_t unix_ms, Time now) { return machine->read(unix_ms, now); },
        [] {
          const auto unix_time = std::chrono::system_clock::now().time_since_epoch();
          return std::int64_t(std::chrono::floor<std::chrono::milliseconds>(unix_time).count());
        }};
  }

  MeshPorts ports() {
    return {[this](const Address& address, std::optional<NodeId> expect,
                   const caf::actor& session) { return dial(address, expect, session); },
            [this](const std::vector<PeerAddress>& peers) {
              tell(board_->wiring()->store, SavePeers{peers});
            },
            [this](const Address& seed, const std::string& why) {
              const Error error{"E302", "no answer from seed " + to_text(seed), why,
                                "is a node listening there? it is tried again and again"};
              std::fprintf(stderr, "%s\n", to_text(error).c_str());
            },
            [this](const Address& address, const NodeId& asker, const caf::actor& mesh) {
              tessera::probe(io_->context, address.host, address.port,
                             [=](bool reached, std::string why) {
                               caf::anon_send(mesh, Probed{asker, reached, std::move(why)});
                             });
            }};
  }

  // Until here nobody is let in: there would be no actor to turn to. One that died: see run().
  void await_wired() {
    // In a thread that ends: one that has had an actor keeps its system's logger.
    std::async(std::launch::async, [this] {
      caf::scoped_actor self{*system_};
      self->request(node_, caf::infinite, ChildrenAsk{})
          .receive([](const Children&) {}, [](const caf::error&) {});
    }).get();
  }

  void serve() {
    token_ = fresh_token();
    HttpConfig config;
    config.port = options_.api_port;
    config.token = token_;
    config.open_page = dashboard::page;
    http_ = must(serve_http(
        io_->context, config, [board = board_](HttpRequest request, HttpRespond respond) {
          tell(board->wiring()->api,
               HttpCall{std::make_shared<HttpRequest>(std::move(request)), std::move(respond)});
        }));
  }

  void write_access() {
    must(write_secret_file(options_.paths.token, token_ + "\n"));
    must(write_secret_file(options_.paths.api, loopback_url(http_->port()) + "\n"));
  }

  void greet() const {
    const auto id = to_text(identity_->id());
    const auto listening = to_text(addresses_.front());
    if (options_.json) {
      const Json line{{"schema", 1},
                      {"event", "started"},
                      {"id", id},
                      {"listen", listening},
                      {"api", loopback_url(http_->port())},
                      {"pid", ::getpid()}};
      std::fprintf(stdout, "%s\n", line.dump().c_str());
      std::fflush(stdout);
      return;
    }
    std::string text;
    const auto say = [&](const std::string& name, const std::string& what) {
      text += " " + name + std::string(14 - name.size(), ' ') + what + "\n";
    };
    say(founded_ ? "new mesh" : "mesh",
        mesh_.open()
            ? "open: anyone may join who knows a seed"
            : "private; others need an invite" + std::string{founded_ ? " (or: --open)" : ""});
    say(fresh_ ? "new identity" : "identity", id + "  (" + options_.paths.key.string() + ")");
    say("listening", listening);
    say("limits", std::to_string(own_.slots) + " of " + std::to_string(own_.cores) + " cores, " +
                      cli::bytes(options_.memory_bytes) + " each");
    if (mesh_.open()) {
      say("next", "another machine:  tessera start --open --seed " + listening);
    } else {
      auto invited = mesh_;
      invited.add_seeds(addresses_);
      say("next",
          "another machine:  tessera start --join " + to_invite(invited) + "   (kept secret)");
    }
    say("", "a job:            tessera submit mandelbrot -o m.png");
    std::fprintf(stderr, "%s", text.c_str());
  }

  // First whoever calls in, then the actors; all of them go with the node's.
  void stop() {
    std::error_code gone;
    if (http_) {
      std::filesystem::remove(options_.paths.api, gone);
      http_->close();
    }
    if (listener_)
      listener_->close();
    if (io_)
      io_->stop();
    if (const auto node = std::exchange(node_, nullptr))
      caf::anon_send_exit(node, caf::exit_reason::kill);
    board_->set(std::make_shared<const Wiring>()); // An actor that is held never ends.
    system_.reset();
  }

  const StartOptions options_;
  Zygote zygote_; // First: it forks while there is one thread.
  std::shared_ptr<spdlog::logger> log_;
  bool fresh_ = false, founded_ = false;
  bool modules_ = false; // Whether WebAssembly runs here.
  std::optional<Identity> identity_;
  std::uint64_t boot_ = 0;
  std::vector<PeerAddress> remembered_;
  std::optional<Pause> pause_;
  MeshMembership mesh_;
  std::vector<Address> seeds_, addresses_;
  Record own_;
  std::string token_;
  std::promise<std::optional<Error>> ended_;
  std::shared_ptr<Switchboard> board_ = std::make_shared<Switchboard>();
  std::shared_ptr<const Codec> codec_;
  ActorSystemConfig config_;
  const std::shared_ptr<Budget> budget_ = std::make_shared<Budget>();
  const std::shared_ptr<Rate> upload_ = rate_of(options_.upload_bytes),
                              download_ = rate_of(options_.download_bytes);
  std::optional<Io> io_;
  std::optional<caf::actor_system> system_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<HttpServer> http_;
  caf::actor node_;
};

Node::Node(const StartOptions& options) : parts_(std::make_unique<Parts>(options)) {}
Node::~Node() = default;

int Node::run() {
  return parts_->run();
}
WiringPtr Node::wiring() const {
  return parts_->board_->wiring();
}

int run_node(const StartOptions& options) {
  try {
    return Node{options}.run();
  } catch (const CannotStart& failed) {
    std::fprintf(stderr, "%s\n", to_text(failed.why).c_str());
    return failed.code;
  }
}

} // namespace tessera
