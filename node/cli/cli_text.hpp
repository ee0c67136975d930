#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

// The command line described: what parse() reads, as text to make a manual and completions of. All
// of it comes from the options themselves, so that a new verb is in both by itself.
namespace tessera::cli {

// What stands for a value, as far as a shell could propose some.
enum class Wants { nothing, words, file, folder, kernel, job, param };

struct OptionText {
  std::vector<std::string> names; // "-o" and "--output"; of an argument, its one name.
  std::string value;              // "FILE"; empty: a flag.
  std::vector<std::string> words; // What alone may be said, or what may be said in words.
  std::string help;
  bool required = false;
  bool repeats = false;

  Wants wants() const;
  bool operator==(const OptionText&) const = default;
};

struct VerbText {
  std::string name; // "config set": a verb of a verb.
  std::string help;
  std::vector<OptionText> options;
  std::vector<OptionText> arguments; // By position.
};

struct CliText {
  std::vector<VerbText> verbs;
  std::vector<OptionText> common; // Of every verb, and not repeated there.
};

CliText cli_text(const CLI::App& app); // Hidden verbs are left out.
CliText cli_text();                    // Of tessera itself. In parse.cpp, where its options are.

// roff, for man(1). Warns of nothing in groff or mandoc.
std::string man_page(const CliText& text);

// A script for "bash", "zsh" or "fish"; what only a node or a kernel knows it asks for by
// `tessera completions`.
std::string completions(const CliText& text, std::string_view shell);

} // namespace tessera::cli
