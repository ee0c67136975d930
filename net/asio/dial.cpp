#include "net/asio/pump.hpp"

#include <asio/post.hpp>

namespace tessera {

std::shared_ptr<Link> dial(asio::io_context& io, std::string host, std::uint16_t port,
                           HandshakeConfig handshake, SessionLimits limits, LinkEvents events) {
  auto line = std::make_shared<Line>(io, limits, host + ":" + std::to_string(port));
  auto pump = Pump::make(io, line, limits, [events = std::move(events)] { return events; });
  // Posted, so that no news come before our caller has the link.
  asio::post(io, [pump = std::move(pump), host = std::move(host), port,
                  handshake = std::move(handshake)]() mutable {
    pump->dial(std::move(host), port, std::move(handshake));
  });
  return line;
}

} // namespace tessera
