#include "node/api_routes.hpp"

#include "node/http/openapi.hpp"

namespace tessera::api {

namespace {

bool asks_mesh(const HttpRequest& request) {
  const auto mesh = request.query.find("mesh");
  return mesh != request.query.end() && mesh->second == "1";
}

void describe(const Caller& caller) {
  caller.respond(json_reply(200, std::string{http::api_files().front().text}));
}

void submit_once(Self self, const HttpRequest& request, const Caller& caller) {
  if (const auto whom = once(self, request, caller))
    submit(self, request, *whom);
}

// What stands behind /v1/jobs/ of a call on one job.
void on_job(Self self, const Call& call) {
  constexpr std::string_view folder = "/v1/jobs/";
  one_job(self, call.request.path.substr(folder.size()), call.request, call.caller);
}

} // namespace

const std::vector<Route>& routes() {
  static const std::vector<Route> all{
      {"GET", "/healthz", [](Self self, const Call& c) { send_health(self, c.caller); }},
      {"GET", "/readyz", [](Self self, const Call& c) { send_readiness(self, c.caller); }},
      {"GET", "/metrics", [](Self self, const Call& c) { send_metrics(self, c.caller); }},
      {"GET", "/v1/openapi.json", [](Self, const Call& c) { describe(c.caller); }},
      {"GET", "/v1/status", [](Self self, const Call& c) { send_status(self, c.caller); }},
      {"GET", "/v1/limits", [](Self self, const Call& c) { send_limits(self, c.caller); }},
      {"GET", "/v1/invite", [](Self self, const Call& c) { invite(self, c.caller); }},
      {"GET", "/v1/peers", [](Self self, const Call& c) { send_peers(self, c.caller); }},
      {"GET", "/v1/kernels", [](Self self, const Call& c) { list_kernels(self, c.caller); }},
      {"GET", "/v1/events", [](Self self, const Call& c) { events(self, c.request, c.caller); }},
      {"POST", "/v1/stop", [](Self self, const Call& c) { stop(self, c.caller); }},
      {"POST", "/v1/pause", [](Self self, const Call& c) { pause(self, c.request, c.caller); }},
      {"POST", "/v1/resume",
       [](Self self, const Call& c) {
         set_pause(self, {true, {}}, c.caller);
       }},
      {"GET", "/v1/usage", [](Self self, const Call& c) { send_usage(self, c.caller); }},
      {"POST", "/v1/jobs",
       [](Self self, const Call& c) { submit_once(self, c.request, c.caller); }},
      {"GET", "/v1/jobs",
       [](Self self, const Call& c) { list_jobs(self, asks_mesh(c.request), c.caller); }},
      {"GET", "/v1/jobs/{job}", on_job},
      {"DELETE", "/v1/jobs/{job}", on_job},
      {"GET", "/v1/jobs/{job}/result", on_job},
      {"GET", "/v1/jobs/{job}/why", on_job},
      {"GET", "/v1/jobs/{job}/log", on_job},
      {"GET", "/v1/jobs/{job}/preview", on_job},
      {"POST", "/v1/jobs/{job}/cancel", on_job},
      {"PUT", "/v1/blobs/{hash}",
       [](Self self, const Call& c) { put_blob(self, c.name, c.request, c.caller); }},
      {"GET", "/v1/blobs/{hash}",
       [](Self self, const Call& c) { get_blob(self, c.name, c.request, c.caller); }},
  };
  return all;
}

std::optional<std::string> name_in(std::string_view path, std::string_view pattern) {
  const auto open = pattern.find('{');
  if (open == pattern.npos)
    return path == pattern ? std::optional{std::string{}} : std::nullopt;
  const auto before = pattern.substr(0, open), after = pattern.substr(pattern.find('}') + 1);
  if (path.size() < before.size() + after.size() || !path.starts_with(before) ||
      !path.ends_with(after))
    return std::nullopt;
  const auto name = path.substr(before.size(), path.size() - before.size() - after.size());
  if (name.empty() && after.empty())
    return std::nullopt;
  return name.find('/') == name.npos ? std::optional{std::string{name}} : std::nullopt;
}

Found find_route(std::string_view method, std::string_view path) {
  Found found;
  for (const auto& route : routes()) {
    const auto name = name_in(path, route.path);
    if (!name)
      continue;
    found.allow += (found.allow.empty() ? "" : ", ") + std::string{route.method};
    found.allow += route.method == "GET" ? ", HEAD" : "";
    if (route.method == method)
      found.route = &route, found.name = *name;
  }
  return found;
}

} // namespace tessera::api
