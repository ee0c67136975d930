#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

// What the server asks of a request before anybody looks at its meaning. A page in a browser can
// reach loopback too: its Host (DNS rebinding) or Origin (another site's script) gives it away.
namespace tessera::http {

struct Target {
  std::string path;
  std::map<std::string, std::string> query;
};

// "/v1/jobs/a%20b?wait=5". Nothing: no leading slash, a bad escape, a NUL.
std::optional<Target> parse_target(std::string_view target);

bool loopback_host(std::string_view host);     // "localhost:7701", "127.0.0.1", "[::1]:80".
bool loopback_origin(std::string_view origin); // "http://localhost:3000"; not "null".

// In a time that depends on the lengths alone.
bool same_secret(std::string_view a, std::string_view b);

// The value of an Authorization header is "Bearer " and the token, which is never empty.
bool bears(std::string_view authorization, std::string_view token);

} // namespace tessera::http
