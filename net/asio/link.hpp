#pragma once

#include "net/session.hpp"

#include <asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>

// Sockets under sessions. Coroutines on one Asio thread that only pump: bytes from the socket into
// a Session, its output back, its wakes on a timer. All callbacks run on the io_context's thread;
// the methods below may be called from any thread.
namespace tessera {

// Called on the io_context's thread, in order; must not block.
struct LinkEvents {
  std::function<void(SessionNews)> news; // SessionDown comes exactly once, last.
};

class Link {
public:
  virtual ~Link() = default;
  // False when the outbox, or all sessions' budget, is known to be full or the link closed; what
  // was taken may still be lost with the session, or when the budget filled up meanwhile.
  virtual bool send(Bytes message, Lane lane) = 0;
  // As Session's: of each MessageIn, once it is done with. Too much that is not, and the link reads
  // no more.
  virtual void consumed(std::size_t bytes, Lane lane) = 0;
  virtual void close(std::string why) = 0; // After the outbox is written, or 1 s.
  virtual std::optional<Duration> rtt() const = 0;
  virtual Session::Counters counters() const = 0;
  virtual std::string remote() const = 0; // "10.0.0.5:7700"
};

// Makes the handshake's config for each connection; `expect` as dialled.
using HandshakeMaker = std::function<HandshakeConfig(NoiseRole, std::optional<NodeId> expect)>;

// Dials "host:port" (resolving names). Failure is news too: SessionDown{"connection refused"}.
std::shared_ptr<Link> dial(asio::io_context& io, std::string host, std::uint16_t port,
                           HandshakeConfig handshake, SessionLimits limits, LinkEvents events);

// Listens. At most 64 connections are still in their handshake, at most 4 of one address; further
// ones are closed.
class Listener {
public:
  virtual ~Listener() = default;
  virtual std::uint16_t port() const = 0; // The one bound, also when 0 was asked for.
  virtual void close() = 0;
};

// `accepted` gets the link before its first news and returns where that goes. E303: address in use,
// or not ours.
Result<std::unique_ptr<Listener>> listen(asio::io_context& io, const std::string& host,
                                         std::uint16_t port, HandshakeMaker handshake,
                                         SessionLimits limits,
                                         std::function<LinkEvents(std::shared_ptr<Link>)> accepted);

} // namespace tessera
