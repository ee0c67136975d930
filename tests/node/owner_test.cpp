#include "node/owner/policy.hpp"
#include "node/owner/readings.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

using namespace tessera;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

// For as long as it lives.
struct Zone {
  explicit Zone(const char* name) {
    ::setenv("TZ", name, 1);
    ::tzset();
  }
  ~Zone() {
    ::unsetenv("TZ");
    ::tzset();
  }
};

std::time_t at(int year, int month, int day, int hour, int minute) {
  std::tm local{};
  local.tm_year = year - 1900, local.tm_mon = month - 1, local.tm_mday = day;
  local.tm_hour = hour, local.tm_min = minute, local.tm_isdst = -1;
  return std::mktime(&local);
}

std::vector<Hours> hours(std::initializer_list<const char*> texts) {
  std::vector<Hours> all;
  for (const auto* text : texts) {
    const auto parsed = parse_hours(text);
    REQUIRE(parsed);
    all.push_back(*parsed);
  }
  return all;
}

struct Root { // Of a machine that is not there.
  fs::path path;

  Root() {
    auto name = (fs::temp_directory_path() / "tessera-owner-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Root() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  void put(const std::string& file, const std::string& text) const {
    fs::create_directories((path / file).parent_path());
    std::ofstream{path / file} << text;
  }
  void supply(const std::string& name, const char* type, const char* what,
              const char* value) const {
    put("sys/class/power_supply/" + name + "/type", type);
    put("sys/class/power_supply/" + name + "/" + what, value);
  }
  void typed(const std::string& file, std::int64_t unix_s) const {
    put(file, "");
    const timespec times[2] = {{unix_s, 0}, {unix_s, 0}};
    REQUIRE(::utimensat(AT_FDCWD, (path / file).c_str(), times, 0) == 0);
  }
  void processors(long user, long nice, long system) const {
    put("proc/stat", "cpu  " + std::to_string(user) + " " + std::to_string(nice) + " " +
                         std::to_string(system) + " 5 5 0 0 0 0 0\ncpu0 1 1 1 1\n");
  }
};

Readings used(Duration ago) {
  Readings r;
  r.since_input = ago;
  return r;
}

} // namespace

TEST_CASE("hours are read as people write them, and nothing else is") {
  CHECK(parse_hours("22:00-07:00") == Hours{0x7f, 22 * 60, 7 * 60});
  CHECK(parse_hours("Mon-Fri 19:00-08:00") == Hours{0x3e, 19 * 60, 8 * 60});
  CHECK(parse_hours("sat,sun") == Hours{0x41, 0, 0});
  CHECK(parse_hours("Fri-Mon 00:00-24:00") == Hours{0x63, 0, 0});
  CHECK(to_text(*parse_hours("Fri-Mon 01:30-02:05")) == "Mon,Fri,Sat,Sun 01:30-02:05");
  for (const auto* bad :
       {"", "22:00", "22-07", "25:00-07:00", "22:60-07:00", "Mo 1:00-2:00", "Mon-", "24:00-07:00",
        "22:00-07:00 Mon", "Mon  19:00-20:00", "22:00-24:01", ","})
    CHECK_FALSE(parse_hours(bad));
}

TEST_CASE("hours hold by the clock on the wall, past midnight and on their own days") {
  const Zone zone{"Europe/Berlin"};
  const auto night = hours({"22:00-07:00"});
  CHECK(within(night, at(2026, 11, 27, 23, 0)));
  CHECK(within(night, at(2026, 11, 28, 6, 59)));
  CHECK_FALSE(within(night, at(2026, 11, 28, 7, 0)));
  CHECK_FALSE(within(night, at(2026, 11, 28, 21, 59)));
  const auto week = hours({"Mon-Fri 19:00-08:00", "Sat,Sun"});
  CHECK(within(week, at(2026, 11, 28, 7, 59))); // A Saturday.
  CHECK(within(week, at(2026, 11, 28, 12, 0)));
  CHECK_FALSE(within(week, at(2026, 11, 30, 7, 0))); // Monday: Sunday's hours are over.
  CHECK(within(week, at(2026, 11, 30, 19, 0)));
  CHECK_FALSE(within({}, at(2026, 11, 30, 19, 0)));
}

