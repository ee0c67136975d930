#include "node/cli/completions.hpp"

namespace tessera::cli {

namespace {

std::string escaped(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != special.npos)
      out += '\\';
    out += c;
  }
  return out;
}

// ":FILE:_files" of _arguments.
std::string value(const OptionText& option) {
  if (option.value.empty())
    return "";
  const auto head = ":" + escaped(option.value, ":\\") + ":";
  switch (option.wants()) {
  case Wants::file:
    return head + "_files";
  case Wants::folder:
    return head + "_files -/";
  case Wants::nothing:
    return head + " ";
  case Wants::words: {
    std::string words;
    for (const auto& word : option.words)
      words += (words.empty() ? "" : " ") + word;
    return head + "(" + words + ")";
  }
  default:
    return head + " _tessera_ask " + std::string{asked_for(option.wants())};
  }
}

void specs(std::string& out, const std::vector<OptionText>& options) {
  for (const auto& option : options) {
    std::string names;
    for (const auto& name : option.names)
      names += (names.empty() ? "" : " ") + name;
    const auto once = option.repeats ? "*" : "(" + names + ")";
    for (const auto& name : option.names) {
      const auto sign = option.value.empty() ? "" : name.starts_with("--") ? "=" : "+";
      out += " \\\n        " +
             quoted(once + name + sign + "[" + escaped(option.help, "[]\\") + "]" + value(option));
    }
  }
}

void verb_case(std::string& out, const CliText& text, const VerbText& verb) {
  out += "    " + verb.name + ")\n      _arguments -s";
  specs(out, verb.options);
  specs(out, text.common);
  for (std::size_t i = 0; i < verb.arguments.size(); ++i)
    out += " \\\n        " + quoted(std::to_string(i + 1) + value(verb.arguments[i]));
  std::string below;
  for (const auto& other : text.verbs)
    if (other.name.starts_with(verb.name + " "))
      below += (below.empty() ? "" : " ") + other.name.substr(verb.name.size() + 1);
  if (!below.empty())
    out += " \\\n        " + quoted("1:VERB:(" + below + ")");
  out += " ;;\n";
}

constexpr std::string_view ask = R"zsh(
# What only a node or a kernel knows; nothing where nobody answers.
_tessera_ask() {
  local -a node lines
  local i kernel=
  for ((i = 2; i < CURRENT; i++)); do
    case $words[i] in
      --data | --api | --token-file) node+=($words[i] $words[i+1]) ;;
      --data=* | --api=* | --token-file=*) node+=($words[i]) ;;
    esac
  done
  [[ $1 == params ]] && kernel=$words[2]
  lines=("${(@f)$(timeout 2 ${_tessera_program:-tessera} completions $1 $kernel $node 2>/dev/null)}")
  lines=(${${lines//:/\\:}//$'\t'/:})
  if [[ $1 == params ]]; then
    _describe -t $1 $1 lines -S ''
  else
    _describe -t $1 $1 lines
  fi
}
)zsh";

constexpr std::string_view last = R"zsh(
if [ "$funcstack[1]" = _tessera ]; then
  _tessera "$@"
else
  compdef _tessera tessera
fi
)zsh";

} // namespace

std::string zsh_completions(const CliText& text) {
  std::string out =
      "#compdef tessera\n# Completes tessera(1) in zsh. Made by: tessera completions zsh\n";
  out.append(ask);
  out += "\n_tessera_verbs() {\n  local -a verbs=(\n";
  for (const auto& verb : text.verbs)
    if (verb.name.find(' ') == verb.name.npos)
      out += "    " + quoted(escaped(verb.name + "", ":\\") + ":" + verb.help) + "\n";
  out += "  )\n  _describe -t verbs verb verbs\n}\n\n_tessera() {\n"
         "  local curcontext=$curcontext state line _tessera_program=$words[1]\n"
         "  typeset -A opt_args\n"
         "  _arguments -C '(- *)'{-h,--help}'[Print this help message and exit]' "
         "'(- *)--version[Display program version information and exit]' \\\n"
         "    '(-)1:verb:_tessera_verbs' '(-)*:: :->rest'\n"
         "  [[ $state == rest ]] || return\n"
         "  case $words[1] in\n";
  for (const auto& verb : text.verbs)
    if (verb.name.find(' ') == verb.name.npos)
      verb_case(out, text, verb);
  return (out += "  esac\n}\n").append(last);
}

} // namespace tessera::cli
