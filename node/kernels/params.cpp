#include "node/kernels/kernel.hpp"
#include "node/kernels/nearest.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace tessera {
namespace {

using Json = nlohmann::json; // Its objects are sorted.

constexpr std::size_t text_bytes_max = 4096;
constexpr std::size_t params_bytes_max = 64 * 1024;

std::vector<std::string> names_of(const KernelInfo& info) {
  std::vector<std::string> names;
  for (const auto& spec : info.params)
    names.push_back(spec.name);
  return names;
}

std::string joined(const std::vector<std::string>& words) {
  std::string line;
  for (const auto& word : words)
    line += (line.empty() ? "" : ", ") + word;
  return line;
}

std::string number_text(double v) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, v).ptr;
  return {text, end};
}

// What a person typed, cut to what fits a line, without what would disturb a terminal.
std::string shown(const std::string& typed) {
  auto text = typed.substr(0, 40);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return std::uint8_t(c) < 0x20 || c == 0x7f; }, '?');
  return text + (typed.size() > 40 ? "..." : "");
}

Error unknown_param(const KernelInfo& info, const std::string& name) {
  const auto names = names_of(info);
  const auto near = nearest(name, names);
  return {"E420", info.name + " has no parameter " + shown(name),
          names.empty() ? "it has none" : "it has " + joined(names),
          near.empty() ? "see: tessera kernels" : "did you mean " + near + "?"};
}

std::string wanted(const ParamSpec& spec) {
  if (std::holds_alternative<std::string>(spec.fallback))
    return spec.choices.empty() ? "it takes a text of at most 4096 bytes of UTF-8"
                                : "it takes one of " + joined(spec.choices);
  if (std::holds_alternative<std::int64_t>(spec.fallback))
    return "it takes a whole number from " + std::to_string(std::int64_t(spec.min)) + " to " +
           std::to_string(std::int64_t(spec.max));
  return "it takes a number from " + number_text(spec.min) + " to " + number_text(spec.max);
}

std::string fallback_text(const ParamSpec& spec) {
  if (const auto* whole = std::get_if<std::int64_t>(&spec.fallback))
    return std::to_string(*whole);
  if (const auto* real = std::get_if<double>(&spec.fallback))
    return number_text(*real);
  return std::get<std::string>(spec.fallback);
}

Error bad_value(const KernelInfo& info, const ParamSpec& spec, const std::string& value) {
  const auto near = nearest(value, spec.choices);
  return {"E420", info.name + " cannot take " + spec.name + "=" + shown(value), wanted(spec),
          near.empty() ? "for example: -p " + spec.name + "=" + fallback_text(spec)
                       : "did you mean " + near + "?"};
}

bool is_utf8(const std::string& text) {
  try {
    (void)Json(text).dump();
    return true;
  } catch (const Json::type_error&) {
    return false;
  }
}

bool fits(const ParamSpec& spec, const ParamValue& value) {
  if (value.index() != spec.fallback.index())
    return false;
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (spec.choices.empty())
      return text->size() <= text_bytes_max && is_utf8(*text);
    return std::find(spec.choices.begin(), spec.choices.end(), *text) != spec.choices.end();
  }
  const auto* whole = std::get_if<std::int64_t>(&value);
  const auto v = whole ? double(*whole) : std::get<double>(value);
  return std::isfinite(v) && v >= spec.min && v <= spec.max;
}

template<class Number>
std::optional<ParamValue> number_of(const std::string& text) {
  Number n{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return n;
}

std::optional<ParamValue> value_of(const ParamSpec& spec, const std::string& text) {
  if (std::holds_alternative<std::int64_t>(spec.fallback))
    return number_of<std::int64_t>(text);
  if (std::holds_alternative<double>(spec.fallback))
    return number_of<double>(text);
  return text;
}

std::optional<ParamValue> value_of(const Json& json) {
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > INT64_MAX)
    return std::nullopt;
  if (json.is_number_integer())
    return json.get<std::int64_t>();
  if (json.is_number_float())
    return json.get<double>();
  if (json.is_string())
    return json.get<std::string>();
  return std::nullopt;
}

Error bad_spec(const KernelInfo& info, const std::string& why) {
  return {"E420", "the job's parameters for " + info.name + " cannot be read", why,
          "the submitter may run another version; submit again from this one"};
}

} // namespace

Result<Params> check_params(const KernelInfo& info,
                            const std::map<std::string, std::string>& given) {
  const auto names = names_of(info);
  for (const auto& [name, value] : given)
    if (std::find(names.begin(), names.end(), name) == names.end())
      return unknown_param(info, name);
  Params params;
  for (const auto& spec : info.params) {
    const auto it = given.find(spec.name);
    const auto value = it == given.end() ? spec.fallback : value_of(spec, it->second);
    if (!value || !fits(spec, *value))
      return bad_value(info, spec, it == given.end() ? fallback_text(spec) : it->second);
    params.emplace(spec.name, *value);
  }
  return params;
}

Bytes encode_params(const Params& params) {
  auto json = Json::object();
  for (const auto& [name, value] : params)
    std::visit([&, &name = name](const auto& v) { json[name] = v; }, value);
  return to_bytes(view(json.dump()));
}

Result<Params> decode_params(const KernelInfo& info, ByteView bytes) {
  if (bytes.size() > params_bytes_max)
    return bad_spec(info, "they are longer than 65536 bytes");
  const auto json = Json::parse(bytes.begin(), bytes.end(), nullptr, false);
  if (!json.is_object())
    return bad_spec(info, "they are not a JSON object");
  Params params;
  for (const auto& spec : info.params) {
    const auto it = json.find(spec.name);
    if (it == json.end())
      return bad_spec(info, spec.name + " is missing");
    const auto value = value_of(*it);
    if (!value || !fits(spec, *value))
      return bad_spec(info, spec.name + " does not fit: " + wanted(spec));
    params.emplace(spec.name, *value);
  }
  // One job, one spelling: what we would write ourselves, or nothing.
  if (encode_params(params) != to_bytes(bytes))
    return bad_spec(info, "they are not in canonical form, or name what " + info.name + " lacks");
  return params;
}

} // namespace tessera
