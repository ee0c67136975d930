#pragma once

#include "node/paths.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The systemd user unit that runs a node. One text for the package and for `service install`; it
// opens with its own digest, so that a hand's change is seen and never overwritten.
namespace tessera::cli {

inline constexpr std::string_view unit_name = "tessera.service";

struct Unit {
  std::string program;                // Its whole path.
  std::vector<std::string> arguments; // Of `start`.
  std::vector<std::string> folders;   // All that it writes to. May begin with %h or %t.
  std::vector<std::pair<std::string, std::string>> environment;
};

// Where nothing but the program is particular: as a package installs it.
Unit plain_unit(std::string program);

// Of the one who asks: --data, or XDG variables that are not what systemd would set.
Unit own_unit(std::string program, const std::optional<std::string>& data);

std::string unit_text(const Unit& unit);

bool untouched(std::string_view text); // Whether it is as unit_text once wrote it.

} // namespace tessera::cli
