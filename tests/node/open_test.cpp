#include "cli_rig.hpp"

#include <pty.h>
#include <sys/stat.h>

using namespace tessera;

namespace {

// A desktop: xdg-open is a script of ours that notes what it was told.
struct Desktop {
  CleanEnvironment environment;
  Folder bin;
  ScriptedNode node;

  explicit Desktop(const std::string& script = "printf '%s\\n' \"$@\" >\"$0.told\"\n") {
    node.on("GET /v1/status", {{"schema", 1}, {"id", "AAAA-BBBB"}});
    bin.put("xdg-open", "#!/bin/sh\n" + script);
    fs::permissions(bin.path / "xdg-open", fs::perms::owner_all);
    setenv("PATH", (bin.path.string() + ":" + path).c_str(), 1);
    setenv("DISPLAY", ":7", 1);
    unsetenv("WAYLAND_DISPLAY");
  }
  ~Desktop() { setenv("PATH", path.c_str(), 1); }

  std::string url() const {
    auto api = node.folder.get("api");
    api.pop_back();
    return api + "/#token=t0ken";
  }
  std::string told() const { return bin.get("xdg-open.told"); }
  fs::path page() const { return node.folder.path / "open.html"; }

  const std::string path = std::getenv("PATH");
};

// What a terminal shows of what `act` writes to standard output.
std::string on_terminal(const std::function<void()>& act) {
  int screen = -1, line = -1;
  REQUIRE(openpty(&screen, &line, nullptr, nullptr, nullptr) == 0);
  std::fflush(nullptr);
  const int saved = dup(STDOUT_FILENO);
  dup2(line, STDOUT_FILENO);
  act();
  std::fflush(nullptr);
  dup2(saved, STDOUT_FILENO);
  close(saved);
  close(line);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(screen, buffer, sizeof buffer)) > 0;)
    text.append(buffer, std::size_t(n));
  close(screen);
  return text;
}

} // namespace

TEST_CASE("the browser is told of a file that only this user reads, never of the token") {
  Desktop desktop;
  umask(0);
  const auto said = desktop.node.says({"open"});
  umask(022);
  CHECK(said.exit == 0);
  CHECK(desktop.told() == desktop.page().string() + "\n");
  struct stat info {};
  REQUIRE(stat(desktop.page().c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  const auto page = desktop.node.folder.get("open.html");
  CHECK(page.find("content=\"0; url=" + desktop.url() + "\"") != page.npos);
  CHECK(page.find("no-referrer") != page.npos);
}

TEST_CASE("a file of others that lies in the page's place lends neither mode nor content") {
  Desktop desktop;
  desktop.node.folder.put("open.html", "old");
  fs::permissions(desktop.page(), fs::perms::all);
  std::ifstream reader{desktop.page()}; // Opened before.
  CHECK(desktop.node.says({"open"}).exit == 0);
  struct stat info {};
  REQUIRE(stat(desktop.page().c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  CHECK(std::string{std::istreambuf_iterator<char>{reader}, {}} == "old");
}

TEST_CASE("the token is printed to a terminal and for --json, and kept out of pipes and files") {
  Desktop desktop;
  const auto piped = desktop.node.says({"open"});
  CHECK((piped.out + piped.err).find("t0ken") == std::string::npos);

  const auto json = desktop.node.says({"open", "--json", "--no-browser"});
  CHECK(nlohmann::json::parse(json.out) ==
        nlohmann::json{{"schema", 1}, {"url", desktop.url()}, {"opened", false}});

  const auto& node = desktop.node;
  const auto screen = on_terminal([&] {
    std::vector<std::string> words{"tessera", "open", "--data", node.folder.path.string()};
    std::vector<char*> argv;
    for (auto& word : words)
      argv.push_back(word.data());
    CHECK(run_cli(int(argv.size()), argv.data(), {}) == 0);
  });
  CHECK(screen == desktop.url() + "\r\n");
}

TEST_CASE("without a display nothing is opened, and what to type is said") {
  Desktop desktop;
  unsetenv("DISPLAY");
  const auto piped = desktop.node.says({"open"});
  CHECK(piped.exit == 1);
  CHECK(piped.code() == "E450");
  CHECK(piped.err.find("t0ken") == std::string::npos);
  CHECK(nlohmann::json::parse(desktop.node.says({"open", "--json"}).out)["opened"] == false);
  CHECK(desktop.told().empty());
  CHECK_FALSE(fs::exists(desktop.page()));

  setenv("WAYLAND_DISPLAY", "wayland-0", 1);
  CHECK(nlohmann::json::parse(desktop.node.says({"open", "--json"}).out)["opened"] == true);
  unsetenv("WAYLAND_DISPLAY");
}

TEST_CASE("a browser that cannot be opened is said") {
  SUBCASE("xdg-open fails") {
    Desktop desktop{"exit 3\n"};
    CHECK(desktop.node.says({"open"}).code() == "E452");
  }
  SUBCASE("there is none") {
    Desktop desktop;
    setenv("PATH", "/nowhere", 1);
    CHECK(desktop.node.says({"open"}).code() == "E452");
  }
  SUBCASE("the file cannot be written") {
    Desktop desktop;
    fs::create_directories(desktop.page() / "full");
    CHECK(desktop.node.says({"open"}).code() == "E451");
    CHECK(desktop.told().empty());
  }
}

TEST_CASE("nothing is opened of a node that is not there, or has another token") {
  Desktop desktop;
  desktop.node.folder.put("token", "another\n");
  CHECK(desktop.node.says({"open"}).code() == "E505");
  desktop.node.folder.put("api", "http://127.0.0.1:1\n");
  CHECK(desktop.node.says({"open"}).code() == "E301");
  CHECK(desktop.told().empty());
}
