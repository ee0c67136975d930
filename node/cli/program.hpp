#pragma once

#include <optional>
#include <string>
#include <vector>

// Another program, run to its end.
namespace tessera::cli {

struct Ran {
  int exit = 0;     // 128 and more: ended by a signal.
  std::string said; // On stdout and stderr, at most 64 KiB of it.
};

// By PATH; no value where there is no such program.
std::optional<Ran> run_program(const std::vector<std::string>& words);

} // namespace tessera::cli
