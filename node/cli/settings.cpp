#include "node/cli/settings.hpp"

#include "node/cli/failed.hpp"
#include "node/kernels/nearest.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cstdlib>
#include <unistd.h>

namespace tessera::cli {

namespace fs = std::filesystem;

namespace {

Failed bad_file(const fs::path& file, std::string why) {
  return {Exit::usage,
          {"E431", "cannot read the settings in " + file.string(), std::move(why),
           "correct it; see what it may hold: tessera config --example"}};
}

Failed unknown(const std::string& name, const std::string& where, const std::string& near,
               std::string known) {
  return {Exit::usage,
          {"E430", "unknown setting \"" + name + "\" in " + where, std::move(known),
           near.empty() ? "remove it" : "did you mean " + near + "?"}};
}

Failed unknown_key(const fs::path& file, const std::string& key) {
  std::vector<std::string> names;
  for (const auto& setting : setting_table())
    names.emplace_back(setting.name);
  std::string known;
  for (const auto& name : names)
    known += (known.empty() ? "known are: " : ", ") + name;
  return unknown(key, file.string(), nearest(key, names), std::move(known));
}

// Whatever else is called so is others' matter; what is nearly a setting is a slip.
void check_variable(const std::string& name) {
  constexpr std::string_view others[] = {"DATA", "API", "TOKEN_FILE"};
  std::vector<std::string> names;
  for (const auto& setting : setting_table())
    names.push_back(variable_of(setting).substr(variable_prefix.size()));
  const auto typed = name.substr(variable_prefix.size());
  if (std::ranges::find(names, typed) != names.end() ||
      std::ranges::find(others, typed) != std::end(others))
    return;
  if (const auto near = nearest(typed, names); !near.empty())
    throw unknown(name, "the environment", std::string{variable_prefix} + near,
                  "tessera config lists them all, each with its variable: tessera config NAME");
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
                                const SettingInfo& setting) {
  const auto* list = node.as_array();
  if (!list)
    return {scalar(node, file, setting.name)};
  if (!setting.list)
    throw bad_file(file, std::string{setting.name} + " takes one value, not a list");
  std::vector<std::string> out;
  for (const auto& each : *list)
    out.push_back(scalar(each, file, setting.name));
  return out;
}

// What stands in a table [limits] as wasm is the setting limits.wasm.
void take(Settings& out, const toml::table& table, const std::string& above, const fs::path& file) {
  for (const auto& [key, node] : table) {
    const auto name = above + std::string{key.str()};
    const auto* setting = find_setting(name);
    const auto* inner = setting ? nullptr : node.as_table();
    const bool groups = inner && std::ranges::any_of(setting_table(), [&](const auto& s) {
                          return std::string_view{s.name}.starts_with(name + ".");
                        });
    if (!setting && !groups)
      throw unknown_key(file, name);
    if (groups)
      take(out, *inner, name + ".", file);
    else
      out[name] = {values(node, file, *setting),
                   file.string() + ":" + std::to_string(node.source().begin.line)};
  }
}

void check(const StartOptions& options) {
  if (!options.invite.empty() && options.open)
    throw usage("--open and --join do not go together",
                "an invite leads to a private mesh, --open to one for all",
                "leave out one of the two");
}

// What all workers may have together is dealt out to them.
void deal_memory(StartOptions& options) {
  if (options.memory_total_bytes == 0)
    return;
  const auto slots =
      options.slots.value_or(std::uint32_t(*parse_number(fallback_of(*find_setting("slots")))));
  const auto each = options.memory_total_bytes / std::max(slots, 1u);
  if (each < worker_memory_bytes_min)
    throw Failed{
        Exit::usage,
        {"E432", std::to_string(slots) + " slots do not fit into limits.memory_total",
         "a worker needs 16 MiB, and each would have " + std::to_string(each >> 20) + " MiB",
         "give more memory, or fewer slots"}};
  options.memory_bytes = std::min(options.memory_bytes, each);
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  for (auto next = text.find(at); next != text.npos; next = text.find(at)) {
    parts.emplace_back(text.substr(0, next));
    text.remove_prefix(next + 1);
  }
  parts.emplace_back(text);
  return parts;
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
  for (char** entry = environ; *entry; ++entry)
    if (const std::string_view text = *entry; text.starts_with(variable_prefix))
      check_variable(std::string{text.substr(0, text.find('='))});
  Settings out;
  for (const auto& setting : setting_table()) {
    const auto variable = variable_of(setting);
    const char* value = std::getenv(variable.c_str());
    if (value && *value)
      out[setting.name] = {setting.list ? split(value, ',') : std::vector<std::string>{value},
                           variable};
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
  options.name = fallback_of(*find_setting("name"));
  for (const auto& [name, setting] : settings) {
    const auto* info = find_setting(name);
    for (const auto& value : setting.values)
      info->set(options, *info, value);
  }
  check(options);
  deal_memory(options);
  return options;
}

} // namespace tessera::cli
