#include "node/owner/readings.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace tessera {

namespace fs = std::filesystem;

namespace {

std::string word_in(const fs::path& file) {
  std::ifstream in{file};
  std::string word;
  in >> word;
  return word;
}

std::string text_in(const fs::path& file) {
  std::ifstream in{file};
  return {std::istreambuf_iterator<char>{in}, {}};
}

std::vector<fs::path> in_folder(const fs::path& folder) {
  std::error_code failed;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, failed))
    files.push_back(entry.path());
  return files;
}

bool ends_in_digit(const fs::path& file) {
  const auto name = file.filename().string();
  return !name.empty() && name.back() >= '0' && name.back() <= '9';
}

// utime and stime of a /proc/PID/stat; what stands in the name is nobody's business.
std::pair<std::uint64_t, std::uint64_t> ticks_in(const std::string& stat) {
  std::istringstream in{stat.substr(std::min(stat.size(), stat.rfind(')') + 1))};
  std::string skipped;
  for (int i = 0; i < 11; ++i)
    in >> skipped;
  std::uint64_t user = 0, system = 0;
  in >> user >> system;
  return {user, system};
}

} // namespace

Readings Machine::read(std::int64_t unix_ms, Time now) {
  Readings readings;
  readings.on_mains = on_mains();
  const auto heard = [&](const char* source, std::optional<Duration> since) {
    if (!since)
      return;
    readings.since_input = std::min(readings.since_input.value_or(*since), *since);
    readings.input_heard.emplace_back(source);
  };
  heard("logind", logind_.idle(unix_ms, now));
  heard("terminals", since_terminal(unix_ms));
  readings.cores_used = cores_used(now);
  return readings;
}

// A mouse has a battery, too, and says that it is a device.
std::optional<bool> Machine::on_mains() const {
  std::optional<bool> mains, battery;
  for (const auto& supply : in_folder(root_ / "sys/class/power_supply")) {
    const auto type = word_in(supply / "type");
    if (type == "Mains" || type == "USB")
      mains = mains.value_or(false) || word_in(supply / "online") == "1";
    else if (type == "Battery" && word_in(supply / "scope") != "Device")
      battery = battery.value_or(false) || word_in(supply / "status") == "Discharging";
  }
  if (!battery)
    return mains ? std::optional{true} : std::nullopt; // It runs, so it has power.
  return mains ? *mains : !*battery;
}

// A terminal's time of access is that of the last key: what `w` shows as idle.
std::optional<Duration> Machine::since_terminal(std::int64_t unix_ms) const {
  std::optional<std::int64_t> last_ms;
  for (const auto* folder : {"dev/pts", "dev"})
    for (const auto& file : in_folder(root_ / folder)) {
      const bool tty =
          std::string_view{folder} == "dev/pts" || file.filename().string().starts_with("tty");
      struct stat info {};
      if (!tty || !ends_in_digit(file) || ::stat(file.c_str(), &info) != 0)
        continue;
      const auto at = std::int64_t(info.st_atim.tv_sec) * 1000 + info.st_atim.tv_nsec / 1'000'000;
      last_ms = std::max(last_ms.value_or(at), at);
    }
  if (!last_ms)
    return {};
  return std::chrono::milliseconds(std::max<std::int64_t>(0, unix_ms - *last_ms));
}

// What runs at a nice of its own accord is in nobody's way: our workers, and others' like them.
std::optional<double> Machine::cores_used(Time now) {
  std::istringstream in{text_in(root_ / "proc/stat")};
  std::string cpu;
  std::uint64_t user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0;
  if (!(in >> cpu >> user >> nice >> system >> idle >> waiting >> irq >> softirq))
    return {};
  const auto all = user + system + irq + softirq;
  const auto own = own_ticks();
  const auto before = std::exchange(all_ticks_, all);
  const auto since = std::exchange(read_at_, now);
  if (!since || now <= *since || all < before)
    return {};
  const auto others = double(all - before) - double(own);
  const auto seconds = std::chrono::duration<double>(now - *since).count();
  return std::max(0.0, others / double(::sysconf(_SC_CLK_TCK)) / seconds);
}

// Ours since the last time, as far as it is in the foreground: of workers, what the kernel does for
// them.
std::uint64_t Machine::own_ticks() {
  auto pids = own_;
  for (const auto pid : own_) {
    const auto text = std::to_string(pid);
    std::istringstream in{text_in(root_ / "proc" / text / "task" / text / "children")};
    for (pid_t child; in >> child;)
      pids.push_back(child);
  }
  std::map<pid_t, std::uint64_t> ticks;
  std::uint64_t sum = 0;
  for (const auto pid : pids) {
    const auto stat = text_in(root_ / "proc" / std::to_string(pid) / "stat");
    const auto [user, system] = ticks_in(stat);
    const bool niced = std::find(own_.begin(), own_.end(), pid) == own_.end();
    const auto now = system + (niced ? 0 : user);
    const auto before = ticks_.find(pid);
    sum += before == ticks_.end() ? now : now - std::min(now, before->second);
    ticks[pid] = now;
  }
  ticks_ = std::move(ticks);
  return sum;
}

} // namespace tessera
