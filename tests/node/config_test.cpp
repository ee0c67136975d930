#include "cli_rig.hpp"
#include "node/cli/command.hpp"

#include <doctest/doctest.h>

using namespace tessera;
using nlohmann::json;

namespace {

json told(std::vector<std::string> words) {
  words.insert(words.begin(), "config");
  words.push_back("--json");
  const auto said = tessera_says(words);
  INFO(said.err);
  REQUIRE(said.exit == 0);
  return json::parse(said.out);
}

} // namespace

TEST_CASE("config says of each setting its value, its unit and where it comes from") {
  const CleanEnvironment clean;
  const auto file = (clean.home.path / ".config/tessera/tessera.toml").string();
  clean.home.put(".config/tessera/tessera.toml",
                 "# mine\nslots = 3\nmemory = \"64M\"\nname = \"file\"\n[limits]\nwasm = false\n");
  setenv("TESSERA_NAME", "attic", 1);
  const auto slots = told({"slots", "--slots", "2"});
  CHECK(slots["value"] == 2);
  CHECK(slots["from"] == "--slots");
  CHECK(told({"slots"})["from"] == file + ":2");
  const auto memory = told({"memory"});
  CHECK(memory["value"] == 64 << 20);
  CHECK(memory["unit"] == "bytes");
  CHECK(memory["from"] == file + ":3");
  CHECK(memory["default"] == 1 << 30);
  CHECK(told({"name"})["value"] == "attic");
  CHECK(told({"name"})["from"] == "TESSERA_NAME");
  CHECK(told({"limits.wasm"})["value"] == false);
  CHECK(told({"limits.wasm"})["from"] == file + ":6");
  CHECK(told({"api_port"})["from"] == "default");
  CHECK(told({"api_port"})["unit"] == nullptr);
  CHECK(told({"seed", "--seed", "a:1", "--seed", "b:2"})["value"] == json{"a:1", "b:2"});
}

TEST_CASE("config lists all settings, and each may be asked for") {
  const CleanEnvironment clean;
  const auto said = tessera_says({"config", "--json"});
  CHECK(said.exit == 0);
  std::istringstream in{said.out};
  std::size_t count = 0;
  for (std::string line; std::getline(in, line); ++count) {
    const auto setting = json::parse(line);
    CHECK(told({setting["name"]}) == setting);
    CHECK(setting["help"] != "");
  }
  CHECK(count == cli::setting_table().size());
  const auto text = tessera_says({"config"}).out;
  for (const auto& setting : cli::setting_table()) {
    CHECK(text.find(std::string{"\n"} + setting.name + " ") != text.npos);
    CHECK(tessera_says({"start", "--help"}).out.find(setting.flag) != std::string::npos);
  }
}

TEST_CASE("an invite is not shown") {
  const CleanEnvironment clean;
  setenv("TESSERA_JOIN", "tess1hush", 1);
  for (const auto& words :
       {std::vector<std::string>{"config"}, {"config", "join"}, {"config", "--json"}}) {
    const auto said = tessera_says(words);
    CHECK(said.out.find("hush") == std::string::npos);
    CHECK(said.out.find("TESSERA_JOIN") != std::string::npos);
  }
  unsetenv("TESSERA_JOIN");
}

TEST_CASE("a setting that is none is met with the nearest one") {
  const CleanEnvironment clean;
  const auto said = tessera_says({"config", "slotz"});
  CHECK(said.exit == 4);
  CHECK(said.err == "E434 there is no setting \"slotz\"\n     tessera config lists them all\n"
                    "     did you mean slots?\n");
}

TEST_CASE("the example is a file of comments; without their signs it sets what is so anyway") {
  const CleanEnvironment clean;
  const auto example = tessera_says({"config", "--example"}).out;
  clean.home.put(".config/tessera/tessera.toml", example);
  CHECK(told({"slots"})["from"] == "default");
  std::istringstream in{example};
  std::string bare;
  for (std::string line; std::getline(in, line);)
    bare +=
        (line.starts_with("# ") && line.find(" = ") != line.npos ? line.substr(2) : line) + "\n";
  clean.home.put(".config/tessera/tessera.toml", bare);
  INFO(bare);
  for (const auto& setting : cli::setting_table()) {
    if (std::string{setting.name} == "join" || std::string{setting.name} == "listen")
      continue; // An empty invite is none; a port that is given is no port that is looked for.
    const auto now = told({setting.name});
    CHECK(now["from"].get<std::string>().find("tessera.toml:") != std::string::npos);
    if (!now["default"].is_null())
      CHECK(now["value"] == now["default"]);
  }
}
