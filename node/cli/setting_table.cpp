#include "node/cli/setting_table.hpp"

#include "node/cli/failed.hpp"
#include "node/cli/units.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <thread>
#include <unistd.h>

namespace tessera::cli {

namespace {

constexpr std::size_t name_bytes_max = 64;
constexpr std::uint64_t slots_max = 1024;
constexpr std::uint64_t rate_min = 16 << 10; // Below it signs of life would be late.
constexpr auto keep_max = std::chrono::hours(24 * 366);

using Info = SettingInfo;
using Text = std::string;

Failed bad_value(const Info& setting, const Text& value, std::string wanted) {
  return usage(std::string{setting.name} + " cannot be \"" + value + "\"", std::move(wanted),
               "see: tessera config " + std::string{setting.name});
}

std::uint64_t number(const Info& setting, const Text& value, std::uint64_t max) {
  const auto n = parse_number(value);
  if (!n || *n > max)
    throw bad_value(setting, value, "wanted is a whole number of at most " + std::to_string(max));
  return *n;
}

std::uint64_t size(const Info& setting, const Text& value, std::uint64_t min) {
  const auto bytes = parse_size(value);
  if (!bytes || *bytes < min)
    throw bad_value(setting, value, "wanted is a size such as 512M or 2GiB");
  return *bytes;
}

std::uint64_t rate(const Info& setting, const Text& value) {
  const auto bytes = parse_rate(value);
  if (!bytes || (*bytes > 0 && *bytes < rate_min))
    throw bad_value(setting, value, "wanted are bytes a second, such as 2M/s: 16K/s or more, or 0");
  return *bytes;
}

std::chrono::seconds time(const Info& setting, const Text& value) {
  const auto seconds = value == "0" ? std::chrono::seconds{} : parse_time(value);
  if (!seconds || *seconds > keep_max)
    throw bad_value(setting, value, "wanted is a time such as 90s, 30m, 2h or 1d, up to 366d");
  return *seconds;
}

bool flag(const Info& setting, const Text& value) {
  if (value == "true" || value == "1" || value == "yes")
    return true;
  if (value != "false" && value != "0" && value != "no" && !value.empty())
    throw bad_value(setting, value, "wanted is true or false");
  return false;
}

Address address(const Info& setting, const Text& value, const std::string& host, bool whole) {
  const auto address = parse_address(value, host);
  if (!address || (whole && (address->port == 0 || address->host.empty())))
    throw bad_value(setting, value, "wanted is HOST:PORT, such as 10.0.0.5:7700");
  return *address;
}

// --- What each does

void set_open(StartOptions& o, const Info& s, const Text& v) {
  o.open = flag(s, v);
}
void set_join(StartOptions& o, const Info& s, const Text& v) {
  if (!v.empty() && !v.starts_with("tess1"))
    throw bad_value(s, v, "an invite begins with tess1");
  o.invite = v;
}
void set_seed(StartOptions& o, const Info& s, const Text& v) {
  o.seeds.push_back(address(s, v, "", true));
}
void set_listen(StartOptions& o, const Info& s, const Text& v) {
  o.listen = address(s, v, "0.0.0.0", false);
  o.listen_given = true;
}
void set_name(StartOptions& o, const Info& s, const Text& v) {
  const bool plain = std::ranges::all_of(v, [](unsigned char c) { return c >= 32 && c != 127; });
  if (v.empty() || v.size() > name_bytes_max || !plain)
    throw bad_value(s, v, "a name has 1 to 64 bytes and no control characters");
  o.name = v;
}
void set_api_port(StartOptions& o, const Info& s, const Text& v) {
  o.api_port = std::uint16_t(number(s, v, 65535));
}
void set_slots(StartOptions& o, const Info& s, const Text& v) {
  o.slots = std::uint32_t(number(s, v, slots_max));
}
void set_memory(StartOptions& o, const Info& s, const Text& v) {
  o.memory_bytes = size(s, v, worker_memory_bytes_min);
}
void set_blob_quota(StartOptions& o, const Info& s, const Text& v) {
  o.blob_quota_bytes = size(s, v, 0);
}
void set_wasm(StartOptions& o, const Info& s, const Text& v) {
  o.wasm = flag(s, v);
}
void set_cpu(StartOptions& o, const Info& s, const Text& v) {
  const auto percent = parse_percent(v);
  if (!percent || *percent == 0)
    throw bad_value(s, v, "wanted is a share such as 50%, from 1% to 100%");
  o.cpu_percent = *percent;
}
void set_memory_total(StartOptions& o, const Info& s, const Text& v) {
  o.memory_total_bytes = size(s, v, 0);
}
void set_upload(StartOptions& o, const Info& s, const Text& v) {
  o.upload_bytes = rate(s, v);
}
void set_download(StartOptions& o, const Info& s, const Text& v) {
  o.download_bytes = rate(s, v);
}

void set_idle(StartOptions& o, const Info& s, const Text& v) {
  o.when.idle = time(s, v);
}
void set_mains(StartOptions& o, const Info& s, const Text& v) {
  o.when.mains = flag(s, v);
}
void set_hours(StartOptions& o, const Info& s, const Text& v) {
  const auto hours = parse_hours(v);
  if (!hours)
    throw bad_value(s, v, "wanted are hours such as 22:00-07:00 or Mon-Fri 19:00-08:00");
  o.when.hours.push_back(*hours);
}
void set_results_keep(StartOptions& o, const Info& s, const Text& v) {
  o.results_keep = time(s, v);
}
void set_blobs_keep(StartOptions& o, const Info& s, const Text& v) {
  o.blobs_keep = time(s, v);
}
void set_system_root(StartOptions& o, const Info& s, const Text& v) {
  o.system_root = v;
  if (!o.system_root.is_absolute())
    throw bad_value(s, v, "wanted is a folder's whole path");
}

} // namespace

std::span<const SettingInfo> setting_table() {
  static constexpr SettingInfo table[] = {
      {"open", "--open", Kind::flag, "", "false", "", "Anybody may join the mesh", set_open},
      {"join", "--join", Kind::secret, "INVITE", "", "", "Join the private mesh of this invite",
       set_join},
      {"seed", "--seed", Kind::address, "HOST:PORT", "", "",
       "A node of the mesh to join; repeatable", set_seed, true},
      {"listen", "--listen", Kind::address, "HOST:PORT", "0.0.0.0:7700",
       "port 0: any; if it is not given, the next free port from 7700",
       "Where others reach this node", set_listen},
      {"name", "--name", Kind::text, "NAME", "", "1 to 64 bytes",
       "What others see; the host's name if not said", set_name},
      {"api_port", "--api-port", Kind::number, "PORT", "0", "0 to 65535; 0: any",
       "Port of the local API, on 127.0.0.1", set_api_port},
      {"slots", "--slots", Kind::number, "N", "", "0 to 1024",
       "Workers; 0 runs nothing; one less than cores if not said", set_slots},
      {"memory", "--memory", Kind::size, "SIZE", "1GiB", "16MiB or more", "Memory of one worker",
       set_memory},
      {"blob_quota", "--blob-quota", Kind::size, "SIZE", "8GiB", "", "Disk for inputs and results",
       set_blob_quota},
      {"limits.cpu", "--cpu", Kind::percent, "PERCENT", "100%", "1% to 100%",
       "Processor time of each worker, as a share of one core", set_cpu},
      {"limits.memory_total", "--memory-total", Kind::size, "SIZE", "0",
       "16MiB or more for each worker; 0: no bound", "Memory of all workers together",
       set_memory_total},
      {"limits.upload", "--upload", Kind::rate, "RATE", "0", "16K/s or more; 0: no bound",
       "Bytes a second to all peers together", set_upload},
      {"limits.download", "--download", Kind::rate, "RATE", "0", "16K/s or more; 0: no bound",
       "Bytes a second from all peers together", set_download},
      {"limits.wasm", "--no-wasm", Kind::flag, "", "true", "",
       "Whether WebAssembly modules of others run here", set_wasm},
      {"when.idle", "--when-idle", Kind::time, "TIME", "0", "up to 366d; 0: whoever uses it",
       "Work only while nobody has used this machine for so long", set_idle},
      {"when.mains", "--when-mains", Kind::flag, "", "false", "",
       "Work only on mains, not on a battery", set_mains},
      {"when.hours", "--when-hours", Kind::hours, "HOURS", "",
       "such as 22:00-07:00 or Mon-Fri 19:00-08:00, local time",
       "Work only in these hours; repeatable", set_hours, true},
      {"results.keep", "--results-keep", Kind::time, "TIME", "24h", "up to 366d",
       "How long the results of ended jobs stay", set_results_keep},
      {"blobs.keep", "--blobs-keep", Kind::time, "TIME", "7d", "up to 366d",
       "How long inputs and outputs stay that no job needs", set_blobs_keep},
      {"system.root", "--system-root", Kind::text, "DIR", "/", "",
       "Where /proc, /sys and /dev are; another for tests", set_system_root},
  };
  return table;
}

const SettingInfo* find_setting(std::string_view name) {
  const auto all = setting_table();
  const auto at =
      std::ranges::find(all, name, [](const Info& s) { return std::string_view{s.name}; });
  return at == all.end() ? nullptr : &*at;
}

std::string variable_of(const SettingInfo& setting) {
  std::string variable = std::string{variable_prefix} + setting.name;
  for (auto& c : variable)
    c = c == '.' ? '_' : c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c;
  return variable;
}

std::string fallback_of(const SettingInfo& setting) {
  const std::string_view name = setting.name;
  if (name == "slots")
    return std::to_string(std::max(2u, std::thread::hardware_concurrency()) - 1);
  if (name != "name")
    return setting.fallback;
  char host[256] = {};
  if (gethostname(host, sizeof host - 1) != 0 || !host[0])
    return "node";
  return std::string{host}.substr(0, name_bytes_max);
}

const char* unit_of(Kind kind) {
  switch (kind) {
  case Kind::percent:
    return "percent";
  case Kind::size:
    return "bytes";
  case Kind::rate:
    return "bytes/s";
  case Kind::time:
    return "seconds";
  default:
    return "";
  }
}

nlohmann::json value_json(const SettingInfo& setting, const std::string& value) {
  const auto or_null = [](const auto& n) { return n ? nlohmann::json(*n) : nlohmann::json(); };
  switch (setting.kind) {
  case Kind::number:
    return or_null(parse_number(value));
  case Kind::percent:
    return or_null(parse_percent(value));
  case Kind::size:
    return or_null(parse_size(value));
  case Kind::rate:
    return or_null(parse_rate(value));
  case Kind::time:
    return parse_time(value).value_or(std::chrono::seconds{}).count();
  case Kind::flag:
    return flag(setting, value);
  case Kind::secret:
    return nullptr;
  default:
    return value;
  }
}

} // namespace tessera::cli
