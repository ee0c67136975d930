#include "node/cli/completions.hpp"

namespace tessera::cli {

namespace {

// What the script's case statements answer.
std::string answer(const OptionText& option) {
  switch (option.wants()) {
  case Wants::file:
    return "files";
  case Wants::folder:
    return "folders";
  case Wants::nothing:
    return "nothing";
  case Wants::words: {
    std::string out = "words";
    for (const auto& word : option.words)
      out += " " + word;
    return out;
  }
  default:
    return "ask " + std::string{asked_for(option.wants())};
  }
}

// Lines such as:  'submit -o' | 'submit --output') want=files ;;
void values(std::string& out, const std::string& verb, const std::vector<OptionText>& options) {
  for (const auto& option : options) {
    if (option.value.empty())
      continue;
    std::string pattern;
    for (const auto& name : option.names)
      pattern += (pattern.empty() ? "    " : " | ") +
                 (verb.empty() ? "*" + quoted(" " + name) : quoted(verb + " " + name));
    out += pattern + ") want=" + quoted(answer(option)) + " ;;\n";
  }
}

std::string flags(const std::vector<OptionText>& options) {
  std::string out;
  for (const auto& option : options)
    for (const auto& name : option.names)
      out += (out.empty() ? "" : " ") + name;
  return out;
}

std::string verb_list(const CliText& text) {
  std::string out;
  for (const auto& verb : text.verbs)
    if (verb.name.find(' ') == verb.name.npos)
      out += (out.empty() ? "" : " ") + verb.name;
  return out;
}

constexpr std::string_view body = R"bash(
# Those of the words that begin as $cur does. Bash replaces only what stands behind the last = or :.
_tessera_offer() {
  local word shown=${cur%"${cur##*[=:]}"}
  for word; do
    [[ $word == "$cur"* ]] && COMPREPLY+=("${word#"$shown"}")
  done
}

# What only a node or a kernel knows; nothing where nobody answers.
_tessera_ask() {
  local -a lines
  mapfile -t lines < <(timeout 2 "${words[0]}" completions "$1" "${subject[@]}" "${node[@]}" 2>/dev/null | cut -f1)
  [ "$1" = params ] && compopt -o nospace 2>/dev/null
  _tessera_offer "${lines[@]}"
}

_tessera() {
  local line=${COMP_LINE:0:COMP_POINT} cur verb want word previous i seen=0
  local -a words node=() subject=()
  COMPREPLY=()
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  cur=${words[-1]}
  verb=${words[1]}
  if [ ${#words[@]} -le 2 ]; then
    _tessera_offer $_tessera_verbs --help --version
    return
  fi
  for ((i = 2; i < ${#words[@]} - 1; i++)); do
    word=${words[i]}
    previous=${words[i - 1]}
    _tessera_value "$verb" "$previous"
    case $previous in
      --data | --api | --token-file) node+=("$previous" "$word") ;;
    esac
    case $word in
      --data=* | --api=* | --token-file=*) node+=("$word") ;;
    esac
    if [ -z "$want" ] && [[ $word != -* ]]; then
      [ $seen = 0 ] && [ "$verb" = submit ] && subject=("$word")
      seen=$((seen + 1))
    fi
  done
  _tessera_value "$verb" "${words[-2]}"
  if [[ $cur == --*=* ]]; then
    _tessera_value "$verb" "${cur%%=*}"
    cur=${cur#*=}
  elif [ -z "$want" ] && [[ $cur == -* ]]; then
    _tessera_flags "$verb"
    return
  elif [ -z "$want" ]; then
    _tessera_argument "$verb" $seen
  fi
  case $want in
    files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    folders) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
    words*) _tessera_offer ${want#words} ;;
    ask*) _tessera_ask ${want#ask} ;;
  esac
}
complete -F _tessera tessera
)bash";

} // namespace

std::string bash_completions(const CliText& text) {
  std::string out = "# Completes tessera(1) in bash. Made by: tessera completions bash\n\n";
  out += "_tessera_verbs=" + quoted(verb_list(text)) + "\n\n";
  out += "# What stands behind this word of this verb, if that takes a value.\n"
         "_tessera_value() {\n  want=\n  case \"$1 $2\" in\n";
  for (const auto& verb : text.verbs)
    values(out, verb.name.substr(0, verb.name.find(' ')), verb.options);
  values(out, "", text.common);
  out += "  esac\n}\n\n_tessera_argument() {\n  want=\n  case \"$1 $2\" in\n";
  for (const auto& verb : text.verbs)
    for (std::size_t i = 0; i < verb.arguments.size(); ++i)
      out += "    " + quoted(verb.name + " " + std::to_string(i)) +
             ") want=" + quoted(answer(verb.arguments[i])) + " ;;\n";
  for (const auto& verb : text.verbs)
    if (const auto space = verb.name.find(' '); space != verb.name.npos)
      out += "    " + quoted(verb.name.substr(0, space) + " 0") + ") want=\"${want:-words} " +
             verb.name.substr(space + 1) + "\" ;;&\n";
  out += "  esac\n}\n\n_tessera_flags() {\n  case $1 in\n";
  for (const auto& verb : text.verbs)
    out += "    " + verb.name.substr(0, verb.name.find(' ')) + ") _tessera_offer " +
           flags(verb.options) + " ;;&\n";
  out += "    *) _tessera_offer " + flags(text.common) + " ;;\n  esac\n}\n";
  return out.append(body);
}

} // namespace tessera::cli
