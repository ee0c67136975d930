#include "node/cli/units.hpp"

#include "node/cli/cli.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>

namespace tessera::cli {

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (bad != std::errc{} || end != text.data() + text.size())
    return {};
  return number;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_number(text.substr(0, digits));
  auto unit = std::string{text.substr(digits)};
  for (auto& c : unit)
    c = c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c;
  if (!number)
    return {};
  const std::string_view letters = "KMGT";
  const auto letter = unit.empty() ? letters.npos : letters.find(unit[0]);
  const auto tail = letter == letters.npos ? unit : unit.substr(1);
  if (!(tail.empty() || tail == "B" || (tail == "IB" && letter != letters.npos)))
    return {};
  const unsigned shift = letter == letters.npos ? 0 : 10 * unsigned(letter + 1);
  if (*number > std::numeric_limits<std::uint64_t>::max() >> shift)
    return {};
  return *number << shift;
}

std::optional<std::uint64_t> parse_rate(std::string_view text) {
  if (text.ends_with("/s"))
    text.remove_suffix(2);
  return parse_size(text);
}

std::optional<std::uint32_t> parse_percent(std::string_view text) {
  if (text.ends_with('%'))
    text.remove_suffix(1);
  const auto number = parse_number(text);
  return number && *number <= 100 ? std::optional{std::uint32_t(*number)} : std::nullopt;
}

std::optional<std::chrono::seconds> parse_time(std::string_view text) {
  static const std::map<std::string_view, std::int64_t> units{
      {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 24 * 3600}};
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_number(text.substr(0, digits));
  const auto unit = units.find(text.substr(digits));
  if (!number || unit == units.end() || *number > std::uint64_t(INT64_MAX / unit->second))
    return {};
  return std::chrono::seconds(std::int64_t(*number) * unit->second);
}

std::optional<Address> parse_address(std::string_view text, const std::string& default_host) {
  const bool bracketed = text.starts_with('[');
  const auto close = text.find(']');
  if (bracketed && close == text.npos)
    return {};
  auto host = bracketed ? text.substr(1, close - 1) : text.substr(0, text.find(':'));
  auto rest = bracketed ? text.substr(close + 1) : text.substr(host.size());
  Address out{host.empty() ? default_host : std::string{host}, default_port};
  if (rest.empty())
    return out.host.empty() ? std::nullopt : std::optional{out};
  const auto port = rest[0] == ':' ? parse_number(rest.substr(1)) : std::nullopt;
  if (!port || *port > 65535)
    return {};
  out.port = std::uint16_t(*port);
  return out;
}

} // namespace tessera::cli
