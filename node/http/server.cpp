#include "node/http/server.hpp"

#include "node/http/gate.hpp"
#include "node/http/outgoing.hpp"

#include <asio/execution_context.hpp>
#include <asio/ip/address.hpp>
#include <asio/post.hpp>
#include <restinio/http_server.hpp>
#include <restinio/settings.hpp>
#include <restinio/traits.hpp>

#include <chrono>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace tessera {

namespace {

using namespace std::chrono_literals;
using http::send, http::send_or_drop, http::Then;

struct Traits : restinio::default_traits_t {
  static constexpr bool use_connection_count_limiter = true;
};

using RestServer = restinio::http_server_t<Traits>;

// RESTinio's connections point at their server without owning it, and what a client keeps open
// outlives close(). So a server lasts as long as its io_context.
class Servers : public asio::execution_context::service {
public:
  static inline asio::execution_context::id id;

  explicit Servers(asio::execution_context& io) : service(io) {}
  void keep(std::shared_ptr<RestServer> server) {
    const std::lock_guard lock{mutex_};
    servers_.push_back(std::move(server));
  }

private:
  void shutdown() override {} // Connections go then; servers with the service itself.

  std::mutex mutex_;
  std::vector<std::shared_ptr<RestServer>> servers_;
};

// A GET may wait 60 s for a job; a body of 1 GiB may come through a tunnel. Guesses.
constexpr auto handle_time_max = 10min;
constexpr auto transfer_time_max = 10min;
constexpr std::size_t url_bytes_max = 8 * 1024;
constexpr std::size_t header_bytes_max = 8 * 1024;
constexpr std::size_t headers_max = 64;
constexpr std::size_t read_bytes_max = 64 * 1024; // At a time. Large bodies are slow by 4 KiB.
// RESTinio cuts the line at its own limit without a word. Bodies that are larger by no more than
// this are read and answered with 413.
constexpr std::size_t excess_read = 64 * 1024;

const Error& leaving() {
  static const Error error{"E305", "this node is leaving", "it was told to stop",
                           "start it again: tessera start"};
  return error;
}

const Error& unanswered() {
  static const Error error{"E306", "the node could not answer this request",
                           "its handler failed or gave up",
                           "try again; if it stays, restart the node"};
  return error;
}

HttpRequest to_request(const restinio::request_t& request, http::Target target) {
  HttpRequest out;
  out.method = request.header().method().c_str();
  if (out.method == "HEAD") // Its answer goes out without its body.
    out.method = "GET";
  out.path = std::move(target.path);
  out.query = std::move(target.query);
  for (const char* name : {"content-type", "range", "if-range", "if-none-match", "last-event-id",
                           "idempotency-key", "accept"})
    if (const auto value = request.header().opt_value_of(name))
      out.headers.emplace(name, std::string{*value});
  out.body = to_bytes(view(request.body()));
  return out;
}

// Whether each field of this name passes; true when there is none.
template<class Passes>
bool each_passes(const restinio::http_request_header_t& header, restinio::http_field_t field,
                 Passes passes) {
  bool all = true;
  header.for_each_value_of(field, [&](restinio::string_view_t value) {
    all = all && passes(std::string_view{value.data(), value.size()});
    return restinio::http_header_fields_t::continue_enumeration();
  });
  return all;
}

// Requests that wait for their answer, so that the last words of a node reach them all, and an
// answer that comes after that, or twice, goes nowhere.
class Pending : public std::enable_shared_from_this<Pending> {
public:
  Pending(asio::io_context& io, HttpConfig config, HttpHandler handler)
      : io_(io), config_(std::move(config)), handler_(std::move(handler)) {}

  // On the io_context's thread.
  void take(restinio::request_handle_t request) {
    auto target = target_of(*request);
    if (const auto page = open_page(*request, target))
      return send(request, *page);
    if (const auto refusal = refuse(*request, target))
      return send(request, *refusal);
    const auto respond = responder(request);
    if (!respond)
      return send(request, problem(503, leaving(), target->path), Then::hang_up);
    try {
      handler_(to_request(*request, std::move(*target)), respond);
    } catch (const std::exception&) {
      respond(problem(500, unanswered()));
    }
  }

