#pragma once

#include "node/cli/cli_text.hpp"

// One shell's script each; completions() chooses.
namespace tessera::cli {

std::string bash_completions(const CliText& text);
std::string zsh_completions(const CliText& text);
std::string fish_completions(const CliText& text);

// 'it'\''s': one word for a POSIX shell.
std::string quoted(std::string_view text);

// What `tessera completions` is asked for where a node or a kernel knows more: "jobs"; or empty.
std::string_view asked_for(Wants wants);

} // namespace tessera::cli
