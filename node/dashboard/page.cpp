#include "node/dashboard/page.hpp"

#include <map>

namespace tessera::dashboard {

namespace {

constexpr auto policy = "default-src 'none'; script-src 'self'; style-src 'self'; "
                        "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; "
                        "form-action 'none'; frame-ancestors 'none'";

std::string type_of(std::string_view path) {
  const auto ending = path.substr(std::min(path.size(), path.rfind('.')));
  return ending == ".html"  ? "text/html; charset=utf-8"
         : ending == ".css" ? "text/css; charset=utf-8"
         : ending == ".js"  ? "text/javascript; charset=utf-8"
                            : "image/svg+xml";
}

HttpReply reply_of(const PageFile& file) {
  HttpReply reply;
  reply.content_type = type_of(file.path);
  reply.headers = {{"Content-Security-Policy", policy},
                   {"X-Frame-Options", "DENY"},
                   {"Referrer-Policy", "no-referrer"},
                   {"Cross-Origin-Opener-Policy", "same-origin"},
                   {"Cross-Origin-Resource-Policy", "same-origin"}};
  reply.body = std::make_shared<const Bytes>(to_bytes(view(file.text)));
  return reply;
}

std::map<std::string, HttpReply, std::less<>> replies() {
  std::map<std::string, HttpReply, std::less<>> all;
  for (const auto& file : page_files())
    all["/" + std::string{file.path == "index.html" ? "" : file.path}] = reply_of(file);
  return all;
}

} // namespace

std::optional<HttpReply> page(const std::string& path) {
  static const auto all = replies();
  const auto it = all.find(path);
  return it == all.end() ? std::nullopt : std::optional{it->second};
}

} // namespace tessera::dashboard
