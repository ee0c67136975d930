#include "node/cli/cli_text.hpp"
#include "node/cli/command.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace tessera::cli;

namespace {

const VerbText& verb_named(const CliText& text, const std::string& name) {
  const auto it = std::ranges::find(text.verbs, name, &VerbText::name);
  REQUIRE(it != text.verbs.end());
  return *it;
}

const OptionText& option_named(const VerbText& verb, const std::string& name) {
  for (const auto* list : {&verb.options, &verb.arguments})
    for (const auto& option : *list)
      if (std::ranges::find(option.names, name) != option.names.end())
        return option;
  FAIL("no " << name);
  return verb.options.front();
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

CliText sample() {
  OptionText option{{"-x", "--ex-y"}, "", {}, "it's [a] 100% \\ $(thing): 'so'", false, false};
  return {{{"go", "Go", {option}, {}}}, {}};
}

} // namespace

TEST_CASE("every verb that is parsed is described, and no hidden one") {
  const auto text = cli_text();
  for (const auto& verb : verbs)
    verb_named(text, verb);
  for (const auto& hidden : hidden_verbs)
    CHECK(std::ranges::find(text.verbs, hidden, &VerbText::name) == text.verbs.end());
}

TEST_CASE("an option says what it wants") {
  const auto text = cli_text();
  const auto wants = [&](const std::string& verb, const std::string& option) {
    return option_named(verb_named(text, verb), option).wants();
  };
  CHECK(wants("submit", "--input") == Wants::file);
  CHECK(wants("submit", "kernel") == Wants::kernel);
  CHECK(wants("submit", "-p") == Wants::param);
  CHECK(wants("wait", "job") == Wants::job);
  CHECK(wants("new", "folder") == Wants::folder);
  CHECK(wants("start", "--listen") == Wants::nothing);
  CHECK(option_named(verb_named(text, "run"), "--nan").words ==
        std::vector<std::string>{"plain", "strict"});
  CHECK(option_named(verb_named(text, "run"), "--leaf").words == std::vector<std::string>{"auto"});
  CHECK(option_named(verb_named(text, "submit"), "--detach").value == "");
}

TEST_CASE("what every verb takes is described once") {
  const auto text = cli_text();
  std::vector<std::string> common;
  for (const auto& option : text.common)
    common.push_back(option.names.back());
  for (const std::string name : {"--help", "--data", "--api", "--token-file", "--json", "--color"})
    CHECK(std::ranges::find(common, name) != common.end());
  for (const auto& verb : text.verbs)
    for (const auto& option : verb.options)
      CHECK(option.names.back() != "--json");
}

TEST_CASE("help that holds quotes, brackets and backslashes comes through whole") {
  CHECK(has(man_page(sample()), "it's [a] 100% \\e $(thing): 'so'."));
  CHECK(has(completions(sample(), "zsh"), "it'\\''s \\[a\\] 100% \\\\ $(thing): '\\''so'\\''"));
  CHECK(has(completions(sample(), "fish"), "'it\\'s [a] 100% \\\\ $(thing): \\'so\\''"));
  CHECK(!has(completions(sample(), "bash"), "$(thing)"));
}

TEST_CASE("no line of the manual is a request by accident") {
  CliText text = sample();
  text.verbs[0].options[0].help = std::string(75, 'x') + " .PP 'quote";
  CHECK(has(man_page(text), "\n\\&.PP"));
}
