#include "node/http/gate.hpp"

#include <asio/ip/address.hpp>

#include <cstdint>

namespace tessera::http {

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
  std::string out{text};
  for (auto& c : out)
    c = lower(c);
  return out;
}

int hex_digit(char c) {
  c = lower(c);
  if (c >= '0' && c <= '9')
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::optional<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (text.size() - i < 3 || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0)
        return {};
      c = char(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (c == '\0')
      return {};
    out += c;
  }
  return out;
}

bool add_pair(std::string_view pair, std::map<std::string, std::string>& query) {
  const auto equals = pair.find('=');
  const auto name = decode(pair.substr(0, equals), true);
  const auto value = decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1), true);
  if (!name || !value)
    return false;
  if (!name->empty())
    query[*name] = *value;
  return true;
}

bool is_port(std::string_view text) {
  for (const char c : text)
    if (c < '0' || c > '9')
      return false;
  return !text.empty() && text.size() <= 5;
}

} // namespace

std::optional<Target> parse_target(std::string_view target) {
  target = target.substr(0, target.find('#'));
  const auto mark = target.find('?');
  auto path = decode(target.substr(0, mark), false);
  if (!path || !path->starts_with('/'))
    return {};
  Target out{std::move(*path), {}};
  auto rest = mark == std::string_view::npos ? "" : target.substr(mark + 1);
  while (!rest.empty()) {
    const auto end = rest.find('&');
    if (!add_pair(rest.substr(0, end), out.query))
      return {};
    rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
  }
  return out;
}

bool loopback_host(std::string_view host) {
  const auto name_end = host.starts_with('[') ? host.find(']') : host.find(':');
  auto name = host.substr(0, name_end);
  auto rest = name_end == std::string_view::npos ? "" : host.substr(name_end);
  if (rest.starts_with(']')) {
    name.remove_prefix(1);
    rest.remove_prefix(1);
    if (name != "::1")
      return false;
  } else if (name.starts_with('[')) {
    return false;
  }
  if (!rest.empty() && (rest[0] != ':' || !is_port(rest.substr(1))))
    return false;
  if (lower(name) == "localhost" || name == "::1")
    return true;
  if (name.find('\0') != name.npos) // Asio would read no further.
    return false;
  asio::error_code bad;
  const auto address = asio::ip::make_address_v4(std::string{name}, bad);
  return !bad && address.is_loopback();
}

bool loopback_origin(std::string_view origin) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (lower(origin.substr(0, scheme.size())) == scheme)
      return loopback_host(origin.substr(scheme.size()));
  return false;
}

bool same_secret(std::string_view a, std::string_view b) {
  unsigned difference = a.size() != b.size();
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<std::uint8_t>(a[i]) ^
                  static_cast<std::uint8_t>(b.empty() ? 0 : b[i % b.size()]);
  return difference == 0;
}

bool bears(std::string_view authorization, std::string_view token) {
  constexpr std::string_view scheme = "bearer ";
  if (token.empty() || lower(authorization.substr(0, scheme.size())) != scheme)
    return false;
  return same_secret(authorization.substr(scheme.size()), token);
}

} // namespace tessera::http
