#include "net/asio/pump.hpp"

#include <asio/co_spawn.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <cerrno>
#include <map>

namespace tessera {

namespace {

using asio::ip::tcp;

constexpr std::size_t pending_max = 64, pending_of_address_max = 4;
constexpr auto pause_when_out_of_files = std::chrono::milliseconds(100);

// Connections still in their handshake, by who they come from. On the io_context's thread.
class Pending : public std::enable_shared_from_this<Pending> {
public:
  // To be held while the handshake lasts; null: one too many.
  std::shared_ptr<void> admit(const asio::ip::address& address) {
    const auto key = key_of(address);
    auto& of_address = by_address_[key];
    if (all_ >= pending_max || of_address >= pending_of_address_max) {
      forget_if_none(key);
      return nullptr;
    }
    ++all_;
    ++of_address;
    return {this, [self = shared_from_this(), key](void*) { self->leave(key); }};
  }

private:
  using Key = std::array<std::uint8_t, 16>;

  // A host with IPv6 owns a whole /64 of it.
  static Key key_of(asio::ip::address address) {
    Key key{};
    if (address.is_v6() && !address.to_v6().is_v4_mapped())
      std::ranges::copy_n(address.to_v6().to_bytes().begin(), 8, key.begin());
    else if (address.is_v6())
      key = address.to_v6().to_bytes();
    else
      key = asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4()).to_bytes();
    return key;
  }
  void leave(const Key& key) {
    --all_;
    --by_address_[key];
    forget_if_none(key);
  }
  void forget_if_none(const Key& key) {
    if (by_address_[key] == 0)
      by_address_.erase(key);
  }

  std::size_t all_ = 0;
  std::map<Key, std::size_t> by_address_;
};

struct Door {
  tcp::acceptor acceptor;
  HandshakeMaker handshake;
  SessionLimits limits;
  std::function<LinkEvents(std::shared_ptr<Link>)> accepted;
  std::shared_ptr<Pending> pending = std::make_shared<Pending>();
};

void receive(Door& door, tcp::socket socket, const tcp::endpoint& remote, asio::io_context& io) {
  auto slot = door.pending->admit(remote.address());
  if (!slot)
    return; // The socket closes.
  auto line = std::make_shared<Line>(io, door.limits, text_of(remote));
  auto pump = Pump::make(io, line, door.limits,
                         [line, accepted = door.accepted] { return accepted(line); });
  pump->adopt(std::move(socket), door.handshake(NoiseRole::responder, {}), std::move(slot));
}

asio::awaitable<void> accept_all(std::shared_ptr<Door> door, asio::io_context& io) {
  while (door->acceptor.is_open()) {
    std::error_code ec;
    auto into = asio::redirect_error(asio::use_awaitable, ec);
    tcp::socket socket{io};
    tcp::endpoint remote;
    co_await door->acceptor.async_accept(socket, remote, into);
    if (!ec) {
      receive(*door, std::move(socket), remote, io);
    } else if (door->acceptor.is_open()) {
      // Out of file descriptors, most likely: give others time to close some.
      asio::steady_timer pause{io, pause_when_out_of_files};
      co_await pause.async_wait(into);
    }
  }
}

class OpenDoor final : public Listener {
public:
  OpenDoor(asio::io_context& io, const std::shared_ptr<Door>& door)
      : io_(io), door_(door), port_(door->acceptor.local_endpoint().port()) {}
  ~OpenDoor() override { close(); }

  std::uint16_t port() const override { return port_; }
  void close() override {
    if (door_.expired()) // With its io_context, perhaps.
      return;
    asio::post(io_, [door = std::exchange(door_, {})] {
      std::error_code ignored;
      if (const auto d = door.lock())
        d->acceptor.close(ignored);
    });
  }

private:
  asio::io_context& io_;
  std::weak_ptr<Door> door_;
  std::uint16_t port_;
};

Error cannot_listen(const std::string& host, std::uint16_t port, const std::error_code& ec) {
  Error e{"E303", "cannot listen on " + host + ":" + std::to_string(port), words_of(ec),
          "choose another address with --listen HOST:PORT"};
  if (ec == asio::error::address_in_use) {
    e.why = "the address is in use: another program, or another node, has it";
    e.fix = "stop that one, or choose another port with --listen HOST:PORT (0: any free one)";
  } else if (ec.value() == EADDRNOTAVAIL) {
    e.why = "the address is not one of this machine's";
    e.fix = "give one that is, or 0.0.0.0 for all, with --listen HOST:PORT";
  } else if (ec == asio::error::access_denied) {
    e.why = "only the administrator may use ports below 1024";
    e.fix = "choose a higher port with --listen HOST:PORT";
  }
  return e;
}

std::error_code bind(tcp::acceptor& acceptor, const tcp::endpoint& at) {
  std::error_code ec;
  acceptor.close(ec);
  acceptor.open(at.protocol(), ec);
  if (!ec)
    acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec)
    acceptor.bind(at, ec);
  if (!ec)
    acceptor.listen(tcp::acceptor::max_listen_connections, ec);
  return ec;
}

// To the first address of that name that can be had.
std::error_code bind(asio::io_context& io, tcp::acceptor& acceptor, const std::string& host,
                     std::uint16_t port) {
  std::error_code ec;
  const auto address = asio::ip::make_address(host, ec);
  if (!ec)
    return bind(acceptor, {address, port});
  const auto found = tcp::resolver{io}.resolve(host, std::to_string(port), ec);
  for (const auto& entry : found)
    if (ec = bind(acceptor, entry.endpoint()); !ec)
      break;
  return ec;
}

} // namespace

Result<std::unique_ptr<Listener>>
listen(asio::io_context& io, const std::string& host, std::uint16_t port, HandshakeMaker handshake,
       SessionLimits limits, std::function<LinkEvents(std::shared_ptr<Link>)> accepted) {
  tcp::acceptor acceptor{io};
  if (const auto ec = bind(io, acceptor, host, port))
    return cannot_listen(host, port, ec);
  auto door = std::make_shared<Door>(
      Door{std::move(acceptor), std::move(handshake), limits, std::move(accepted)});
  std::unique_ptr<Listener> listener = std::make_unique<OpenDoor>(io, door);
  asio::post(io, [&io, door = std::move(door)] {
    asio::co_spawn(io, accept_all(door, io), [](std::exception_ptr bug) {
      if (bug)
        std::rethrow_exception(bug);
    });
  });
  return listener;
}

} // namespace tessera
