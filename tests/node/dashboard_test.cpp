#include "node/dashboard/page.hpp"

#include "node/http/server.hpp"

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <doctest/doctest.h>
#include <httplib.h>

#include <regex>
#include <set>
#include <thread>

using namespace tessera;

namespace {

std::string text_at(const std::string& path) {
  const auto reply = dashboard::page(path);
  return reply ? std::string(text_of(*reply->body)) : "";
}

// A server with the page, and a handler that answers everything else.
struct Rig {
  Rig() {
    HttpConfig config;
    config.token = "t0ken";
    config.open_page = dashboard::page;
    auto made = serve_http(io, config, [](const HttpRequest&, const HttpRespond& respond) {
      respond(json_reply(200, "{}"));
    });
    REQUIRE(made.ok());
    server = std::move(*made);
    client.emplace("127.0.0.1", server->port());
  }
  ~Rig() {
    server->close();
    io.stop();
    thread.join();
  }
  int status(const std::string& method, const httplib::Headers& headers,
             const std::string& path = "/") {
    httplib::Request request;
    request.method = method;
    request.path = path;
    request.headers = headers;
    const auto result = client->send(request);
    return result ? result->status : 0;
  }

  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  std::unique_ptr<HttpServer> server;
  std::optional<httplib::Client> client;
  std::thread thread{[this] { io.run(); }};
};

} // namespace

TEST_CASE("the page, its styles and its scripts are served, and nothing else") {
  CHECK(dashboard::page("/")->content_type == "text/html; charset=utf-8");
  CHECK(dashboard::page("/dashboard.css")->content_type == "text/css; charset=utf-8");
  CHECK(dashboard::page("/main.js")->content_type == "text/javascript; charset=utf-8");
  CHECK(dashboard::page("/icon.svg")->content_type == "image/svg+xml");
  for (const auto* path :
       {"", "/index.html", "/page.cpp", "/page.hpp", "//", "/../token", "/v1/status"})
    CHECK_FALSE(dashboard::page(path));
}

TEST_CASE("everything that the page and its scripts load is there") {
  const std::regex loads{R"re((?:(?:src|href)="(/[^"]+)"|from "\./([^"]+)"))re"};
  std::set<std::string> seen;
  for (const auto& file : dashboard::page_files()) {
    const std::string text{file.text};
    for (std::sregex_iterator it{text.begin(), text.end(), loads}, end; it != end; ++it) {
      const auto path = (*it)[1].matched ? (*it)[1].str() : "/" + (*it)[2].str();
      INFO(file.path << " loads " << path);
      CHECK(dashboard::page(path));
      seen.insert(path);
    }
  }
  CHECK(seen.size() > 20);
}

TEST_CASE("no markup of the page holds what its policy forbids") {
  const auto html = text_at("/");
  REQUIRE(html.find("<script type=\"module\" src=\"/main.js\">") != html.npos);
  CHECK_FALSE(std::regex_search(
      html,
      std::regex{R"(<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:|https?://)"}));
  for (const auto& file : dashboard::page_files())
    if (file.path.ends_with(".js")) {
      INFO(file.path);
      const std::string text{file.text};
      CHECK_FALSE(std::regex_search(
          text,
          std::regex{
              R"(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|setAttribute\("style")"}));
    }
}

TEST_CASE(
    "the page may load from its own server only, runs no inline script, and stands in no frame") {
  for (const auto& file : dashboard::page_files()) {
    const auto path = file.path == "index.html" ? "/" : "/" + std::string{file.path};
    const auto reply = dashboard::page(path);
    REQUIRE(reply);
    const auto policy = reply->headers.at("Content-Security-Policy");
    for (const auto* rule : {"default-src 'none'", "script-src 'self';", "style-src 'self';",
                             "connect-src 'self';", "frame-ancestors 'none'", "base-uri 'none'"})
      CHECK(policy.find(rule) != policy.npos);
    CHECK(policy.find("unsafe") == policy.npos);
    CHECK(reply->headers.at("X-Frame-Options") == "DENY");
    CHECK(reply->headers.at("Referrer-Policy") == "no-referrer");
  }
}

TEST_CASE("the page wants no token, all else does, and neither takes a foreign host or origin") {
  Rig rig;
  const auto own = "127.0.0.1:" + std::to_string(rig.server->port());
  CHECK(rig.status("GET", {}) == 200);
  CHECK(rig.status("GET", {}, "/main.js?v=1") == 200);
  CHECK(rig.status("POST", {}) == 401);
  CHECK(rig.status("GET", {}, "/v1/status") == 401);
  CHECK(rig.status("GET", {}, "/index.html") == 401);
  CHECK(rig.status("GET", {{"Host", "rebound.example"}}) == 403);
  CHECK(rig.status("GET", {{"Origin", "https://elsewhere.example"}}) == 403);
  const httplib::Headers token{{"Authorization", "Bearer t0ken"}};
  auto ours = token, foreign = token, sandboxed = token;
  ours.emplace("Origin", "http://" + own);
  foreign.emplace("Origin", "https://elsewhere.example");
  sandboxed.emplace("Origin", "null");
  CHECK(rig.status("POST", ours, "/v1/jobs") == 200);
  CHECK(rig.status("POST", foreign, "/v1/jobs") == 403);
  CHECK(rig.status("POST", sandboxed, "/v1/jobs") == 403);
}

TEST_CASE("a page is told as what it is, and is not kept") {
  Rig rig;
  const auto result = rig.client->Get("/");
  REQUIRE(result);
  CHECK(result->body == text_at("/"));
  CHECK(result->get_header_value("Cache-Control") == "no-store");
  CHECK(result->get_header_value("X-Content-Type-Options") == "nosniff");
  CHECK(result->get_header_value("Content-Type") == "text/html; charset=utf-8");
}
