#pragma once

#include "node/http/server.hpp"

#include <restinio/request_handler.hpp>

#include <functional>

// Answers on their way out: whole, or piece by piece. On the io_context's thread.
namespace tessera::http {

// The last answer on its connection, or not.
enum class Then { stay, hang_up };

// Of a HEAD request, all but the body. Throws when the connection is gone.
void send(const restinio::request_handle_t& request, const HttpReply& reply,
          Then then = Then::stay);
void send_or_drop(const restinio::request_handle_t& request, const HttpReply& reply,
                  Then then = Then::stay);

// Onto the io_context's thread, or, once the server is closed, nowhere.
using Post = std::function<void(std::function<void()>)>;

// Of reply.stream: a piece is asked for when the one before was written. The connection ends with
// the last, so that a body that is cut is seen.
void send_pieces(const restinio::request_handle_t& request, const HttpReply& reply, Post post);

} // namespace tessera::http
