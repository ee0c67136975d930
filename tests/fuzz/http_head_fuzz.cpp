#include "node/http/gate.hpp"
#include "tests/fuzz/input.hpp"

// What a request brings before its body: target, Host, Origin, Authorization. Input: which of the
// four, then its text.
namespace {

using namespace tessera;
using fuzz::must;

std::string escaped(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char c : text)
    out += {'%', digits[std::uint8_t(c) >> 4], digits[std::uint8_t(c) & 15]};
  return out;
}

// As it may be written, too.
std::string written(const http::Target& target) {
  std::string text = "/" + escaped(std::string_view{target.path}.substr(1));
  char mark = '?';
  for (const auto& [name, value] : target.query) {
    text += mark + escaped(name) + "=" + escaped(value);
    mark = '&';
  }
  return text;
}

void check_target(std::string_view text) {
  const auto target = http::parse_target(text);
  if (!target)
    return;
  must(target->path.starts_with('/') && target->path.find('\0') == std::string::npos);
  must(target->path.size() <= text.size());
  for (const auto& [name, value] : target->query)
    must(!name.empty() && (name + value).find('\0') == std::string::npos);
  const auto again = http::parse_target(written(*target));
  must(again && again->path == target->path && again->query == target->query);
}

// A name that a browser might resolve elsewhere has other characters, or more of them.
void check_host(std::string_view host) {
  if (!http::loopback_host(host))
    return;
  must(host.size() <= std::string_view{"127.255.255.255:65535"}.size());
  must(host.find_first_not_of("0123456789.:[]localhostLOCALHOST") == host.npos);
}

void check_origin(std::string_view origin) {
  if (!http::loopback_origin(origin))
    return;
  const auto slashes = origin.find("//");
  must(slashes == 5 || slashes == 6);
  must(http::loopback_host(origin.substr(slashes + 2)));
}

void check_authorization(std::string_view text) {
  const std::string token = "0123456789abcdef";
  must(http::bears(text, token) == (text.size() == 7 + token.size() && text.ends_with(token) &&
                                    http::bears(std::string{text.substr(0, 7)} + token, token)));
  must(!http::bears(text, ""));
}

constexpr std::array checks{check_target, check_host, check_origin, check_authorization};

} // namespace

std::vector<Bytes> tessera::fuzz::seeds() {
  return {seed({0}, "/v1/status"),
          seed({0}, "/v1/jobs/a%20b?wait=5&x=%26+y&&flag#part"),
          seed({0}, "/v1/blobs/%2F%3f?a=b=c"),
          seed({1}, "localhost"),
          seed({1}, "127.0.0.1:7701"),
          seed({1}, "[::1]:65535"),
          seed({2}, "http://localhost:3000"),
          seed({2}, "https://[::1]:80"),
          seed({3}, "Bearer 0123456789abcdef")};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{{data, size}};
  const auto check = checks[input.byte() % checks.size()];
  check(text_of(input.rest));
  return 0;
}
