#pragma once

#include "node/cli/cli.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

// Settings of `start`, each by name and as text, whatever they were read from; and what the texts
// mean. Flags stand above TESSERA_*, the user's file and the machine's file.
namespace tessera::cli {

// "seed" has several values, all others one.
using Settings = std::map<std::string, std::vector<std::string>>;

extern const std::vector<std::string> setting_names; // As in the file: "blob_quota".

// Nothing where there is no file. E430: unknown key, with the nearest; E431: not readable as TOML,
// or of a wrong type.
Settings settings_of_file(const std::filesystem::path& file);
Settings settings_of_environment(); // TESSERA_BLOB_QUOTA; seeds are separated by commas.

// $XDG_CONFIG_HOME/tessera/tessera.toml, /etc/tessera/tessera.toml: the higher first.
std::vector<std::filesystem::path> setting_files();

// What `below` says and `above` does not.
void fill(Settings& above, Settings below);

// E400: a value cannot be read.
StartOptions start_options(const Settings& settings);

std::optional<std::uint64_t> parse_number(std::string_view text);      // Digits, below 2^64.
std::optional<std::uint64_t> parse_size(std::string_view text);        // "512M", "2GiB", "4096".
std::optional<std::chrono::seconds> parse_time(std::string_view text); // "90s", "30m", "2h", "1d".
// "10.0.0.5:7700", "attic", "[fe80::1]:7700", ":7700".
std::optional<Address> parse_address(std::string_view text, const std::string& default_host);

} // namespace tessera::cli
