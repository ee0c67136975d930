#pragma once

#include "net/asio/line.hpp"

#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

// The end of a link that works: a socket, a session, and three coroutines on the io_context's
// thread (one reads, one writes, one watches the clock) that keep it alive.
//
//   connecting --begin()--> live --(peer, close(), clock)--> ended --(last words written, 1 s)-->
//   gone
namespace tessera {

class Pump : public std::enable_shared_from_this<Pump> {
public:
  using Meet = std::function<LinkEvents()>; // Asked before the first news: where they go.

  static std::shared_ptr<Pump> make(asio::io_context& io, std::shared_ptr<Line> line,
                                    SessionLimits limits, Meet meet);
  Pump(asio::io_context& io, std::shared_ptr<Line> line, SessionLimits limits, Meet meet);
  ~Pump();

  // Each on the io_context's thread.
  void dial(std::string host, std::uint16_t port, HandshakeConfig handshake);
  // `pending` goes when the handshake is over, or the socket is closed.
  void adopt(asio::ip::tcp::socket socket, HandshakeConfig handshake,
             std::shared_ptr<void> pending);
  void serve(); // There are requests on the line.

private:
  using Self = std::shared_ptr<Pump>; // Held by each coroutine for as long as it runs.
  static asio::awaitable<void> connect(Self self, std::string host, std::uint16_t port,
                                       HandshakeConfig handshake);
  static asio::awaitable<void> read_all(Self self);
  static asio::awaitable<void> write_all(Self self);
  static asio::awaitable<void> watch(Self self);

  void spawn(asio::awaitable<void> coroutine);
  void begin(HandshakeConfig handshake);
  void arrived(std::size_t bytes);
  void alarmed();
  void lost(const std::error_code& why);
  void tell(std::vector<SessionNews> news);
  void end(std::string why);
  void finish();
  void stepped();
  void rearm();
  Time next_alarm() const;

  asio::io_context& io_;
  asio::ip::tcp::socket socket_;
  asio::steady_timer alarm_;
  asio::steady_timer input_;  // Never fires: cancelled when the session wants input again.
  asio::steady_timer output_; // Nor does this: cancelled when there may be something to write.
  std::shared_ptr<Line> line_;
  SessionLimits limits_;
  std::optional<Session> session_;
  Meet meet_;
  std::function<void(SessionNews)> news_;
  std::shared_ptr<void> pending_;
  std::optional<std::string> close_why_; // Our owner's.
  std::optional<Time> deadline_;         // Of connecting, and of the last words.
  bool opened_ = false, ended_ = false, gone_ = false;

  // One read. Aligned to 64: the kernel copies twice as fast. Not zeroed: idle links touch a page.
  struct Free {
    void operator()(std::uint8_t* bytes) const;
  };
  std::unique_ptr<std::uint8_t[], Free> inbox_;
};

std::string words_of(const std::error_code& error);
std::string text_of(const asio::ip::tcp::endpoint& endpoint); // "10.0.0.5:7700", "[::1]:7700"

} // namespace tessera