  void answer(std::uint64_t number, HttpReply reply) {
    const std::lock_guard lock{mutex_};
    const auto it = waiting_.find(number);
    if (it == waiting_.end())
      return;
    // Under the lock: the io_context may be gone once close() has been called.
    asio::post(io_, [self = shared_from_this(), request = std::move(it->second),
                     reply = std::move(reply)] {
      if (reply.stream)
        http::send_pieces(request, reply, self->post());
      else
        send_or_drop(request, reply);
    });
    waiting_.erase(it);
  }

  http::Post post() {
    return [weak = weak_from_this()](std::function<void()> act) {
      const auto self = weak.lock();
      if (!self)
        return;
      const std::lock_guard lock{self->mutex_};
      if (!self->closed_)
        asio::post(self->io_, std::move(act));
    };
  }

  void close() {
    const std::lock_guard lock{mutex_};
    closed_ = true;
    for (auto& [number, request] : waiting_)
      asio::post(io_, [request = std::move(request)] {
        send_or_drop(request, problem(503, leaving()), Then::hang_up);
      });
    waiting_.clear();
  }

  // On the io_context's thread: what the handler holds must not outlive its owner.
  void forget_handler() { handler_ = nullptr; }

private:
  // Answers when nobody else did: a handler that drops its HttpRespond leaves no client hanging.
  struct Ticket {
    std::weak_ptr<Pending> pending;
    std::uint64_t number;

    Ticket(std::weak_ptr<Pending> p, std::uint64_t n) : pending(std::move(p)), number(n) {}
    Ticket(const Ticket&) = delete;
    ~Ticket() { answer(problem(500, unanswered())); }
    void answer(HttpReply reply) {
      if (const auto p = pending.lock())
        p->answer(number, std::move(reply));
    }
  };

  static std::optional<http::Target> target_of(const restinio::request_t& request) {
    const auto& text = request.header().request_target();
    return http::parse_target({text.data(), text.size()});
  }

  HttpRespond responder(const restinio::request_handle_t& request) {
    const std::lock_guard lock{mutex_};
    if (closed_)
      return {};
    waiting_.emplace(++last_, request);
    auto ticket = std::make_shared<Ticket>(weak_from_this(), last_);
    return [ticket](HttpReply reply) { ticket->answer(std::move(reply)); };
  }

  bool authorized(const restinio::request_t& request, const std::string& path) const {
    if (path == "/healthz" || path == "/readyz")
      return true;
    const auto value = request.header().opt_value_of(restinio::http_field::authorization);
    return value && http::bears({value->data(), value->size()}, config_.token);
  }

  std::optional<HttpReply> open_page(const restinio::request_t& request,
                                     const std::optional<http::Target>& target) const {
    const bool get = request.header().method() == restinio::http_method_get();
    if (!config_.open_page || !get || !target || foreign(request))
      return {};
    return config_.open_page(target->path);
  }

  std::optional<HttpReply> foreign(const restinio::request_t& request) const {
    const auto& header = request.header();
    if (!header.has_field(restinio::http_field::host) ||
        !each_passes(header, restinio::http_field::host, http::loopback_host))
      return problem(403, {"E506", "this host name is not served here",
                           "the API answers to localhost and loopback addresses only",
                           "use http://127.0.0.1 and the port in the file api"});
    if (!each_passes(header, restinio::http_field::origin, http::loopback_origin))
      return problem(403, {"E507", "a page of this origin may not call the API",
                           "only pages served from loopback may", "call it without a browser"});
    return {};
  }

