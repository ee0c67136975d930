#include "node/http/server.hpp"

#include "node/http/gate.hpp"

#include <asio/connect.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <future>
#include <mutex>
#include <optional>
#include <thread>

using namespace tessera;
using asio::ip::tcp;

namespace {

const std::string token = "s3cret";

// A server on a thread of its own, as the node runs it.
class Rig {
public:
  explicit Rig(HttpHandler handler, std::size_t body_bytes_max = 1000) {
    HttpConfig config;
    config.token = token;
    config.body_bytes_max = body_bytes_max;
    auto server = serve_http(io_, config, std::move(handler));
    REQUIRE(server.ok());
    server_ = std::move(*server);
  }
  ~Rig() {
    server_.reset();
    io_.stop();
    thread_.join();
  }

  HttpServer& server() { return *server_; }
  std::uint16_t port() const { return server_->port(); }

private:
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::unique_ptr<HttpServer> server_;
  std::thread thread_{[this] { io_.run(); }};
};

struct Answer {
  int status = 0;
  std::string head, body;

  nlohmann::json json() const { return nlohmann::json::parse(body, nullptr, false); }
  std::string code() const { return json().value("code", ""); }
};

// A blocking client that sends what it is told and reads until the server closes.
class Client {
public:
  explicit Client(std::uint16_t port) {
    socket_.connect({asio::ip::make_address("127.0.0.1"), port});
  }
  void send(const std::string& bytes) { asio::write(socket_, asio::buffer(bytes)); }
  void read_past(const std::string& text) {
    std::string all;
    asio::read_until(socket_, asio::dynamic_buffer(all), text);
  }
  Answer read() {
    std::string all;
    asio::error_code ended;
    asio::read(socket_, asio::dynamic_buffer(all), ended);
    Answer answer;
    const auto cut = all.find("\r\n\r\n");
    if (cut == std::string::npos)
      return answer;
    answer.head = all.substr(0, cut);
    answer.body = all.substr(cut + 4);
    answer.status = std::stoi(answer.head.substr(9, 3));
    return answer;
  }

private:
  asio::io_context io_;
  tcp::socket socket_{io_};
};

struct Ask {
  std::string method = "GET", target = "/v1/status", host = "127.0.0.1:1";
  std::string authorization = "Bearer " + token;
  std::string extra = "", body = "", connection = "close";

