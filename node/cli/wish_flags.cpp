#include "node/cli/wish_flags.hpp"

#include "node/cli/failed.hpp"
#include "node/cli/settings.hpp"

#include <charconv>

namespace tessera::cli {
namespace {

Failed bad(const std::string& flag, const std::string& said, const std::string& wanted,
           const std::string& example) {
  return usage(flag + " cannot be \"" + said + "\"", "wanted is " + wanted,
               "for instance: " + flag + " " + example);
}

int priority_of(const std::string& text) {
  int n = 0;
  const auto digits = text.starts_with('+') ? text.substr(1) : text;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  if (error != std::errc{} || end != digits.data() + digits.size() || n < priority_min ||
      n > priority_max)
    throw bad("--priority", text, "a whole number from -10 to 10; higher goes first", "5");
  return n;
}

std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const auto comma = std::min(text.find(',', at), text.size());
    parts.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

void take_require(const std::string& text, Require& to) {
  for (const auto& part : parts_of(text)) {
    const auto equals = part.find('=');
    const auto name = part.substr(0, equals);
    const auto value = equals == part.npos ? "" : part.substr(equals + 1);
    if (name == "memory" && parse_size(value).value_or(0) > 0)
      to.memory_bytes = *parse_size(value);
    else if (name == "arch" && !arch_of(value).empty())
      to.arch = arch_of(value);
    else
      throw bad("--require", text, "memory=SIZE, arch=NAME, or both", "memory=4G,arch=x86_64");
  }
}

} // namespace

void WishFlags::add(CLI::App& verb, Wishing& to) {
  verb.add_option("--priority", priority, "From -10 to 10; higher goes first (default: 0)")
      ->type_name("N");
  verb.add_option("--require", require,
                  "What a node must have to run it: memory=SIZE of a worker, arch=x86_64")
      ->type_name("WHAT");
  verb.add_option("--ttl", ttl, "Fail unless it is done within 90s, 30m, 2h or 1d")
      ->type_name("TIME");
  verb.add_flag("--wait-for-peers", to.wait_for_peers,
                "Take the job though no known node has what it requires");
  verb.add_option("--idempotency-key", to.idempotency_key,
                  "The same key and job again within 24 h is the same submission")
      ->type_name("KEY");
}

void WishFlags::take(Wishing& to) const {
  if (!priority.empty())
    to.priority = priority_of(priority);
  if (!require.empty())
    take_require(require, to.require);
  if (ttl.empty())
    return;
  to.ttl = parse_time(ttl);
  if (!to.ttl || *to.ttl < std::chrono::seconds(1) || *to.ttl > std::chrono::hours(24 * 366))
    throw bad("--ttl", ttl, "a time such as 90s, 30m, 2h or 1d, of a year at most", "2h");
}

void wishes_into(const Wishing& wishing, nlohmann::json& body) {
  if (wishing.priority != 0)
    body["priority"] = wishing.priority;
  if (wishing.require.memory_bytes > 0)
    body["require"]["memory"] = wishing.require.memory_bytes;
  if (!wishing.require.arch.empty())
    body["require"]["arch"] = wishing.require.arch;
  if (wishing.ttl)
    body["ttl"] = wishing.ttl->count();
  if (wishing.wait_for_peers)
    body["wait_for_peers"] = true;
}

} // namespace tessera::cli
