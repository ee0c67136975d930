#include "node/cli/settings.hpp"

#include "node/cli/failed.hpp"
#include "node/kernels/nearest.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <unistd.h>

namespace tessera::cli {

namespace fs = std::filesystem;

const std::vector<std::string> setting_names{"api_port", "blob_quota", "join", "limits_wasm",
                                             "listen",   "memory",     "name", "open",
                                             "seed",     "slots"};

namespace {

constexpr std::size_t name_bytes_max = 64;
constexpr std::uint64_t slots_max = 1024;
constexpr std::uint64_t memory_bytes_min = std::uint64_t{16} << 20;

Failed bad_file(const fs::path& file, std::string why) {
  return {Exit::usage,
          {"E431", "cannot read the settings in " + file.string(), std::move(why),
           "correct it; it holds lines like: slots = 2"}};
}

Failed unknown_key(const fs::path& file, const std::string& key) {
  const auto near = nearest(key, setting_names);
  std::string known;
  for (const auto& name : setting_names)
    known += (known.empty() ? "" : ", ") + name;
  return {Exit::usage,
          {"E430", "unknown setting \"" + key + "\" in " + file.string(), "known are: " + known,
           near.empty() ? "remove it" : "did you mean " + near + "?"}};
}

std::string scalar(const toml::node& node, const fs::path& file, const std::string& key) {
  if (const auto* text = node.as_string())
    return text->get();
  if (const auto* number = node.as_integer())
    return std::to_string(number->get());
  if (const auto* flag = node.as_boolean())
    return flag->get() ? "true" : "false";
  throw bad_file(file, key + " is neither text, a whole number, nor true or false");
}

std::vector<std::string> values(const toml::node& node, const fs::path& file,
                                const std::string& key) {
  const auto* list = node.as_array();
  if (!list)
    return {scalar(node, file, key)};
  if (key != "seed")
    throw bad_file(file, key + " takes one value, not a list");
  std::vector<std::string> out;
  for (const auto& each : *list)
    out.push_back(scalar(each, file, key));
  return out;
}

// What stands in a table [limits] as wasm is the setting limits_wasm.
void take(Settings& out, const toml::table& table, const std::string& above, const fs::path& file) {
  for (const auto& [key, node] : table) {
    const auto name = above + std::string{key.str()};
    const bool known =
        std::find(setting_names.begin(), setting_names.end(), name) != setting_names.end();
    const auto* inner = known ? nullptr : node.as_table();
    const bool groups = inner && std::ranges::any_of(setting_names, [&](const auto& setting) {
                          return setting.starts_with(name + "_");
                        });
    if (!known && !groups)
      throw unknown_key(file, name);
    if (groups)
      take(out, *inner, name + "_", file);
    else
      out[name] = values(node, file, name);
  }
}

Failed bad_value(const std::string& name, const std::string& value, std::string wanted) {
  return usage(name + " cannot be \"" + value + "\"", std::move(wanted),
               "see: tessera start --help");
}

std::uint64_t number(const std::string& name, const std::string& value, std::uint64_t max) {
  const auto n = parse_number(value);
  if (!n || *n > max)
    throw bad_value(name, value, "wanted is a whole number of at most " + std::to_string(max));
  return *n;
}

std::uint64_t size(const std::string& name, const std::string& value, std::uint64_t min) {
  const auto bytes = parse_size(value);
  if (!bytes || *bytes < min)
    throw bad_value(name, value, "wanted is a size such as 512M or 2GiB");
  return *bytes;
}

bool flag(const std::string& name, const std::string& value) {
  if (value == "true" || value == "1" || value == "yes")
    return true;
  if (value != "false" && value != "0" && value != "no" && !value.empty())
    throw bad_value(name, value, "wanted is true or false");
  return false;
}

Address address(const std::string& name, const std::string& value, const std::string& host) {
  const auto address = parse_address(value, host);
  if (!address || (name == "seed" && (address->port == 0 || address->host.empty())))
    throw bad_value(name, value, "wanted is HOST:PORT, such as 10.0.0.5:7700");
  return *address;
}

std::string host_name() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0 || !name[0])
    return "node";
  return std::string{name}.substr(0, name_bytes_max);
}

std::string node_name(const std::string& value) {
  const bool plain =
      std::all_of(value.begin(), value.end(), [](unsigned char c) { return c >= 32 && c != 127; });
  if (value.empty() || value.size() > name_bytes_max || !plain)
    throw bad_value("name", value, "a name has 1 to 64 bytes and no control characters");
  return value;
}

void set(StartOptions& options, const std::string& name, const std::string& value) {
  if (name == "seed")
    options.seeds.push_back(address(name, value, ""));
  else if (name == "listen")
    options.listen = address(name, value, "0.0.0.0"), options.listen_given = true;
  else if (name == "open")
    options.open = flag(name, value);
  else if (name == "limits_wasm")
    options.wasm = flag(name, value);
  else if (name == "join")
    options.invite = value;
  else if (name == "slots")
    options.slots = std::uint32_t(number(name, value, slots_max));
  else if (name == "name")
    options.name = node_name(value);
  else if (name == "memory")
    options.memory_bytes = size(name, value, memory_bytes_min);
  else if (name == "blob_quota")
    options.blob_quota_bytes = size(name, value, 0);
  else if (name == "api_port")
    options.api_port = std::uint16_t(number(name, value, 65535));
}

void check(const StartOptions& options) {
  if (!options.invite.empty() && !options.invite.starts_with("tess1"))
    throw bad_value("join", options.invite, "an invite begins with tess1");
  if (!options.invite.empty() && options.open)
    throw usage("--open and --join do not go together",
                "an invite leads to a private mesh, --open to one for all",
                "leave out one of the two");
}

} // namespace

Settings settings_of_file(const fs::path& file) {
  std::error_code bad;
  if (!fs::exists(file, bad))
    return {};
  Settings out;
  try {
    take(out, toml::parse_file(file.string()), "", file);
  } catch (const toml::parse_error& e) {
    throw bad_file(file, "line " + std::to_string(e.source().begin.line) + ": " +
                             std::string{e.description()});
  }
  return out;
}

Settings settings_of_environment() {
  Settings out;
  for (const auto& name : setting_names) {
    std::string variable = "TESSERA_" + name;
    for (auto& c : variable)
      c = c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c;
    const char* value = std::getenv(variable.c_str());
    if (!value || !*value)
      continue;
    std::string_view rest = value;
    for (auto comma = rest.find(','); name == "seed" && comma != rest.npos;
         comma = rest.find(',')) {
      out[name].emplace_back(rest.substr(0, comma));
      rest.remove_prefix(comma + 1);
    }
    out[name].emplace_back(rest);
  }
  return out;
}

std::vector<fs::path> setting_files() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  std::vector<fs::path> files;
  if (config && *config == '/')
    files.push_back(fs::path{config} / "tessera/tessera.toml");
  else if (home && *home)
    files.push_back(fs::path{home} / ".config/tessera/tessera.toml");
  files.emplace_back("/etc/tessera/tessera.toml");
  return files;
}

void fill(Settings& above, Settings below) {
  above.merge(std::move(below));
}

StartOptions start_options(const Settings& settings) {
  StartOptions options;
  options.name = host_name();
  for (const auto& [name, values] : settings)
    for (const auto& value : values)
      set(options, name, value);
  check(options);
  return options;
}

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
