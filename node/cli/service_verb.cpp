#include "node/cli/api.hpp"
#include "node/cli/failed.hpp"
#include "node/cli/program.hpp"
#include "node/cli/unit.hpp"
#include "node/cli/verbs.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <pwd.h>
#include <thread>
#include <unistd.h>

// The node as a service of the user's own systemd: no root, and none of it without systemd.
namespace tessera::cli {

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

using namespace std::chrono_literals;

const std::string unit{unit_name};
constexpr auto answer_time_max = 10s;
constexpr auto answer_poll = 100ms;

std::string first_line(const std::string& text) {
  const auto line = text.substr(0, text.find('\n'));
  return line.empty() ? "it said nothing" : shown(line);
}

std::string without_end(std::string text) {
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  return shown(text);
}

Failed no_systemd(std::string why) {
  return {Exit::failed,
          {"E457", "there is no systemd of yours to run the node", std::move(why),
           "start it yourself: nohup tessera start >tessera.log 2>&1 &"}};
}

Ran systemctl(std::vector<std::string> words) {
  words.insert(words.begin(), {"systemctl", "--user"});
  auto ran = run_program(words);
  if (!ran)
    throw no_systemd("systemctl is not installed");
  return std::move(*ran);
}

// What only asks; a negative answer is no failure.
std::string asked(const std::string& what) {
  return without_end(systemctl({what, unit}).said);
}

void must(const std::vector<std::string>& words) {
  const auto ran = systemctl(words);
  if (ran.exit == 0)
    return;
  std::string typed = "systemctl --user";
  for (const auto& word : words)
    typed += " " + word;
  throw Failed{Exit::failed,
               {"E459", typed + " failed", first_line(ran.said),
                "see: journalctl --user -u tessera; then try again"}};
}

void check_systemd() {
  const auto ran = systemctl({"show", "--property=Version"});
  if (ran.exit != 0)
    throw no_systemd("systemctl --user says: " + first_line(ran.said));
}

// --- The unit's file

fs::path own_file() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  const fs::path base =
      config && *config == '/' ? fs::path{config} : fs::path{home ? home : "/"} / ".config";
  return base / "systemd/user" / unit;
}

std::optional<std::string> text_of(const fs::path& file) {
  std::ifstream in{file, std::ios::binary};
  if (!in)
    return {};
  return std::string{std::istreambuf_iterator<char>{in}, {}};
}

// The program as it can be found again: what runs now, without links.
std::string this_program() {
  std::error_code bad;
  const auto path = fs::read_symlink("/proc/self/exe", bad).string();
  return bad ? "/usr/bin/tessera" : path;
}

// A package's unit that says the same, if there is one.
std::optional<fs::path> packaged(const std::string& wanted) {
  for (const auto& folder : {fs::path{"/etc/systemd/user"}, fs::path{"/usr/local/lib/systemd/user"},
                             fs::path{"/usr/lib/systemd/user"}})
    if (text_of(folder / unit) == wanted)
      return folder / unit;
  return {};
}

void check_untouched(const fs::path& file, bool force, const std::string& verb) {
  const auto text = text_of(file);
  if (!text || untouched(*text) || force)
    return;
  throw Failed{
      Exit::failed,
      {"E458", file.string() + " was changed by hand", "it is not as tessera wrote it",
       "keep it and run: systemctl --user enable --now tessera; or lose it: tessera service " +
           verb + " --force"}};
}

Failed cannot_write(const fs::path& file, const std::string& why) {
  return {Exit::failed,
          {"E442", "cannot write " + file.string(), why, "choose a folder that you may write"}};
}

// Whole or not at all.
void write_unit(const fs::path& file, const std::string& text) {
  std::error_code bad;
  fs::create_directories(file.parent_path(), bad);
  const fs::path fresh = file.string() + ".new";
  errno = 0;
  std::ofstream out{fresh, std::ios::binary};
  out << text << std::flush;
  if (!out)
    throw cannot_write(file, std::strerror(errno));
  out.close();
  fs::rename(fresh, file, bad);
  if (bad)
    throw cannot_write(file, bad.message());
}

// --- Around it

std::string user_name() {
  const auto* user = getpwuid(getuid());
  return user && user->pw_name ? user->pw_name : std::to_string(getuid());
}

// Whether the node stays when its user logs out; "unknown" without logind.
std::string linger() {
  const auto ran =
      run_program({"loginctl", "show-user", user_name(), "--property=Linger", "--value"});
  const auto said = ran && ran->exit == 0 ? without_end(ran->said) : "";
  return said == "yes" || said == "no" ? said : "unknown";
}

