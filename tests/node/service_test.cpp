#include "cli_rig.hpp"

#include "node/cli/unit.hpp"

#include <sys/stat.h>

using namespace tessera;

namespace {

// A systemctl and a loginctl that write down what they are told, and answer by the files beside
// them. A node that they start answers where one of this user's would.
struct FakeSystemd {
  CleanEnvironment environment;
  Folder bin;
  ScriptedNode node;

  FakeSystemd() {
    const auto from = node.folder.path.string();
    const auto run = environment.home.path.string() + "/.local/state/tessera/run/tessera";
    program("systemctl",
            "echo \"$@\" >>\"$0.calls\"\n"
            "case \"$*\" in *is-active*) cat \"$0.active\" 2>/dev/null || echo inactive; exit;;"
            " *is-enabled*) cat \"$0.enabled\" 2>/dev/null || echo disabled; exit;; esac\n"
            "[ ! -e \"$0.broken\" ] || { cat \"$0.broken\"; exit 1; }\n"
            "case \"$*\" in *start*) echo active >\"$0.active\"; mkdir -p " +
                run + "; cp " + from + "/api " + from + "/token " + run + ";;" +
                " *disable*) rm -f \"$0.active\" " + run + "/api;; esac\n");
    program("loginctl", "echo no\n");
    path_ = std::getenv("PATH");
    setenv("PATH", (bin.path.string() + ":" + path_).c_str(), 1);
  }
  ~FakeSystemd() { setenv("PATH", path_.c_str(), 1); }

