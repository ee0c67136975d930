#pragma once

#include <span>
#include <string_view>

// The API's description, OpenAPI 3.1, as GET /v1/openapi.json gives it: node/http/openapi.json,
// carried in the program. Written by hand, so that it can be read, and checked against the routes
// and real answers by tests.
namespace tessera::http {

struct ApiFile {
  std::string_view path, text;
};

std::span<const ApiFile> api_files(); // Made by cmake/Embed.cmake: the one.

} // namespace tessera::http