bool node_answers(const Common& common) {
  try {
    return Api{common}.answers();
  } catch (const Failed&) { // It left no address.
    return false;
  }
}

void check_none_by_hand(const Command& c) {
  if (asked("is-active") == "active" || !node_answers(c.common))
    return;
  throw Failed{Exit::failed,
               {"E459", "a node runs here that was started by hand",
                "the service would be a second one in the same folder",
                "end it, then try again: tessera stop && tessera service install"}};
}

// systemd is content with a program that began; a person wants a node that answers.
void await_node(const Common& common) {
  const auto give_up = std::chrono::steady_clock::now() + answer_time_max;
  while (!node_answers(common)) {
    if (std::chrono::steady_clock::now() >= give_up || asked("is-active") == "failed")
      throw Failed{Exit::failed,
                   {"E459", "the service was started, but its node does not answer",
                    "systemd calls it " + asked("is-active"),
                    "see what it said: journalctl --user -u tessera -n 20"}};
    std::this_thread::sleep_for(answer_poll);
  }
}

// --- The verbs

void tell_linger(Terminal& terminal) {
  if (linger() == "yes")
    return terminal.note("it starts with the machine, and stays when you log out");
  terminal.note("it starts when you log in, and ends when you log out; to have it always:");
  terminal.note(" next  loginctl enable-linger");
}

void install(const Command& c, Terminal& terminal) {
  check_systemd();
  const auto file = own_file();
  const auto text = unit_text(own_unit(this_program(), c.common.data));
  check_untouched(file, c.action.force, "install");
  check_none_by_hand(c);
  const auto before = text_of(file);
  const auto from_package = before ? std::nullopt : packaged(text);
  const bool change = !from_package && before != text;
  if (change) {
    write_unit(file, text);
    must({"daemon-reload"});
  }
  must({"enable", unit});
  must({change ? "restart" : "start", unit});
  await_node(c.common);
  const auto where = from_package ? *from_package : file;
  if (c.common.json)
    return terminal.json({{"unit", where.string()}, {"written", change}, {"linger", linger()}});
  terminal.note("the node runs as your service, by " + where.string());
  tell_linger(terminal);
  terminal.next("tessera status");
}

void uninstall(const Command& c, Terminal& terminal) {
  check_systemd();
  const auto file = own_file();
  check_untouched(file, c.action.force, "uninstall");
  const bool there = asked("is-enabled") == "enabled" || asked("is-active") == "active";
  if (there)
    must({"disable", "--now", unit});
  std::error_code bad;
  const bool removed = fs::remove(file, bad);
  if (bad)
    throw cannot_write(file, bad.message());
  if (removed)
    must({"daemon-reload"});
  if (c.common.json)
    return terminal.json({{"was_there", there || removed}, {"removed", removed}});
  terminal.note(there || removed ? "the service is gone; who the node is and what it has, is kept"
                                 : "there is no service of yours");
}

void show_status(const Command& c, Terminal& terminal) {
  check_systemd();
  const auto file = own_file();
  const auto text = text_of(file);
  const auto from_package = packaged(unit_text(own_unit(this_program(), c.common.data)));
  const auto where = text ? file.string() : from_package ? from_package->string() : "";
  const bool changed = text && !untouched(*text);
  const auto enabled = asked("is-enabled"), active = asked("is-active"), stays = linger();
  if (c.common.json)
    return terminal.json({{"unit", where.empty() ? Json{} : Json(where)},
                          {"changed", changed},
                          {"enabled", enabled == "enabled"},
                          {"active", active},
                          {"linger", stays}});
  terminal.data(table({{"unit", where.empty() ? "none" : where + (changed ? " (changed)" : "")},
                       {"starts", enabled == "enabled" ? "by itself" : "no"},
                       {"runs", active},
                       {"stays when you log out", stays}}));
  if (enabled != "enabled")
    terminal.next("tessera service install");
}

} // namespace

void service(const Command& c, Terminal& terminal) {
  const auto& what = c.action.what;
  if (what == "install")
    return install(c, terminal);
  if (what == "uninstall")
    return uninstall(c, terminal);
  if (what == "status")
    return show_status(c, terminal);
  if (what != "unit")
    throw usage("a service cannot be told to \"" + what + "\"",
                "it is to install, uninstall, status or unit", "run: tessera service --help");
  terminal.data(unit_text(c.action.name.empty() ? own_unit(this_program(), c.common.data)
                                                : plain_unit(c.action.name)));
}

} // namespace tessera::cli