  std::optional<HttpReply> refuse(const restinio::request_t& request,
                                  const std::optional<http::Target>& target) const {
    if (auto refusal = foreign(request))
      return refusal;
    if (!target)
      return problem(400, {"E400", "the address of this request cannot be read",
                           "a bad % escape, or no leading slash", "see GET /v1/status"});
    if (!authorized(request, target->path)) {
      auto reply =
          problem(401,
                  {"E505", "no valid token", "every call needs Authorization: Bearer TOKEN",
                   "the token is in the node's file named token; with tessera: --token-file"},
                  target->path);
      reply.headers["WWW-Authenticate"] = "Bearer";
      return reply;
    }
    if (request.body().size() > config_.body_bytes_max)
      return problem(413,
                     {"E508", "the body is too large",
                      "at most " + std::to_string(config_.body_bytes_max) + " bytes are taken",
                      "split it into several blobs"},
                     target->path);
    return {};
  }

  asio::io_context& io_;
  const HttpConfig config_;
  HttpHandler handler_;
  std::mutex mutex_;
  bool closed_ = false;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, restinio::request_handle_t> waiting_; // At most connections_max.
};

class Server : public HttpServer {
public:
  Server(asio::io_context& io, const HttpConfig& config, asio::ip::address address,
         std::shared_ptr<Pending> pending)
      : io_(io), pending_(std::move(pending)),
        rest_(std::make_shared<RestServer>(restinio::external_io_context(io), [&](auto& settings) {
          configure(settings, config, address);
        })) {
    asio::use_service<Servers>(io).keep(rest_);
    rest_->open_sync(); // Nobody else knows of it yet, so any thread may.
  }

  ~Server() override { close(); }

  std::uint16_t port() const override { return port_; }

  void close() override {
    if (!rest_)
      return;
    pending_->close();
    asio::post(io_, [rest = std::exchange(rest_, nullptr), pending = pending_] {
      rest->close_sync();
      pending->forget_handler();
    });
  }

private:
  template<class Settings>
  void configure(Settings& settings, const HttpConfig& config, const asio::ip::address& address) {
    settings.address(address)
        .port(config.port)
        .protocol(address.is_v6() ? asio::ip::tcp::v6() : asio::ip::tcp::v4())
        .read_next_http_message_timelimit(transfer_time_max)
        .write_http_response_timelimit(transfer_time_max)
        .handle_request_timeout(handle_time_max)
        .max_parallel_connections(config.connections_max)
        .socket_options_setter([](restinio::socket_options_t& options) {
          options.set_option(asio::ip::tcp::no_delay(true));
        })
        .buffer_size(read_bytes_max)
        .incoming_http_msg_limits(restinio::incoming_http_msg_limits_t{}
                                      .max_url_size(url_bytes_max)
                                      .max_field_name_size(header_bytes_max)
                                      .max_field_value_size(header_bytes_max)
                                      .max_field_count(headers_max)
                                      .max_body_size(config.body_bytes_max + excess_read))
        .acceptor_post_bind_hook(
            [this](auto& acceptor) { port_ = acceptor.local_endpoint().port(); })
        .request_handler([pending = pending_](restinio::request_handle_t request) {
          pending->take(std::move(request));
          return restinio::request_accepted();
        });
  }

  asio::io_context& io_;
  std::uint16_t port_ = 0;
  std::shared_ptr<Pending> pending_;
  std::shared_ptr<RestServer> rest_;
};

Error cannot_serve(const HttpConfig& config, std::string why) {
  return {"E303", "cannot serve the API on " + config.host + ":" + std::to_string(config.port),
          std::move(why), "free the port, or choose another: --api-port 0 takes any"};
}

} // namespace

Result<std::unique_ptr<HttpServer>> serve_http(asio::io_context& io, HttpConfig config,
                                               HttpHandler handler) {
  asio::error_code bad;
  const auto address = asio::ip::make_address(config.host, bad);
  if (bad)
    return cannot_serve(config, "that is not a numeric address");
  try {
    return std::unique_ptr<HttpServer>{std::make_unique<Server>(
        io, config, address, std::make_shared<Pending>(io, config, std::move(handler)))};
  } catch (const std::exception& e) {
    return cannot_serve(config, e.what());
  }
}

} // namespace tessera
