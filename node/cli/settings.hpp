#pragma once

#include "node/cli/setting_table.hpp"
#include "node/cli/units.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

// Settings as they were found: each by name, as text, and where. Flags stand above TESSERA_*, the
// user's file and the machine's file.
namespace tessera::cli {

struct Setting {
  std::vector<std::string> values; // One, but of lists.
  std::string from;                // "--slots", "TESSERA_SLOTS", "/etc/tessera/tessera.toml:3"
};
using Settings = std::map<std::string, Setting, std::less<>>;

// Nothing where there is no file. E430: unknown key, with the nearest; E431: not readable as TOML,
// or of a wrong type.
Settings settings_of_file(const std::filesystem::path& file);
// TESSERA_BLOB_QUOTA; those of a list are separated by commas. E430: a variable that is nearly one.
Settings settings_of_environment();

// $XDG_CONFIG_HOME/tessera/tessera.toml, /etc/tessera/tessera.toml: the higher first.
std::vector<std::filesystem::path> setting_files();

// What `below` says and `above` does not.
void fill(Settings& above, Settings below);

// E400: a value cannot be read. E432, E433: some do not go together.
StartOptions start_options(const Settings& settings);

} // namespace tessera::cli