TEST_CASE("the next change is where it changes, across summer time and weekends, or never") {
  const Zone zone{"Europe/Berlin"};
  const auto night = hours({"22:00-07:00"});
  CHECK(next_change(night, at(2026, 11, 27, 12, 0)) == at(2026, 11, 27, 22, 0));
  CHECK(next_change(night, at(2026, 11, 27, 22, 0)) == at(2026, 11, 28, 7, 0));
  // The night of 28 to 29 March 2026 has an hour less, that of 24 to 25 October one more.
  CHECK(next_change(night, at(2026, 3, 28, 23, 0)) == at(2026, 3, 29, 7, 0));
  CHECK(at(2026, 3, 29, 7, 0) - at(2026, 3, 28, 22, 0) == 8 * 3600);
  CHECK(next_change(night, at(2026, 10, 24, 23, 0)) == at(2026, 10, 25, 7, 0));
  CHECK(at(2026, 10, 25, 7, 0) - at(2026, 10, 24, 22, 0) == 10 * 3600);
  const auto weekend = hours({"Sat,Sun"});
  CHECK(next_change(weekend, at(2026, 11, 28, 12, 0)) == at(2026, 11, 30, 0, 0));
  CHECK(next_change(weekend, at(2026, 11, 30, 12, 0)) == at(2026, 12, 5, 0, 0));
  CHECK_FALSE(next_change(hours({"00:00-24:00"}), at(2026, 11, 30, 12, 0)));
  for (auto t = at(2026, 10, 20, 0, 0); t < at(2026, 10, 30, 0, 0); t += 1777) { // By looking.
    auto slow = t;
    while (within(night, slow) == within(night, t))
      slow += 60 - slow % 60;
    CHECK(next_change(night, t) == slow);
  }
}

