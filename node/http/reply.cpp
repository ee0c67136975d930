#include "node/http/server.hpp"

#include <nlohmann/json.hpp>

namespace tessera {

namespace {

HttpReply with_body(int status, std::string type, std::string_view body) {
  HttpReply reply;
  reply.status = status;
  reply.content_type = std::move(type);
  reply.body = std::make_shared<const Bytes>(to_bytes(view(body)));
  return reply;
}

} // namespace

HttpReply problem(int status, const Error& error, const std::string& instance) {
  const nlohmann::json body{
      {"type", "urn:tessera:error:" + error.code},
      {"title", error.what},
      {"status", status},
      {"detail", error.why},
      {"instance", instance},
      {"code", error.code},
      {"fix", error.fix},
  };
  // What a person typed may come back in an error, and need not be UTF-8.
  return with_body(status, "application/problem+json",
                   body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

HttpReply json_reply(int status, std::string body) {
  return with_body(status, "application/json", body);
}

} // namespace tessera
