#include "node/cli/cli_text.hpp"
#include "node/cli/setting_table.hpp"

#include <algorithm>

namespace tessera::cli {

namespace {

constexpr std::string_view written_on = "2026-11-27"; // The date of the words below.

constexpr std::size_t line_bytes_max = 78;

// Text as roff shall print it: '-' is a minus that can be copied.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == '\\' ? std::string{"\\e"} : c == '-' ? std::string{"\\-"} : std::string{c};
  return out;
}

// At the beginning of a line, where '.' and '\'' would make it a request.
std::string roff(std::string_view text) {
  const bool request = text.starts_with('.') || text.starts_with('\'');
  return (request ? "\\&" : "") + escaped(text);
}

// In lines that an editor shows whole.
std::string prose(std::string_view text) {
  std::string out;
  std::size_t width = 0;
  for (std::size_t from = 0; from < text.size();) {
    const auto end = std::min(text.find(' ', from), text.size());
    const auto word = text.substr(from, end - from);
    const bool fits = width > 0 && width + 1 + escaped(word).size() <= line_bytes_max;
    out += fits ? " " + escaped(word) : (width > 0 ? "\n" : "") + roff(word);
    width = (fits ? width + 1 : 0) + escaped(word).size();
    from = end + 1;
  }
  return out;
}

std::string bold(std::string_view text) {
  return "\\fB" + roff(text) + "\\fR";
}
std::string italic(std::string_view text) {
  return "\\fI" + roff(text) + "\\fR";
}

void section(std::string& out, std::string_view name) {
  out.append(".SH ").append(name).append("\n");
}
// A term that is markup already, and what it means.
void entry(std::string& out, std::string_view term, std::string_view text) {
  out.append(".TP\n").append(term).append("\n").append(prose(text)).append("\n");
}

std::string sentence(std::string text) {
  if (!text.empty() && text.back() != '.')
    text += '.';
  return text;
}

std::string names_of(const OptionText& option) {
  std::string out;
  for (const auto& name : option.names)
    out += (out.empty() ? "" : ", ") + bold(name);
  return option.value.empty() ? out : out + " " + italic(option.value);
}

std::string meaning(const OptionText& option) {
  const bool told = std::ranges::all_of(option.words, [&](const auto& word) {
    return option.help.find(word) != std::string::npos ||
           option.value.find(word) != std::string::npos;
  });
  std::string out = option.help;
  if (!told) {
    std::string words;
    for (const auto& word : option.words)
      words += (words.empty() ? "" : ", ") + word;
    out += ": " + words;
  }
  return sentence(out);
}

// "tessera submit KERNEL [OPTION...]".
std::string synopsis(const VerbText& verb) {
  std::string out = ".B tessera " + roff(verb.name) + "\n";
  for (const auto& argument : verb.arguments) {
    const auto name = italic(argument.value.empty() ? argument.names[0] : argument.value);
    out += (argument.required ? name : "[" + name + "]") + "\n";
  }
  return out + "[" + italic("OPTION") + "]...\n";
}

void verb_text(std::string& out, const VerbText& verb) {
  out += ".SS " + roff(verb.name) + "\n" + synopsis(verb) + ".PP\n" + prose(sentence(verb.help)) +
         "\n";
  for (const auto& argument : verb.arguments)
    entry(out, italic(argument.value.empty() ? argument.names[0] : argument.value),
          meaning(argument));
  for (const auto& option : verb.options)
    entry(out, names_of(option), meaning(option));
}

void head(std::string& out) {
  out += ".\\\" Made by: tessera man\n.TH TESSERA 1 \"" + std::string{written_on} +
         "\" \"tessera " TESSERA_VERSION "\" \"User Commands\"\n"
         ".SH NAME\ntessera \\- peer\\-to\\-peer compute mesh: run a node, submit jobs\n"
         ".SH SYNOPSIS\n.B tessera\n.I VERB\n[\\fIARGUMENT\\fR]...\n[\\fIOPTION\\fR]...\n"
         ".br\n.B tessera \\-\\-help\n.br\n.B tessera \\-\\-version\n";
}

void description(std::string& out) {
  section(out, "DESCRIPTION");
  out +=
      prose("Tessera joins computers into a mesh that shares out work. Each runs a node; jobs are "
            "submitted at any of them, cut into microtasks, computed wherever there is room, and "
            "merged to a result whose bytes do not depend on who computed what. There is no "
            "server.");
  out += "\n.PP\n" + bold("tessera start") + "\n";
  out += prose("runs the node; all other verbs talk to the one that runs here. Options follow the "
               "verb. Data goes to standard output, everything else to standard error.");
  out += "\n";
}

void exit_status(std::string& out) {
  section(out, "EXIT STATUS");
  static constexpr std::pair<const char*, const char*> codes[] = {
      {"0", "All is well."},
      {"1", "The job failed, or something that was asked of this machine."},
      {"2", "The command line, a parameter or a settings file cannot be meant."},
      {"3", "No node answers."},
      {"4", "There is no such job, node or blob, or the id's beginning fits several."},
      {"5", "The node refuses: a wrong token, or a job of somebody else."},
      {"6", "Only a part of the result could be had."},
      {"7", "The time was over first."},
      {"8", "Nothing in the mesh can run it."},
      {"130", "Interrupted."}};
  for (const auto& [code, text] : codes)
    entry(out, bold(code), text);
  out += ".PP\n" +
         prose("An error has three lines: a code that never changes and what happened; why; "
               "what to do.") +
         "\n";
}

void environment(std::string& out) {
  section(out, "ENVIRONMENT");
  static constexpr std::pair<const char*, const char*> own[] = {
      {"TESSERA_DATA", "As --data of every verb."},
      {"TESSERA_API", "As --api."},
      {"TESSERA_TOKEN_FILE", "As --token-file."}};
  static constexpr std::pair<const char*, const char*> others[] = {
      {"XDG_CONFIG_HOME", "Where the settings are; ~/.config unless set."},
      {"XDG_DATA_HOME", "Where identity and mesh are; ~/.local/share unless set."},
      {"XDG_STATE_HOME", "Where the journal is; ~/.local/state unless set."},
      {"XDG_CACHE_HOME", "Where blobs are; ~/.cache unless set."},
      {"XDG_RUNTIME_DIR", "Where the API's address and token are while the node runs."},
      {"NO_COLOR", "If set, no colours."},
      {"CLICOLOR_FORCE", "If set and not 0, colours also where there is no terminal."}};
  for (const auto& [name, meaning] : own)
    entry(out, bold(name), meaning);
  for (const auto& setting : setting_table())
    entry(out, bold(variable_of(setting)), std::string{setting.help} + ".");
  for (const auto& [name, meaning] : others)
    entry(out, bold(name), meaning);
}

void files(std::string& out) {
  section(out, "FILES");
  static constexpr std::pair<const char*, const char*> all[] = {
      {"~/.config/tessera/tessera.toml",
       "Settings of tessera start, each a line such as: slots = 2"},
      {"/etc/tessera/tessera.toml",
       "The same for all users of the machine; weaker than their own."},
      {"~/.local/share/tessera/identity.key", "Who this node is. Keep it."},
      {"~/.local/share/tessera/mesh.json", "The mesh that it belongs to, and the key of it."},
      {"~/.local/state/tessera/journal.db", "The jobs that it has accepted."},
      {"~/.cache/tessera/blobs", "Inputs, modules and results."},
      {"$XDG_RUNTIME_DIR/tessera/api", "URL of the local API, while the node runs."},
      {"$XDG_RUNTIME_DIR/tessera/token", "What the API wants to be shown."}};
  for (const auto& [path, text] : all)
    entry(out, italic(path), text);
  out += ".PP\n" + prose("With --data DIR all of these but the settings are in that one folder.") +
         "\n";
}

void examples(std::string& out) {
  section(out, "EXAMPLES");
  static constexpr std::pair<const char*, const char*> all[] = {
      {"Found a private mesh; it prints the invite that others join by:", "tessera start"},
      {"Join it from another machine:", "tessera start --join tess1..."},
      {"Compute a picture on all of them:",
       "tessera submit mandelbrot -p size=4096 -o picture.png"},
      {"Run a module of your own over a million items:",
       "tessera run task.wasm --items 1000000 -o out.bin"},
      {"Have the node run whenever you are logged in:", "tessera service install"},
      {"Have your shell complete all of this, where no package did so:",
       "tessera completions bash > ~/.local/share/bash-completion/completions/tessera\n"
       "tessera completions fish > ~/.config/fish/completions/tessera.fish"}};
  for (const auto& [text, command] : all)
    out += (text == all[0].first ? "" : ".PP\n") + prose(text) + "\n.PP\n.RS 4\n.nf\n" +
           roff(command) + "\n.fi\n.RE\n";
}

} // namespace

std::string man_page(const CliText& text) {
  std::string out;
  head(out);
  description(out);
  section(out, "VERBS");
  for (const auto& verb : text.verbs)
    verb_text(out, verb);
  section(out, "OPTIONS OF EVERY VERB");
  for (const auto& option : text.common)
    entry(out, names_of(option), meaning(option));
  exit_status(out);
  environment(out);
  files(out);
  examples(out);
  section(out, "SEE ALSO");
  out += bold("systemd.unit") + "(5),\n" + bold("loginctl") + "(1)\n";
  return out;
}

} // namespace tessera::cli
