#pragma once

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"

#include <asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

// The local HTTP server: RESTinio on the node's own io_context. Checks token, Host and Origin,
// bounds bodies, and hands requests to one handler; what they mean is api_actor's.
namespace tessera {

struct HttpRequest {
  std::string method; // "GET" (of HEAD, too), "POST", "PUT"
  std::string path;   // "/v1/jobs/7f3a", decoded, without the query.
  std::map<std::string, std::string> query;
  std::map<std::string, std::string>
      headers; // Names in lower case. Only: content-type, range, if-range, if-none-match,
               // last-event-id, idempotency-key, accept.
  Bytes body;
};

struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  std::map<std::string, std::string> headers;
  std::shared_ptr<const Bytes> body; // Null: empty.
  // Instead of a body: `size` bytes, or as many as come, piece by piece. `next` is called when the
  // piece before has gone out, and answers once, from any thread. Null, empty or dropped: there is
  // no more, and where a size was said the client sees it cut.
  struct Stream {
    std::optional<std::uint64_t> size;
    std::function<void(std::function<void(std::shared_ptr<const Bytes>)>)> next;
  };
  std::shared_ptr<Stream> stream = {};
};

// application/problem+json {type, title, status, detail, instance, code, fix} of an Error.
// `instance`: the path asked for, where it is known.
HttpReply problem(int status, const Error& error, const std::string& instance = "");
HttpReply json_reply(int status, std::string body);

using HttpRespond = std::function<void(HttpReply)>; // Once, from any thread.
using HttpHandler = std::function<void(HttpRequest, HttpRespond)>;

struct HttpConfig {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0; // 0: any.
  std::string token;      // Wanted as "Authorization: Bearer ..." on all but /healthz,
                          // /readyz and open pages.
  std::size_t body_bytes_max = std::size_t{1} << 30;
  std::size_t connections_max = 512;
  // What a GET of this path is answered without a token and without the handler; empty: nothing.
  std::function<std::optional<HttpReply>(const std::string& path)> open_page = {};
};

class HttpServer {
public:
  virtual ~HttpServer() = default;
  virtual std::uint16_t port() const = 0;
  virtual void close() = 0;
};

// E303: the address is in use or not ours. Runs on `io`, which somebody else's thread runs.
Result<std::unique_ptr<HttpServer>> serve_http(asio::io_context& io, HttpConfig config,
                                               HttpHandler handler);

} // namespace tessera
