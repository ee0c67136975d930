#include "cli_rig.hpp"

#include "node/cli/new_task.hpp"

#include <algorithm>

using namespace tessera;
using nlohmann::json;

namespace {

std::string text_of_file(const fs::path& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

std::vector<std::string> files_below(const fs::path& folder) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      found.push_back(fs::relative(entry.path(), folder).string());
  std::sort(found.begin(), found.end());
  return found;
}

// What a project of each language holds, and which file of examples/sdk it is.
const std::map<std::string, std::map<std::string, std::string>> wanted{
    {"c",
     {{"Makefile", "templates/c/Makefile"},
      {"README.md", "templates/c/README.md"},
      {"task.c", "c/sum.c"},
      {"tessera.h", "c/tessera.h"}}},
    {"cpp",
     {{"Makefile", "templates/cpp/Makefile"},
      {"README.md", "templates/cpp/README.md"},
      {"task.cpp", "cpp/sum.cpp"},
      {"tessera.hpp", "cpp/tessera.hpp"}}},
    {"rust",
     {{".cargo/config.toml", "templates/rust/.cargo/config.toml"},
      {"Cargo.toml", "templates/rust/Cargo.toml"},
      {"Makefile", "templates/rust/Makefile"},
      {"README.md", "templates/rust/README.md"},
      {"src/lib.rs", "rust/sum.rs"},
      {"tessera/Cargo.toml", "rust/Cargo.toml"},
      {"tessera/src/lib.rs", "rust/src/lib.rs"}}},
    {"as",
     {{"Makefile", "templates/as/Makefile"},
      {"README.md", "templates/as/README.md"},
      {"package.json", "templates/as/package.json"},
      {"task.ts", "as/sum.ts"},
      {"tessera.ts", "as/tessera.ts"}}},
};

std::vector<std::string> names(const std::map<std::string, std::string>& files) {
  std::vector<std::string> out;
  for (const auto& [name, from] : files)
    out.push_back(name);
  return out;
}

void check_refused(const Said& said, int exit, const std::string& code, const std::string& part) {
  INFO(said.err);
  CHECK(said.exit == exit);
  CHECK(said.code() == code);
  CHECK(std::count(said.err.begin(), said.err.end(), '\n') == 3);
  CHECK(said.err.find(part) != std::string::npos);
  CHECK(said.out == "");
}

} // namespace

TEST_CASE("a new task holds the sources of the SDK, byte by byte, and nothing else") {
  const CleanEnvironment clean;
  const Folder folder;
  for (const auto& language : cli::task_languages()) {
    INFO(language);
    const auto place = folder.path / language;
    const auto said = tessera_says({"new", "task", "--lang", language, place.string()});
    CHECK(said.exit == 0);
    CHECK(files_below(place) == names(wanted.at(language)));
    for (const auto& [name, from] : wanted.at(language)) {
      INFO(name);
      CHECK(text_of_file(place / name) == text_of_file(fs::path{"examples/sdk"} / from));
      CHECK(said.out.find((place / name).string() + "\n") != std::string::npos);
    }
    CHECK(said.err.find("cd " + place.string() + " && make") != std::string::npos);
  }
}

TEST_CASE("a new task's README says what to type next") {
  const Folder folder;
  for (const auto& language : cli::task_languages()) {
    cli::write_task(language, folder.path / language);
    const auto readme = folder.get(language + "/README.md");
    for (const char* command : {"\nmake ", "\nmake test ", "\ntessera run --local task.wasm ",
                                "\ntessera run task.wasm --items 1000000 -o out "})
      CHECK(readme.find(command) != std::string::npos);
    CHECK(folder.get(language + "/Makefile").find("\ntest: task.wasm\n") != std::string::npos);
  }
}

TEST_CASE("a new task takes an empty folder, and leaves alone one that holds anything") {
  const CleanEnvironment clean;
  const Folder empty, full;
  CHECK(tessera_says({"new", "task", "--lang", "c", empty.path.string()}).exit == 0);
  CHECK(empty.files() == 4);
  full.put("thesis.tex", "mine");
  for (const auto& place : {full.path, full.path / "thesis.tex"})
    check_refused(tessera_says({"new", "task", "--lang", "c", place.string()}), 2, "E441",
                  "name another");
  CHECK(full.files() == 1);
  CHECK(full.get("thesis.tex") == "mine");
}

TEST_CASE("a new task in a language that is none names the one that was meant") {
  const CleanEnvironment clean;
  const Folder folder;
  const auto place = (folder.path / "task").string();
  for (const auto& [typed, meant] : std::map<std::string, std::string>{
           {"c++", "cpp"}, {"rustt", "rust"}, {"assemblyscript", "as"}, {"ts", "as"}})
    check_refused(tessera_says({"new", "task", "--lang", typed, place}), 2, "E402",
                  "did you mean: --lang " + meant + "\n");
  check_refused(tessera_says({"new", "task", "--lang", "cobol", place}), 2, "E402", "--lang c\n");
  check_refused(tessera_says({"new", "task", place}), 2, "E400", "--lang c " + place);
  check_refused(tessera_says({"new", "tusk", "--lang", "c", place}), 2, "E400", "new task");
  CHECK(folder.files() == 0);
}

TEST_CASE("a new task that cannot be written says where and why") {
  const CleanEnvironment clean;
  const Folder folder;
  folder.put("file", "");
  check_refused(tessera_says({"new", "task", "--lang", "c", (folder.path / "file/below").string()}),
                1, "E442", "Not a directory");
}

TEST_CASE("a new task answers in JSON") {
  const CleanEnvironment clean;
  const Folder folder;
  const auto place = (folder.path / "task").string();
  const auto said = tessera_says({"new", "task", "--lang", "rust", place, "--json"});
  const auto answer = json::parse(said.out);
  CHECK(answer["schema"] == 1);
  CHECK(answer["language"] == "rust");
  CHECK(answer["folder"] == place);
  CHECK(answer["files"] == json(names(wanted.at("rust"))));
  CHECK(said.err == "");
}
