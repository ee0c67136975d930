#include "node/cli/completions.hpp"

namespace tessera::cli {

namespace {

std::string fish(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\')
      out += '\\';
    out += c;
  }
  return out + "'";
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words)
    out += (out.empty() ? "" : " ") + word;
  return out;
}

// How a value is completed: -r takes one, -f no files, -x both, -F files after all.
std::string value(const OptionText& option) {
  switch (option.wants()) {
  case Wants::file:
    return " -r -F";
  case Wants::folder:
    return " -x -a '(__fish_complete_directories)'";
  case Wants::nothing:
    return " -x";
  case Wants::words:
    return " -x -a " + fish(joined(option.words));
  default:
    return " -x -a '(__tessera_ask " + std::string{asked_for(option.wants())} + ")'";
  }
}

void options(std::string& out, const std::string& condition, const std::vector<OptionText>& all) {
  for (const auto& option : all) {
    out += "complete -c tessera -n " + fish(condition);
    for (const auto& name : option.names)
      out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    out += " -d " + fish(option.help) + (option.value.empty() ? "" : value(option)) + "\n";
  }
}

void argument(std::string& out, const std::string& verb, std::size_t place,
              const OptionText& wanted) {
  auto how = value(wanted);
  if (how == " -x") // Nothing to propose.
    return;
  if (how.starts_with(" -x"))
    how.replace(0, 3, " -f");
  else
    how = " -F";
  out += "complete -c tessera -n " + fish("__tessera_at " + verb + " " + std::to_string(place)) +
         how + "\n";
}

// Options that take the word behind them, of any verb.
std::string with_value(const CliText& text) {
  std::string out;
  const auto add = [&](const std::vector<OptionText>& all) {
    for (const auto& option : all)
      for (const auto& name : option.names)
        if (!option.value.empty() && (out + " ").find(" " + name + " ") == out.npos)
          out += " " + name;
  };
  for (const auto& verb : text.verbs)
    add(verb.options);
  add(text.common);
  return out;
}

constexpr std::string_view functions = R"fish(
# The words typed so far, without the one that is being typed.
function __tessera_words
    commandline -opc
end

function __tessera_verb
    set -l words (__tessera_words)
    test (count $words) -ge 2; and test "$words[2]" = $argv[1]
end

# Whether the verb is this, and so many of its arguments are there already.
function __tessera_at
    __tessera_verb $argv[1]; or return
    set -l words (__tessera_words)
    set -l seen 0
    set -l before
    for word in $words[3..-1]
        if not string match -q -- '-*' $word; and not contains -- "$before" $__tessera_with_value
            set seen (math $seen + 1)
        end
        set before $word
    end
    test $seen -eq $argv[2]; and not contains -- "$before" $__tessera_with_value
end

# What only a node or a kernel knows; nothing where nobody answers.
function __tessera_ask
    set -l words (__tessera_words)
    set -l node
    set -l before
    for word in $words[3..-1]
        contains -- "$before" --data --api --token-file; and set -a node $before $word
        string match -q -r -- '^--(data|api|token-file)=' $word; and set -a node $word
        set before $word
    end
    set -l kernel
    test $argv[1] = params; and set kernel $words[3]
    timeout 2 $words[1] completions $argv[1] $kernel $node 2>/dev/null
end
)fish";

} // namespace

std::string fish_completions(const CliText& text) {
  std::string out = "# Completes tessera(1) in fish. Made by: tessera completions fish\n";
  out.append(functions);
  out += "\nset -g __tessera_with_value" + with_value(text) + "\n\ncomplete -c tessera -f\n";
  const std::string none = "test (count (__tessera_words)) -eq 1";
  out += "complete -c tessera -n " + fish(none) +
         " -s h -l help -d 'Print this help message and exit'\n";
  out += "complete -c tessera -n " + fish(none) +
         " -l version -d 'Display program version information and exit'\n";
  for (const auto& verb : text.verbs) {
    const auto space = verb.name.find(' ');
    const auto first = verb.name.substr(0, space);
    out += "complete -c tessera -n " +
           fish(space == verb.name.npos ? none : "__tessera_at " + first + " 0") + " -a " +
           fish(verb.name.substr(space == verb.name.npos ? 0 : space + 1)) + " -d " +
           fish(verb.help) + "\n";
    options(out, "__tessera_verb " + first, verb.options);
    for (std::size_t i = 0; i < verb.arguments.size(); ++i)
      argument(out, first, i, verb.arguments[i]);
  }
  options(out, "test (count (__tessera_words)) -ge 2", text.common);
  return out;
}

} // namespace tessera::cli
