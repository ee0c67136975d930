#include "node/wishes.hpp"

namespace tessera {
namespace {

using Json = nlohmann::json;

const Json* said(const Json& body, const char* key) {
  const auto it = body.find(key);
  return it == body.end() || it->is_null() ? nullptr : &*it;
}

Error bad(const char* what, std::string why, const char* fix) {
  return {"E461", std::string{what} + " is not possible", std::move(why), fix};
}

// Also what is larger than an int64 is out of range.
std::optional<std::int64_t> whole(const Json& value, std::int64_t least, std::int64_t most) {
  if (!value.is_number_integer())
    return std::nullopt;
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t(INT64_MAX))
    return std::nullopt;
  const auto n = value.get<std::int64_t>();
  return n < least || n > most ? std::nullopt : std::optional{n};
}

Status take_require(const Json& require, Wishes& wishes) {
  const Error unreadable = bad("this require", "wanted is {\"memory\": BYTES, \"arch\": NAME}",
                               "for instance: --require memory=4G,arch=x86_64");
  if (!require.is_object())
    return unreadable;
  for (const auto& [key, value] : require.items()) {
    if (value.is_null())
      continue;
    if (key == "memory" && whole(value, 1, INT64_MAX))
      wishes.require.memory_bytes = value.get<std::uint64_t>();
    else if (key == "arch" && value.is_string() && !arch_of(value.get<std::string>()).empty())
      wishes.require.arch = arch_of(value.get<std::string>());
    else
      return unreadable;
  }
  return Nothing{};
}

} // namespace

Result<Wishes> wishes_of(const Json& body) {
  Wishes wishes;
  if (const auto* priority = said(body, "priority")) {
    const auto n = whole(*priority, priority_min, priority_max);
    if (!n)
      return bad("this priority", "it is a whole number from -10 to 10", "give another --priority");
    wishes.priority = std::int8_t(*n);
  }
  if (const auto* ttl = said(body, "ttl")) {
    const auto n = whole(*ttl, 1, ttl_max.count());
    if (!n)
      return bad("this ttl", "it is a whole number of seconds, from 1 to 31622400",
                 "for instance: --ttl 2h");
    wishes.ttl = std::chrono::seconds(*n);
  }
  if (const auto* wait = said(body, "wait_for_peers")) {
    if (!wait->is_boolean())
      return bad("this wait_for_peers", "it is true or false", "leave it out");
    wishes.wait_for_peers = wait->get<bool>();
  }
  if (const auto* require = said(body, "require"))
    if (auto taken = take_require(*require, wishes); !taken)
      return taken.error();
  return wishes;
}

void apply(const Wishes& wishes, JobSpec& spec) {
  spec.priority = wishes.priority;
  spec.require = wishes.require;
  if (wishes.ttl)
    spec.deadline_ms = spec.submitted_ms + std::chrono::milliseconds(*wishes.ttl).count();
}

} // namespace tessera
