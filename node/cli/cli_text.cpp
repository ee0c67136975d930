#include "node/cli/cli_text.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>

namespace tessera::cli {

namespace {

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from <= text.size();) {
    const auto end = std::min(text.find(at, from), text.size());
    parts.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return parts;
}

bool is_word(const std::string& text) { // "strict", where a placeholder is "FILE".
  return !text.empty() && std::ranges::none_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
}

// "WHEN:{auto,always,never}" has a check for members; in "N|auto" a word stands beside a
// placeholder.
void take_value(OptionText& out, const std::string& type) {
  const auto set = type.find(":{");
  out.value = type.substr(0, set);
  if (set != type.npos)
    out.words = split(type.substr(set + 2, type.find('}', set) - set - 2), ',');
  else
    for (auto& part : split(out.value, '|'))
      if (is_word(part))
        out.words.push_back(std::move(part));
}

OptionText described(const CLI::Option& option) {
  OptionText out;
  for (const auto& name : option.get_snames())
    out.names.push_back("-" + name);
  for (const auto& name : option.get_lnames())
    out.names.push_back("--" + name);
  if (out.names.empty())
    out.names.push_back(option.get_name(true));
  if (option.get_items_expected_max() > 0)
    take_value(out, option.get_type_name());
  out.help = option.get_description();
  out.required = option.get_required();
  out.repeats = option.get_expected_max() > 1;
  return out;
}

VerbText described(const CLI::App& app, const std::string& above) {
  VerbText out{above + app.get_name(), app.get_description(), {}, {}};
  for (const auto* option : app.get_options()) {
    if (option->get_group().empty()) // Hidden.
      continue;
    auto& list = option->nonpositional() ? out.options : out.arguments;
    list.push_back(described(*option));
  }
  return out;
}

void collect(const CLI::App& app, const std::string& above, std::vector<VerbText>& out) {
  for (const auto* verb : app.get_subcommands(std::function<bool(const CLI::App*)>{})) {
    if (verb->get_group().empty())
      continue;
    out.push_back(described(*verb, above));
    collect(*verb, above + verb->get_name() + " ", out);
  }
}

bool has(const VerbText& verb, const OptionText& option) {
  return std::ranges::find(verb.options, option) != verb.options.end();
}

void move_common(CliText& text) {
  if (text.verbs.empty())
    return;
  for (const auto& option : text.verbs.front().options)
    if (std::ranges::all_of(text.verbs, [&](const auto& verb) { return has(verb, option); }))
      text.common.push_back(option);
  for (auto& verb : text.verbs)
    std::erase_if(verb.options, [&](const auto& option) {
      return std::ranges::find(text.common, option) != text.common.end();
    });
}

} // namespace

Wants OptionText::wants() const {
  static const std::pair<std::string_view, Wants> by_value[] = {
      {"FILE", Wants::file},     {"DIR", Wants::folder}, {"PATH", Wants::file},
      {"KERNEL", Wants::kernel}, {"JOB", Wants::job},    {"K=V", Wants::param}};
  for (const auto& [placeholder, what] : by_value)
    if (value == placeholder)
      return what;
  return words.empty() ? Wants::nothing : Wants::words;
}

CliText cli_text(const CLI::App& app) {
  CliText text;
  collect(app, "", text.verbs);
  move_common(text);
  return text;
}

} // namespace tessera::cli
