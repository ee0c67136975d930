#pragma once

#include <cstdint>
#include <functional>
#include <string>

// After the standard library's, which tell Asio that there is std::aligned_alloc: all units must
// allocate alike.
#include <asio/io_context.hpp>

// Whether somebody answers at an address: connects, and hangs up.
namespace tessera {

// `host` must be a number. Within 5 s; then(true, "") or why not, on the io_context's thread. May
// be called from any.
void probe(asio::io_context& io, const std::string& host, std::uint16_t port,
           std::function<void(bool reached, std::string why)> then);

} // namespace tessera
