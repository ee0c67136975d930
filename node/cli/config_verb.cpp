#include "node/cli/failed.hpp"
#include "node/cli/verbs.hpp"
#include "node/kernels/nearest.hpp"

// What `start` would use, and why.
namespace tessera::cli {

using Json = nlohmann::json;

namespace {

struct Found {
  const SettingInfo& info;
  std::vector<std::string> values; // None: it has none.
  std::string from;
};

Found found(const Command& c, const SettingInfo& info) {
  if (const auto set = c.settings.find(info.name); set != c.settings.end())
    return {info, set->second.values, set->second.from};
  const auto fallback = fallback_of(info);
  return {info, fallback.empty() ? std::vector<std::string>{} : std::vector{fallback}, "default"};
}

std::string value_text(const Found& setting) {
  if (setting.info.kind == Kind::secret && !setting.values.empty())
    return "(kept secret)";
  std::string text;
  for (const auto& value : setting.values)
    text += (text.empty() ? "" : ", ") + shown(value);
  return text.empty() ? "-" : text;
}

Json json_of(const Found& setting) {
  const auto& info = setting.info;
  Json value = info.list ? Json::array() : Json(nullptr);
  for (const auto& text : setting.values)
    if (info.list)
      value.push_back(value_json(info, text));
    else
      value = value_json(info, text);
  const std::string unit = unit_of(info.kind), fallback = fallback_of(info);
  return {{"name", info.name},
          {"value", value},
          {"unit", unit.empty() ? Json(nullptr) : Json(unit)},
          {"from", setting.from},
          {"default", fallback.empty() ? Json(nullptr) : value_json(info, fallback)},
          {"bounds", info.bounds},
          {"flag", info.flag},
          {"variable", variable_of(info)},
          {"help", info.help}};
}

const SettingInfo& named(const std::string& name) {
  if (const auto* info = find_setting(name))
    return *info;
  std::vector<std::string> names;
  for (const auto& info : setting_table())
    names.emplace_back(info.name);
  const auto near = nearest(name, names);
  throw Failed{Exit::not_found,
               {"E434", "there is no setting \"" + name + "\"", "tessera config lists them all",
                near.empty() ? "run: tessera config" : "did you mean " + near + "?"}};
}

void show(const Found& setting, Terminal& terminal) {
  const auto& info = setting.info;
  std::vector<std::vector<std::string>> rows{{"setting", info.name},
                                             {"value", value_text(setting)},
                                             {"from", shown(setting.from)},
                                             {"meaning", info.help},
                                             {"flag", info.flag + std::string{" "} + info.wanted},
                                             {"variable", variable_of(info)}};
  if (const std::string unit = unit_of(info.kind); !unit.empty())
    rows.push_back({"unit", unit});
  if (const auto fallback = fallback_of(info); !fallback.empty())
    rows.push_back({"default", fallback});
  if (*info.bounds)
    rows.push_back({"bounds", info.bounds});
  terminal.data(table(rows));
}

void list(const Command& c, Terminal& terminal) {
  std::vector<std::vector<std::string>> rows{{"SETTING", "VALUE", "FROM", "MEANING"}};
  for (const auto& info : setting_table()) {
    const auto setting = found(c, info);
    rows.push_back({info.name, value_text(setting), shown(setting.from), info.help});
  }
  terminal.data(table(rows));
  terminal.note("what a start would use now; a node that runs has what it was started with");
  terminal.next("tessera config --example");
}

// As TOML has it: numbers and flags bare, all else quoted.
std::string toml_value(const SettingInfo& info) {
  const auto fallback = fallback_of(info);
  const bool bare = info.kind == Kind::number || info.kind == Kind::flag;
  const auto value = bare ? fallback : "\"" + fallback + "\"";
  return info.list ? (fallback.empty() ? "[]" : "[" + value + "]") : value;
}

// The top level must come before all tables.
std::string example() {
  std::string text = "# Settings of a node. Flags stand above TESSERA_*, and those above this "
                     "file:\n# ~/.config/tessera/tessera.toml, or /etc/tessera/tessera.toml.\n";
  std::string table;
  for (const auto& info : setting_table()) {
    const std::string name = info.name;
    const auto dot = name.find('.');
    const auto group = dot == name.npos ? "" : name.substr(0, dot);
    if (group != table)
      text += "\n[" + group + "]\n";
    table = group;
    text += std::string{"\n# "} + info.help +
            (*info.bounds ? std::string{"; "} + info.bounds : "") + "\n# " +
            name.substr(dot == name.npos ? 0 : dot + 1) + " = " + toml_value(info) + "\n";
  }
  return text;
}

} // namespace

void config(const Command& c, Terminal& terminal) {
  if (c.example)
    return terminal.data(example());
  if (!c.subject.empty()) {
    const auto setting = found(c, named(c.subject));
    return c.common.json ? terminal.json(json_of(setting)) : show(setting, terminal);
  }
  if (!c.common.json)
    return list(c, terminal);
  for (const auto& info : setting_table())
    terminal.json(json_of(found(c, info)));
}

} // namespace tessera::cli
