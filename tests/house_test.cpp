#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <utility>
#include <vector>

namespace fs = std::filesystem;

namespace {

// Each room may use those before it.
const std::vector<std::string> rooms{"crypto", "net", "actors", "node"};

// Each library lives in one place.
const std::vector<std::pair<std::string, std::string>> guests{
    {"sodium", "crypto/"},
    {"capnp/", "net/wire/"},
    {"kj/", "net/wire/"},
    {"asio", "net/asio/|node/"},
    {"caf/", "actors/.*_actor|node/"},
    {"sqlite3", "node/store/"},
    {"wasmtime", "node/worker/wasm/"},
    {"wasm.h", "node/worker/wasm/"},
    {"wasi.h", "node/worker/wasm/"},
    {"seccomp", "node/worker/"},
    {"restinio", "node/http/"},
    {"CLI/", "node/cli/"},
    {"httplib", "node/cli/"},
    {"png", "node/kernels/"},
    {"jpeglib", "node/kernels/"},
    {"toml++", "node/cli/"},
    {"prometheus", "node/metrics"},
};

const std::vector<std::string> top_level{
    "CMakeLists.txt", "CMakePresets.json",     "LICENSE", "README.md", "actors", "build",
    "cmake",          "compile_commands.json", "crypto",  "examples",  "net",    "node",
    "tests"};

struct Include {
  std::string file, target;
};

int room_of(const std::string& path) {
  const auto room = std::find(rooms.begin(), rooms.end(), path.substr(0, path.find('/')));
  return room == rooms.end() ? -1 : int(room - rooms.begin());
}

// Why this include may not stand; empty if it may.
std::string objection(const Include& i) {
  if (room_of(i.target) > room_of(i.file))
    return "points right";
  for (const auto& [guest, home] : guests)
    if (i.target.starts_with(guest) && !std::regex_search(i.file, std::regex{"^(" + home + ")"}))
      return "is a guest of " + home;
  return "";
}

std::vector<Include> includes() {
  const std::regex source{R"(\.(hpp|cpp)$)"};
  const std::regex include{R"(^\s*#\s*include\s*[<"]([^">]+)[">])"};
  std::vector<Include> found;
  for (const auto& room : rooms)
    for (const auto& entry : fs::recursive_directory_iterator(room)) {
      const auto file = entry.path().string();
      if (!std::regex_search(file, source))
        continue;
      std::ifstream in{file};
      for (std::string line; std::getline(in, line);)
        if (std::smatch m; std::regex_search(line, m, include))
          found.push_back({file, m[1]});
    }
  return found;
}

} // namespace

TEST_CASE("every include points left, and every guest stays in its room") {
  const auto all = includes();
  REQUIRE(all.size() > 100);
  for (const auto& i : all) {
    INFO(i.file << " includes " << i.target);
    CHECK(objection(i) == "");
  }
}

TEST_CASE("the house test objects to what it should") {
  CHECK(objection({"crypto/digest.cpp", "net/session.hpp"}) == "points right");
  CHECK(objection({"net/session.cpp", "sodium.h"}) != "");
  CHECK(objection({"actors/job.cpp", "caf/actor.hpp"}) != "");
  CHECK(objection({"actors/job_actor.cpp", "caf/actor.hpp"}) == "");
  CHECK(objection({"node/wasm/abi.cpp", "wasmtime.h"}) != "");
  CHECK(objection({"node/worker/serve.cpp", "wasm.h"}) != "");
  CHECK(objection({"node/worker/wasm/engine.cpp", "wasmtime.h"}) == "");
}

TEST_CASE("the top level holds what it should, and no more") {
  for (const auto& entry : fs::directory_iterator(".")) {
    const auto name = entry.path().filename().string();
    INFO(name);
    CHECK((name.starts_with(".") ||
           std::find(top_level.begin(), top_level.end(), name) != top_level.end()));
  }
}
