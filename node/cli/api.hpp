#pragma once

#include "crypto/bytes.hpp"
#include "node/cli/command.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <string>

// A running node, as node/http/API.md describes it. Each call throws Failed: with the node's own
// words where it answered, with E301 where none did, E308 where it took too long.
namespace tessera::cli {

// Where a node's API is, and what opens it. Throws Failed as Api does.
struct Access {
  std::string host;
  int port = 80;
  std::string token;

  std::string url() const; // "http://127.0.0.1:7701"
};
Access access_to(const Common& common);

class Api {
public:
  using Json = nlohmann::json;
  // The result's content type, before its bytes.
  using Opened = std::function<void(const std::string& content_type)>;
  using Chunk = std::function<void(std::string_view)>;

  explicit Api(const Common& common);
  ~Api();

  Json get(const std::string& path);
  // `key`: an Idempotency-Key; empty: none.
  Json post(const std::string& path, const Json& body = nullptr, const std::string& key = "");
  Json del(const std::string& path);
  Json put(const std::string& path, ByteView body);
  void download(const std::string& path, const Opened& opened, const Chunk& chunk);
  // As a download, of a body without an end: returns when it ended. Silence breaks the connection.
  // `after`: a Last-Event-ID; empty: none.
  void follow(const std::string& path, const std::string& after, const Chunk& chunk);
  void stop();    // From another thread: breaks the call that is under way, if it has a connection.
  bool answers(); // Whether anybody is there.

private:
  struct Line;
  std::unique_ptr<Line> line_;
};

// Escapes what a path segment may not hold.
std::string segment(std::string_view text);

} // namespace tessera::cli