TEST_CASE("a machine in use stops at once, and works again when it has been idle for long enough") {
  Policy policy{{.idle = 5min, .mains = false, .hours = {}}};
  const Time start = Time{} + 1h;
  CHECK(policy.judge(used(6min), 0, start).may_run);
  CHECK(policy.judge(used(1s), 1000, start + 10s) ==
        Verdict{false, "somebody uses this machine", 1000 + 299'000});
  CHECK_FALSE(policy.judge(used(299s), 0, start + 308s).may_run);
  CHECK(policy.judge(used(300s), 0, start + 309s).may_run);
  Readings busy = used(1h);
  busy.cores_used = Policy::cores_used_max + 0.01;
  CHECK_FALSE(policy.judge(busy, 0, start + 400s).may_run);
  CHECK_FALSE(policy.judge(used(1h), 0, start + 699s).may_run);
  CHECK(policy.judge(used(1h), 0, start + 700s).may_run);
  busy.cores_used = Policy::cores_used_max; // What an idle desktop does.
  CHECK(policy.judge(busy, 0, start + 800s).may_run);
  CHECK(policy.judge({}, 0, start + 900s).may_run); // Nothing tells of anybody.
}

TEST_CASE("a machine on its battery stops at once, and works again once mains have settled") {
  Policy policy{{.idle = {}, .mains = true, .hours = {}}};
  const auto on = [](std::optional<bool> mains) {
    Readings r;
    r.on_mains = mains;
    return r;
  };
  const Time start = Time{} + 1h;
  CHECK(policy.judge(on({}), 0, start).may_run); // It has no battery.
  CHECK(policy.judge(on(true), 0, start).may_run);
  CHECK(policy.judge(on(false), 0, start + 1s) == Verdict{false, "on battery", {}});
  CHECK_FALSE(policy.judge(on(true), 0, start + 10s).may_run);
  CHECK(policy.judge(on(true), 0, start + 11s).may_run);
  CHECK(Policy{{}}.judge(on(false), 0, start).may_run); // Nobody asked.
}

TEST_CASE("outside of its hours a machine says until when") {
  const Zone zone{"Europe/Berlin"};
  Policy policy{{.idle = {}, .mains = false, .hours = hours({"22:00-07:00"})}};
  CHECK(policy.judge({}, at(2026, 11, 27, 23, 0) * 1000, Time{}).may_run);
  const auto no = policy.judge({}, at(2026, 11, 27, 12, 0) * 1000, Time{});
  CHECK(no == Verdict{false, "outside of its hours", at(2026, 11, 27, 22, 0) * 1000});
}

TEST_CASE("all conditions must hold, and each goes on remembering while another says no") {
  const Zone zone{"Europe/Berlin"};
  Policy policy{{.idle = 5min, .mains = true, .hours = hours({"22:00-07:00"})}};
  auto r = used(0s);
  r.on_mains = false;
  const auto noon = at(2026, 11, 27, 12, 0) * 1000, night = at(2026, 11, 27, 23, 0) * 1000;
  CHECK(policy.judge(r, noon, Time{} + 1h).why == "outside of its hours");
  CHECK(policy.judge(r, night, Time{} + 1h).why == "on battery");
  r = used(1h);
  r.on_mains = true;
  CHECK(policy.judge(r, night, Time{} + 1h + 20s).why == "somebody uses this machine");
  CHECK(policy.judge(r, night, Time{} + 1h + 5min).may_run);
  CHECK(policy.sources(r).find("mains by the power supply") != std::string::npos);
  CHECK(policy.sources(r).find("nothing here tells of keys") != std::string::npos);
}

TEST_CASE("power is read of mains and batteries, not of mice") {
  const auto mains = [](auto put) {
    const Root root;
    put(root);
    return Machine{root.path}.read(0, Time{}).on_mains;
  };
  CHECK_FALSE(mains([](const Root&) {}));
  CHECK(mains([](const Root& r) { r.supply("AC", "Mains", "online", "1"); }) == true);
  CHECK(mains([](const Root& r) { r.supply("usb", "USB", "online", "0"); }) == true); // No battery.
  const auto laptop = [](const char* online) {
    return [=](const Root& r) {
      r.supply("AC", "Mains", "online", online);
      r.supply("usb", "USB", "online", "0");
      r.supply("BAT0", "Battery", "status", "Discharging");
    };
  };
  CHECK(mains(laptop("1")) == true);
  CHECK(mains(laptop("0")) == false);
  CHECK(mains([](const Root& r) { r.supply("BAT0", "Battery", "status", "Charging"); }) == true);
  CHECK(mains([](const Root& r) { r.supply("BAT0", "Battery", "status", "Discharging"); }) ==
        false);
  CHECK_FALSE(mains([](const Root& r) {
    r.supply("mouse", "Battery", "status", "Discharging");
    r.put("sys/class/power_supply/mouse/scope", "Device");
  }));
}

TEST_CASE("the last key is that of the terminal that was used last") {
  const Root root;
  Machine machine{root.path};
  CHECK_FALSE(machine.read(1'000'000, Time{}).since_input);
  root.typed("dev/pts/0", 900);
  root.typed("dev/tty1", 950);
  root.typed("dev/pts/ptmx", 999); // No terminal.
  root.typed("dev/zero0", 999);
  const auto readings = machine.read(1'000'000, Time{});
  CHECK(readings.since_input == Duration(50s));
  CHECK(readings.input_heard == std::vector<std::string>{"terminals"});
  root.typed("dev/pts/3", 2000); // A clock that was set back.
  CHECK(machine.read(1'000'000, Time{}).since_input == Duration(0s));
}

TEST_CASE("what others use is what is neither niced nor ours") {
  const Root root;
  const auto tick = ::sysconf(_SC_CLK_TCK);
  const auto stat = [&](int pid, long user, long system) {
    root.put("proc/" + std::to_string(pid) + "/stat",
             std::to_string(pid) + " (a b) c) S 1 1 1 0 -1 0 0 0 0 0 " + std::to_string(user) +
                 " " + std::to_string(system) + " 0 0 20 0\n");
  };
  Machine machine{root.path, {41, 42}};
  CHECK_FALSE(machine.read(0, Time{}).cores_used);
  stat(41, 0, 0), stat(42, 0, 0), stat(50, 0, 0);
  root.put("proc/42/task/42/children", "50 ");
  root.processors(100, 100, 100);
  CHECK_FALSE(machine.read(0, Time{} + 1s).cores_used); // Since when?
  root.processors(100 + 2 * tick, 100 + 9 * tick, 100 + tick);
  CHECK(machine.read(0, Time{} + 3s).cores_used == doctest::Approx(1.5));
  root.processors(100 + 3 * tick, 100 + 9 * tick, 100 + 2 * tick);
  stat(41, tick, 0);
  stat(50, 7 * tick, tick); // Niced: its own time is not in the foreground.
  CHECK(machine.read(0, Time{} + 5s).cores_used == doctest::Approx(0));
}

namespace {

std::string le(std::uint64_t number, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i)
    text += char(number >> (8 * i));
  return text;
}

// A bus with a logind on it, as bytes. `since_us` 0: somebody uses the machine.
class FakeBus {
public:
  FakeBus(const fs::path& socket, std::uint64_t since_us) : since_us_(since_us) {
    fs::create_directories(socket.parent_path());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", socket.c_str());
    door_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
    REQUIRE(::bind(door_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(door_, 1) == 0);
    thread_ = std::thread{[this] { serve(::accept(door_, nullptr, nullptr)); }};
  }
  ~FakeBus() {
    ::shutdown(door_, SHUT_RDWR);
    thread_.join();
    ::close(door_);
  }

private:
  static std::string read(int fd, std::size_t bytes) {
    std::string text(bytes, 0); // Of nothing: a read of none would wait.
    return bytes == 0 || ::recv(fd, text.data(), bytes, MSG_WAITALL) == ssize_t(bytes) ? text : "";
  }
  static void say(int fd, const std::string& text) {
    CHECK(::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == ssize_t(text.size()));
  }
  static std::uint32_t u32(const std::string& from, std::size_t at) {
    std::uint32_t number;
    std::memcpy(&number, from.data() + at, sizeof number);
    return number;
  }
  void serve(int fd) {
    std::string line;
    while (!line.ends_with("BEGIN\r\n")) {
      const auto c = read(fd, 1);
      if (c.empty())
        break;
      line += c;
      if (line.ends_with("\r\n") && line.find("AUTH EXTERNAL 3") != line.npos &&
          line.find("BEGIN") == line.npos)
        say(fd, "OK 0123456789abcdef0123456789abcdef\r\n");
    }
    for (;;) {
      const auto head = read(fd, 16);
      if (head.empty())
        break;
      const auto fields = read(fd, (u32(head, 12) + 7) / 8 * 8);
      const auto body = read(fd, u32(head, 4));
      const auto reply = [&](const std::string& what) { // Its field: to which call.
        say(fd, std::string{"l\x02\0\x01", 4} + le(what.size(), 4) + le(1, 4) + le(8, 4) +
                    std::string{"\x05\x01u\0", 4} + le(u32(head, 8), 4) + what);
      };
      if (fields.find("Hello") != fields.npos) {
        reply(le(4, 4) + ":1.2" + '\0');
        say(fd, std::string{"l\x04\0\x01", 4} + le(0, 4) + le(2, 4) + le(0, 4)); // A signal.
      } else if (body.find("IdleHint") != body.npos) {
        reply(std::string{"\x01"
                          "b\0\0",
                          4} +
              le(since_us_ ? 1 : 0, 4));
      } else if (body.find("IdleSinceHint") != body.npos) {
        reply(std::string{"\x01t\0\0\0\0\0\0", 8} + le(since_us_, 8));
      }
    }
    ::close(fd);
  }

  std::uint64_t since_us_;
  int door_ = -1;
  std::thread thread_;
};

} // namespace

TEST_CASE("logind says since when nobody has used a machine, where there is one") {
  const Root root;
  const auto socket = root.path / "run/dbus/system_bus_socket";
  CHECK_FALSE(Logind{socket}.idle(1'000'000, Time{}));
  {
    const FakeBus bus{socket, 400'000'000};
    Machine machine{root.path};
    const auto readings = machine.read(1'000'000, Time{});
    CHECK(readings.since_input == Duration(600s));
    CHECK(readings.input_heard == std::vector<std::string>{"logind"});
    root.typed("dev/pts/0", 950); // Whoever was used last counts.
    CHECK(machine.read(1'000'000, Time{} + 3s).since_input == Duration(50s));
  }
  fs::remove(socket);
  const FakeBus bus{socket, 0};
  Logind logind{socket};
  CHECK(logind.idle(1'000'000, Time{}) == Duration(0s));
}

TEST_CASE("a logind that goes is asked again a minute later") {
  const Root root;
  const auto socket = root.path / "run/dbus/system_bus_socket";
  std::optional<FakeBus> bus; // Outlives who calls it.
  Logind logind{socket};
  CHECK_FALSE(logind.idle(1'000'000, Time{} + 1h));
  bus.emplace(socket, 400'000'000);
  CHECK_FALSE(logind.idle(1'000'000, Time{} + 1h + 59s));
  CHECK(logind.idle(1'000'000, Time{} + 1h + 60s) == Duration(600s));
}