  void program(const std::string& name, const std::string& body) const {
    bin.put(name, "#!/bin/sh\n" + body);
    chmod((bin.path / name).c_str(), 0755);
  }
  // Since the last call of this, without --user.
  std::string calls() const {
    auto text = bin.get("systemctl.calls");
    fs::remove(bin.path / "systemctl.calls");
    for (std::size_t at; (at = text.find("--user ")) != text.npos;)
      text.erase(at, 7);
    return text;
  }
  std::string file() const { return ".config/systemd/user/tessera.service"; }
  std::string unit() const { return environment.home.get(file()); }

private:
  std::string path_;
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

} // namespace

TEST_CASE("service install writes the unit, and has systemd start it") {
  FakeSystemd systemd;
  const auto said = tessera_says({"service", "install"});
  INFO(said.err);
  CHECK(said.exit == 0);
  CHECK(has(said.err, "loginctl enable-linger"));
  const auto self = fs::read_symlink("/proc/self/exe").string();
  CHECK(has(systemd.unit(), "ExecStart=\"" + self + "\" start\n"));
  CHECK(has(systemd.unit(), "%h/.local/state/tessera"));
  CHECK(cli::untouched(systemd.unit()));
  CHECK(systemd.calls() == "show --property=Version\nis-active tessera.service\ndaemon-reload\n"
                           "enable tessera.service\nrestart tessera.service\n");
}

TEST_CASE("a second service install changes nothing, and restarts nothing") {
  FakeSystemd systemd;
  tessera_says({"service", "install"});
  const auto before = systemd.unit();
  systemd.calls();
  CHECK(tessera_says({"service", "install"}).exit == 0);
  CHECK(systemd.unit() == before);
  CHECK(has(systemd.calls(), "enable tessera.service\nstart tessera.service\n"));
}

TEST_CASE("a unit that was changed by hand is neither overwritten nor removed without --force") {
  FakeSystemd systemd;
  tessera_says({"service", "install"});
  const auto changed = systemd.unit() + "# mine\n";
  systemd.environment.home.put(systemd.file(), changed);
  for (const std::string verb : {"install", "uninstall"}) {
    systemd.calls();
    const auto said = tessera_says({"service", verb});
    CHECK(said.exit == 1);
    CHECK(said.code() == "E458");
    CHECK(systemd.unit() == changed);
    CHECK(systemd.calls() == "show --property=Version\n");
  }
  CHECK(has(tessera_says({"service", "status", "--json"}).out, "\"changed\":true"));
  CHECK(tessera_says({"service", "install", "--force"}).exit == 0);
  CHECK(cli::untouched(systemd.unit()));
}

TEST_CASE("an older unit of ours is renewed") {
  FakeSystemd systemd;
  const auto older = cli::unit_text(cli::plain_unit("/opt/old/bin/tessera"));
  systemd.environment.home.put(systemd.file(), older);
  CHECK(tessera_says({"service", "install"}).exit == 0);
  CHECK(systemd.unit() != older);
  CHECK(has(systemd.calls(), "restart tessera.service"));
}

TEST_CASE("service uninstall stops it and removes the unit; a second one says that none is there") {
  FakeSystemd systemd;
  tessera_says({"service", "install"});
  systemd.bin.put("systemctl.enabled", "enabled\n");
  systemd.calls();
  CHECK(tessera_says({"service", "uninstall"}).exit == 0);
  CHECK(systemd.unit().empty());
  CHECK(has(systemd.calls(), "disable --now tessera.service\ndaemon-reload\n"));
  fs::remove(systemd.bin.path / "systemctl.enabled");
  const auto said = tessera_says({"service", "uninstall"});
  CHECK(said.exit == 0);
  CHECK(has(said.err, "there is no service of yours"));
  CHECK(!has(systemd.calls(), "disable"));
}

TEST_CASE("without a systemd of the user's, nothing is written") {
  FakeSystemd systemd;
  systemd.bin.put("systemctl.broken", "Failed to connect to bus: No medium found\n");
  for (const std::string verb : {"install", "uninstall", "status"}) {
    const auto said = tessera_says({"service", verb});
    CHECK(said.exit == 1);
    CHECK(said.code() == "E457");
    CHECK(has(said.err, "No medium found"));
    CHECK(has(said.err, "nohup tessera start"));
  }
  setenv("PATH", "/nowhere", 1);
  CHECK(has(tessera_says({"service", "install"}).err, "systemctl is not installed"));
  CHECK(systemd.unit().empty());
}

TEST_CASE("what systemd refuses is said in its words") {
  FakeSystemd systemd;
  systemd.program("systemctl", "case \"$*\" in *enable*) echo Unit is masked.; exit 1;; esac\n");
  const auto said = tessera_says({"service", "install"});
  CHECK(said.exit == 1);
  CHECK(said.code() == "E459");
  CHECK(has(said.err, "systemctl --user enable tessera.service failed"));
  CHECK(has(said.err, "Unit is masked."));
}

TEST_CASE("a service whose node does not answer is no success") {
  FakeSystemd systemd;
  systemd.program("systemctl", "case \"$*\" in *is-active*) echo failed;; esac\n");
  const auto said = tessera_says({"service", "install"});
  CHECK(said.exit == 1);
  CHECK(said.code() == "E459");
  CHECK(has(said.err, "journalctl --user -u tessera"));
}

TEST_CASE("a node that was started by hand is not joined by a second one") {
  FakeSystemd systemd;
  tessera_says({"service", "install"});
  tessera_says({"service", "uninstall", "--force"});
  const auto run = systemd.environment.home.path / ".local/state/tessera/run/tessera";
  fs::copy_file(systemd.node.folder.path / "api", run / "api",
                fs::copy_options::overwrite_existing);
  fs::remove(systemd.bin.path / "systemctl.active");
  const auto said = tessera_says({"service", "install"});
  CHECK(said.exit == 1);
  CHECK(said.code() == "E459");
  CHECK(has(said.err, "tessera stop"));
  CHECK(systemd.unit().empty());
}

TEST_CASE("a folder and XDG variables of one's own go into the unit, as systemd reads them") {
  FakeSystemd systemd;
  const auto folder = systemd.environment.home.path / "100% \"mine\" $HOME";
  const auto unit = tessera_says({"service", "unit", "--data", folder.string()}).out;
  const auto home = systemd.environment.home.path.string();
  CHECK(has(unit, " start \"--data\" \"" + home + "/100%% \\\"mine\\\" $$HOME\"\n"));
  CHECK(has(unit, "ReadWritePaths=\"" + home + "/100%% \\\"mine\\\" $HOME\"\n"));
  setenv("XDG_STATE_HOME", "/var/tmp/state", 1);
  const auto said = tessera_says({"service", "unit"});
  CHECK(has(said.out, "Environment=\"XDG_STATE_HOME=/var/tmp/state\"\n"));
  CHECK(has(said.out, "\"/var/tmp/state/tessera\""));
  CHECK(has(said.out, "%h/.local/share/tessera"));
}

TEST_CASE("a service can be told four things") {
  FakeSystemd systemd;
  CHECK(tessera_says({"service"}).code() == "E400");
  CHECK(tessera_says({"service", "restart"}).code() == "E400");
  CHECK(systemd.calls().empty());
}
