#pragma once

#include "node/api_shell.hpp"

#include <string_view>
#include <vector>

// Which call is which: the one table of methods and paths. node/http/openapi.json describes the
// same; a test compares them.
namespace tessera::api {

struct Call {
  HttpRequest& request;
  const Caller& caller;
  std::string name; // What stands where the path has {...}.
};
struct Route {
  std::string_view method, path; // "/v1/jobs/{job}/result"
  void (*answer)(Self, const Call&);
};
const std::vector<Route>& routes();

// Nothing: another path. Else what stands where it has {...}, which may be nothing, too.
std::optional<std::string> name_in(std::string_view path, std::string_view pattern);

struct Found {
  const Route* route = nullptr; // Null: no such path, or not with this method:
  std::string name, allow;      // "GET, HEAD, PUT"
};
Found find_route(std::string_view method, std::string_view path);

} // namespace tessera::api