  std::string text() const {
    return method + " " + target + " HTTP/1.1\r\n" +
           (host.empty() ? "" : "Host: " + host + "\r\n") +
           (authorization.empty() ? "" : "Authorization: " + authorization + "\r\n") + extra +
           "Connection: " + connection + "\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  }
};

Answer ask(const Rig& rig, const Ask& a) {
  Client client{rig.port()};
  client.send(a.text());
  return client.read();
}

HttpHandler says(std::string body) {
  return [body](HttpRequest, HttpRespond respond) { respond(json_reply(200, body)); };
}

} // namespace

TEST_CASE("a target is read as RFC 3986 has it, or not at all") {
  const auto target = http::parse_target("/v1/jobs/a%20b%2Fc?wait=5&x=%26+y&&flag#part");
  REQUIRE(target);
  CHECK(target->path == "/v1/jobs/a b/c");
  CHECK(target->query ==
        std::map<std::string, std::string>{{"wait", "5"}, {"x", "& y"}, {"flag", ""}});
  CHECK(http::parse_target("/a+b")->path == "/a+b");
  for (const char* bad : {"", "v1", "http://x/v1", "/%", "/%2", "/%zz", "/%00", "/a?b=%g0", "*"}) {
    INFO(bad);
    CHECK(!http::parse_target(bad));
  }
}

TEST_CASE("only loopback names and addresses are hosts") {
  for (const char* good :
       {"localhost", "LocalHost:80", "127.0.0.1", "127.8.9.10:7701", "[::1]", "[::1]:65535"}) {
    INFO(good);
    CHECK(http::loopback_host(good));
  }
  for (const char* bad :
       {"", ":80", "example.com", "localhost.evil.com", "127.0.0.1.evil.com", "10.0.0.1", "0.0.0.0",
        "[::2]", "[::1", "::1", "[::1]x", "localhost:", "localhost:x", "localhost:123456",
        "127.0.0.1@evil.com", "localhost evil", "[localhost]", "127.1", "2130706433"}) {
    INFO(bad);
    CHECK(!http::loopback_host(bad));
  }
  CHECK(!http::loopback_host({"127.0.0.1\0.evil.com", 19}));
  CHECK(http::loopback_origin("http://localhost:3000"));
  CHECK(http::loopback_origin("HTTPS://127.0.0.1"));
  for (const char* bad : {"", "null", "file://", "http://", "http://evil.com", "localhost",
                          "http://localhost.evil.com", "http://localhost/evil"}) {
    INFO(bad);
    CHECK(!http::loopback_origin(bad));
  }
}

TEST_CASE("secrets are the same when every byte is") {
  CHECK(http::same_secret("", ""));
  CHECK(http::same_secret("abc", "abc"));
  for (const auto& [a, b] : std::vector<std::pair<std::string, std::string>>{
           {"abc", "abd"}, {"abc", "ab"}, {"ab", "abc"}, {"", "a"}, {"a", ""}, {"abab", "ab"}}) {
    INFO(a << " " << b);
    CHECK(!http::same_secret(a, b));
  }
  CHECK(http::bears("Bearer t", "t"));
  CHECK(http::bears("bearer t", "t"));
  CHECK(!http::bears("Basic t", "t"));
  CHECK(!http::bears("Bearer ", ""));
  CHECK(!http::bears("", ""));
}

TEST_CASE("a request arrives whole and its answer goes back whole") {
  HttpRequest got;
  const Rig rig{[&](HttpRequest request, HttpRespond respond) {
    got = std::move(request);
    auto reply = json_reply(201, R"({"a":1})");
    reply.headers["X-More"] = "yes";
    respond(std::move(reply));
  }};
  Ask a;
  a.method = "POST";
  a.target = "/v1/jobs?x=1";
  a.extra = "Idempotency-Key: k\r\nRANGE: bytes=0-1\r\nX-Other: o\r\nContent-Type: text/x\r\n";
  a.body = std::string("bo\0dy", 5);
  const auto answer = ask(rig, a);
  CHECK(answer.status == 201);
  CHECK(answer.body == R"({"a":1})");
  CHECK(answer.head.find("X-More: yes") != std::string::npos);
  CHECK(answer.head.find("Content-Type: application/json") != std::string::npos);
  CHECK(got.method == "POST");
  CHECK(got.path == "/v1/jobs");
  CHECK(got.query == std::map<std::string, std::string>{{"x", "1"}});
  CHECK(got.headers == std::map<std::string, std::string>{{"idempotency-key", "k"},
                                                          {"range", "bytes=0-1"},
                                                          {"content-type", "text/x"}});
  CHECK(text_of(got.body) == a.body);
}

TEST_CASE("what is not asked for properly never reaches the handler") {
  int reached = 0;
  const Rig rig{[&](HttpRequest, HttpRespond respond) {
    ++reached;
    respond(json_reply(200, "{}"));
  }};
  const auto expect = [&](Ask a, int status, const char* code) {
    INFO(a.text());
    const auto answer = ask(rig, a);
    CHECK(answer.status == status);
    CHECK(answer.code() == code);
    CHECK(answer.json().value("status", 0) == status);
    CHECK(answer.head.find("application/problem+json") != std::string::npos);
  };
  Ask a;
  a.authorization = "";
  expect(a, 401, "E505");
  for (const char* wrong : {"Bearer s3creT", "Bearer s3cre", "Bearer s3crets", "Basic s3cret"}) {
    a.authorization = wrong;
    expect(a, 401, "E505");
  }
  a = {};
  a.host = "evil.com";
  expect(a, 403, "E506");
  a.host = "";
  expect(a, 403, "E506");
  a.host = "localhost\r\nHost: evil.com";
  expect(a, 403, "E506");
  a = {};
  a.extra = "Origin: http://evil.com\r\n";
  expect(a, 403, "E507");
  a = {};
  a.target = "/%zz";
  expect(a, 400, "E400");
  a = {};
  a.method = "PUT";
  a.body = std::string(1001, 'x');
  expect(a, 413, "E508");
  CHECK(reached == 0);

  a.body.pop_back();
  a.extra = "Origin: http://localhost:1\r\n";
  CHECK(ask(rig, a).status == 200);
  CHECK(reached == 1);
}

TEST_CASE("health needs no token, but the right host") {
  const Rig rig{says("{}")};
  Ask a;
  a.authorization = "";
  for (const char* path : {"/healthz", "/readyz"}) {
    a.target = path;
    CHECK(ask(rig, a).status == 200);
  }
  a.target = "/healthz/../v1/status";
  CHECK(ask(rig, a).status == 401);
  a.target = "/healthz";
  a.host = "evil.com";
  CHECK(ask(rig, a).status == 403);
}

TEST_CASE("a body far past the limit is cut off, and the next request is served") {
  const Rig rig{says("{}")};
  Client client{rig.port()};
  client.send("PUT /v1/blobs/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\n");
  CHECK(client.read().status == 0);
  CHECK(ask(rig, {}).status == 200);
}

TEST_CASE("garbage closes its own connection only") {
  const Rig rig{says("{}")};
  for (const char* bad :
       {"\x16\x03\x01", "GET", "GET / HTTP/x.9", "\xff\xfe", "GET / HTTP/1.1\r\nA B"}) {
    INFO(bad);
    Client client{rig.port()};
    client.send(std::string{bad} + "\r\n\r\n");
    CHECK(client.read().status == 0);
  }
  CHECK(ask(rig, {}).status == 200);
}

TEST_CASE("an answer may come later, from any thread, and counts once") {
  std::promise<HttpRespond> promise;
  const Rig rig{[&](HttpRequest, HttpRespond respond) { promise.set_value(std::move(respond)); }};
  Client client{rig.port()};
  client.send(Ask{}.text());
  const auto respond = promise.get_future().get();
  respond(json_reply(200, R"("first")"));
  respond(json_reply(200, R"("second")"));
  CHECK(client.read().body == R"("first")");
}

TEST_CASE("a handler that throws or forgets to answer is a 500, not a silence") {
  const Rig rig{[](HttpRequest request, HttpRespond) {
    if (request.path == "/throws")
      throw std::runtime_error{"x"};
  }};
  Ask a;
  for (const char* path : {"/throws", "/forgets"}) {
    a.target = path;
    const auto answer = ask(rig, a);
    CHECK(answer.status == 500);
    CHECK(answer.code() == "E306");
  }
}

TEST_CASE("requests that wait when the server closes are told so, and late answers go nowhere") {
  std::promise<HttpRespond> promise;
  Rig rig{[&](HttpRequest, HttpRespond respond) { promise.set_value(std::move(respond)); }};
  Client client{rig.port()};
  client.send(Ask{}.text());
  const auto respond = promise.get_future().get();
  rig.server().close();
  const auto answer = client.read();
  CHECK(answer.status == 503);
  CHECK(answer.code() == "E305");
  respond(json_reply(200, "{}"));
}

TEST_CASE("connections kept open are hung up on once the server is closed, or end with it") {
  Ask a;
  a.connection = "keep-alive";
  std::optional<Client> silent; // Outlives the server.
  Rig rig{says(R"("open")")};
  silent.emplace(rig.port());
  Client asks_again{rig.port()};
  for (auto* client : {&*silent, &asks_again}) {
    client->send(a.text());
    client->read_past(R"("open")");
  }
  rig.server().close();
  asks_again.send(a.text());
  const auto answer = asks_again.read(); // Until they close.
  CHECK(answer.status == 503);
  CHECK(answer.code() == "E305");
}

TEST_CASE("a large answer is the same bytes") {
  auto bytes = std::make_shared<Bytes>(std::size_t{8} << 20);
  for (std::size_t i = 0; i < bytes->size(); ++i)
    (*bytes)[i] = std::uint8_t(i * 2654435761u >> 24);
  const Rig rig{[&](HttpRequest, HttpRespond respond) {
    HttpReply reply;
    reply.content_type = "application/octet-stream";
    reply.body = bytes;
    respond(std::move(reply));
  }};
  const auto answer = ask(rig, {});
  CHECK(answer.head.find("Content-Length: 8388608") != std::string::npos);
  CHECK((view(answer.body).size() == bytes->size() &&
         std::equal(bytes->begin(), bytes->end(), view(answer.body).begin())));
}

TEST_CASE("a port in use is E303") {
  const Rig rig{says("{}")};
  asio::io_context io;
  HttpConfig config;
  config.port = rig.port();
  const auto second = serve_http(io, config, says("{}"));
  REQUIRE(!second.ok());
  CHECK(second.error().code == "E303");
  config.host = "no.such.host";
  const auto third = serve_http(io, config, says("{}"));
  REQUIRE(!third.ok());
  CHECK(third.error().code == "E303");
}

TEST_CASE("a problem carries text that is not UTF-8") {
  const auto reply = problem(404, {"E410", "job \xff", "why", "fix"}, "/v1/jobs/x");
  const auto body = nlohmann::json::parse(text_of(*reply.body));
  CHECK(body["code"] == "E410");
  CHECK(body["detail"] == "why");
  CHECK(body["fix"] == "fix");
  CHECK(body["instance"] == "/v1/jobs/x");
}

// --- In pieces

namespace {

using Give = std::function<void(std::shared_ptr<const Bytes>)>;

HttpReply streamed(std::uint64_t size, std::function<void(Give)> next) {
  HttpReply reply;
  reply.content_type = "application/octet-stream";
  reply.stream = std::make_shared<HttpReply::Stream>();
  reply.stream->size = size;
  reply.stream->next = std::move(next);
  return reply;
}

std::shared_ptr<const Bytes> piece(std::string_view text) {
  return std::make_shared<const Bytes>(to_bytes(view(text)));
}

// What the client gets of these pieces, out of so many bytes that were said; a null one is none.
Answer in_pieces(std::uint64_t size, std::vector<std::shared_ptr<const Bytes>> pieces) {
  std::vector<std::thread> others;
  Answer answer;
  {
    std::size_t given = 0;
    const Rig rig{[&](HttpRequest, HttpRespond respond) {
      respond(streamed(size, [&](Give give) {
        REQUIRE(given < pieces.size());
        others.emplace_back([give = std::move(give), p = pieces[given++]] { give(p); });
      }));
    }};
    Ask a;
    a.connection = "keep-alive"; // It is hung up on all the same, or this would wait for ever.
    Client client{rig.port()};
    client.send(a.text());
    answer = client.read();
  }
  for (auto& other : others)
    other.join();
  return answer;
}

} // namespace

TEST_CASE("an answer in pieces arrives whole, whatever thread they come from") {
  std::string all;
  std::vector<std::shared_ptr<const Bytes>> pieces;
  for (int i = 0; i < 40; ++i) {
    pieces.push_back(piece(std::string(std::size_t(1 + i * i * 97), char('a' + i % 26))));
    all += text_of(*pieces.back());
  }
  const auto answer = in_pieces(all.size(), pieces);
  CHECK(answer.status == 200);
  CHECK(answer.head.find("Content-Length: " + std::to_string(all.size())) != std::string::npos);
  CHECK(answer.head.find("Connection: close") != std::string::npos);
  CHECK(answer.head.find("Content-Type: application/octet-stream") != std::string::npos);
  CHECK((answer.body == all));
}

TEST_CASE("an answer of no bytes asks for no piece") {
  const auto answer = in_pieces(0, {});
  CHECK(answer.status == 200);
  CHECK(answer.head.find("Content-Length: 0") != std::string::npos);
  CHECK(answer.body.empty());
}

TEST_CASE("a piece that is missing, empty or too long cuts the body, and the client sees it") {
  for (const auto& bad : {std::shared_ptr<const Bytes>{}, piece(""), piece("too long")}) {
    const auto answer = in_pieces(10, {piece("first"), bad});
    CHECK(answer.head.find("Content-Length: 10") != std::string::npos);
    CHECK(answer.body == "first");
  }
}

TEST_CASE("who never says the next piece has none") {
  const Rig rig{[](HttpRequest, HttpRespond respond) {
    respond(streamed(10, [first = true](Give give) mutable {
      if (std::exchange(first, false))
        give(piece("first"));
    }));
  }};
  Client client{rig.port()};
  client.send(Ask{}.text());
  CHECK(client.read().body == "first");
}

TEST_CASE("a client that leaves lets go of whoever has the pieces") {
  struct Owner {
    std::promise<void> gone;
    ~Owner() { gone.set_value(); }
  };
  auto owner = std::make_shared<Owner>();
  auto gone = owner->gone.get_future();
  std::weak_ptr<Owner> seen = owner;
  const auto megabyte = piece(std::string(1 << 20, 'x'));
  const Rig rig{[&](HttpRequest, HttpRespond respond) {
    respond(streamed(std::uint64_t{1} << 40,
                     [megabyte, owner = std::move(owner)](Give give) { give(megabyte); }));
  }};
  {
    Client client{rig.port()};
    client.send(Ask{}.text());
    client.read_past("xxx");
    CHECK(!seen.expired());
  }
  CHECK((gone.wait_for(std::chrono::seconds(30)) == std::future_status::ready));
}

// --- Without an end, and heads alone

TEST_CASE("a body of unknown length goes out in chunks, and ends when its source does") {
  for (const bool dropped : {false, true}) { // Or its source dies with the question.
    std::size_t given = 0;
    const Rig rig{[&](HttpRequest, HttpRespond respond) {
      auto reply = streamed(0, [&, dropped](Give give) {
        if (++given <= 3)
          give(piece("piece " + std::to_string(given) + "\n"));
        else if (!dropped)
          give(nullptr);
      });
      reply.stream->size.reset();
      reply.content_type = "text/event-stream";
      respond(std::move(reply));
    }};
    const auto answer = ask(rig, {});
    CHECK(answer.status == 200);
    CHECK(answer.head.find("Transfer-Encoding: chunked") != std::string::npos);
    CHECK(answer.head.find("Content-Length") == std::string::npos);
    std::string wanted;
    for (const auto* n : {"1", "2", "3"})
      wanted += std::string{"8\r\npiece "} + n + "\n\r\n";
    CHECK(answer.body == wanted + "0\r\n\r\n");
  }
}

TEST_CASE("a client that goes away lets go of its source") {
  std::promise<void> gone;
  auto source = std::shared_ptr<int>(new int, [&](int* p) {
    delete p;
    gone.set_value();
  });
  const std::weak_ptr<int> watched = source;
  const Rig rig{[&](HttpRequest, HttpRespond respond) {
    auto reply = streamed(0, [held = std::exchange(source, nullptr)](Give give) {
      give(piece(std::string(64 * 1024, 'x'))); // More than it will ever read.
    });
    reply.stream->size.reset();
    respond(std::move(reply));
  }};
  {
    Client client{rig.port()};
    client.send(Ask{}.text());
    client.read_past("\r\n\r\n");
    CHECK_FALSE(watched.expired());
  }
  gone.get_future().wait();
  CHECK(watched.expired());
}

TEST_CASE("HEAD is answered with what GET would be, but for the body") {
  std::string method;
  const Rig rig{[&](HttpRequest request, HttpRespond respond) {
    method = request.method;
    if (request.path == "/v1/pieces")
      return respond(streamed(1000, [](Give give) { give(nullptr); }));
    auto reply = json_reply(200, "{\"a\":1}");
    if (request.path == "/v1/same")
      reply.status = 304;
    reply.headers["ETag"] = "\"tag\"";
    respond(std::move(reply));
  }};
  Ask a;
  a.method = "HEAD";
  const auto head = ask(rig, a);
  CHECK(method == "GET");
  CHECK(head.status == 200);
  CHECK(head.body.empty());
  CHECK(head.head.find("Content-Length: 7") != std::string::npos);
  CHECK(head.head.find("ETag: \"tag\"") != std::string::npos);
  a.target = "/v1/pieces";
  CHECK(ask(rig, a).head.find("Content-Length: 1000") != std::string::npos);
  a.method = "GET";
  a.target = "/v1/same";
  const auto same = ask(rig, a);
  CHECK(same.status == 304);
  CHECK(same.body.empty());
}
