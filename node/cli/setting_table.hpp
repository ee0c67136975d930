#pragma once

#include "node/cli/cli.hpp"

#include <nlohmann/json_fwd.hpp>

#include <span>
#include <string>
#include <string_view>

// All settings of a node, each in one row: flags, TESSERA_*, keys of the files, --help, `config`
// and what `start` makes of a text are drawn from here.
namespace tessera::cli {

// What texts mean. Tells the unit, and how a text is read.
enum class Kind : std::uint8_t {
  text,
  secret,
  number,
  percent,
  size,
  rate,
  time,
  flag,
  address,
  hours
};

struct SettingInfo {
  const char* name;     // As in a file, table first: "limits.cpu".
  const char* flag;     // Of `start`: "--cpu". "--no-wasm" of a flag: the opposite.
  Kind kind;            //
  const char* wanted;   // What stands for the value in --help: "SIZE".
  const char* fallback; // As text. Empty: none, or found out where the node runs.
  const char* bounds;   // For people: "16MiB or more".
  const char* help;     // One line.
  void (*set)(StartOptions&, const SettingInfo&, const std::string& value); // E400.
  bool list = false; // May stand several times.
};

inline constexpr std::uint64_t worker_memory_bytes_min = std::uint64_t{16} << 20;

std::span<const SettingInfo> setting_table();
const SettingInfo* find_setting(std::string_view name); // Null: no such.

inline constexpr std::string_view variable_prefix = "TESSERA_";
std::string variable_of(const SettingInfo& setting); // "TESSERA_LIMITS_CPU"
std::string fallback_of(const SettingInfo& setting); // What it is here, where nobody sets it.
const char* unit_of(Kind kind);                      // "bytes"; empty: none.
// The value in its unit, as JSON has it. A secret's is not told.
nlohmann::json value_json(const SettingInfo& setting, const std::string& value);

} // namespace tessera::cli
