#pragma once

#include <asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <string>

// Whether somebody answers at an address: connects, and hangs up.
namespace tessera {

// `host` must be a number. Within 5 s; then(true, "") or why not, on the io_context's thread. May
// be called from any.
void probe(asio::io_context& io, const std::string& host, std::uint16_t port,
           std::function<void(bool reached, std::string why)> then);

} // namespace tessera
