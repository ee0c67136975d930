#include "node/cli/failed.hpp"
#include "node/cli/settings.hpp"
#include "tests/fuzz/input.hpp"

#include <cstdio>
#include <sys/mman.h>
#include <unistd.h>

// A settings file of any text, by the way that a node reads it. It is refused in three lines; or
// yields settings of known names, which say the same when they are written again, and start options
// within their bounds.
namespace {

using namespace tessera;
using cli::Settings;
using fuzz::must;

// A file in memory, written anew for each text.
class File {
public:
  File() : fd_(::memfd_create("tessera.toml", MFD_CLOEXEC)) { must(fd_ >= 0); }

  std::string holding(std::string_view text) const {
    must(::ftruncate(fd_, 0) == 0 &&
         ::pwrite(fd_, text.data(), text.size(), 0) == ssize_t(text.size()));
    return "/proc/self/fd/" + std::to_string(fd_);
  }

private:
  int fd_;
};

void check_error(const cli::Failed& failed, std::string_view codes) {
  const auto& e = failed.error();
  must(failed.exit() == cli::Exit::usage && codes.find(e.code) != codes.npos);
  must(!e.code.empty() && !e.what.empty() && !e.why.empty() && !e.fix.empty());
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  char escape[8];
  for (const char c : text)
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (std::uint8_t(c) >= 0x20 && c != 0x7f)
      out += c;
    else
      std::snprintf(escape, sizeof escape, "\\u%04x", unsigned(c)), out += escape;
  return out + "\"";
}

std::string written(const Settings& settings) {
  std::string text;
  for (const auto& [name, setting] : settings) {
    const auto& values = setting.values;
    std::string list;
    for (const auto& value : values)
      list += quoted(value) + ", ";
    text += name + " = " + (values.size() == 1 ? quoted(values[0]) : "[" + list + "]") + "\n";
  }
  return text;
}

void check_options(const StartOptions& o) {
  must(!o.slots || *o.slots <= 1024);
  must(o.memory_bytes >= 16 << 20);
  must(!o.name.empty() && o.name.size() <= 64);
  must(o.name.find_first_of(std::string_view{"\0\n\r\t\x1b\x7f", 6}) == std::string::npos);
  must(o.invite.empty() || (o.invite.starts_with("tess1") && !o.open));
  for (const auto& seed : o.seeds)
    must(!seed.host.empty() && seed.port != 0);
  must(!o.listen.host.empty());
}

bool same(const Settings& a, const Settings& b) { // But for where they are from.
  return std::ranges::equal(a, b, [](const auto& one, const auto& other) {
    return one.first == other.first && one.second.values == other.second.values;
  });
}

void check_settings(const Settings& settings, const File& file) {
  for (const auto& [name, setting] : settings) {
    const auto* info = cli::find_setting(name);
    must(info && (setting.values.size() == 1 || info->list));
  }
  must(same(cli::settings_of_file(file.holding(written(settings))), settings));
  try {
    check_options(cli::start_options(settings));
  } catch (const cli::Failed& failed) {
    check_error(failed, "E400 E432 E433");
  }
}

} // namespace

std::vector<Bytes> tessera::fuzz::seeds() {
  const auto file = [](std::string_view text) { return to_bytes(view(text)); };
  return {file(R"(# All of them.
slots = 2
name = "attic"
memory = "2GiB"
blob_quota = '512M'
api_port = 0x1f00
listen = "[fe80::1]:7700"
open = true
seed = ["10.0.0.5:7700", "attic:1"]
)"),
          file("[limits]\nwasm = false\n"),
          file("limits.wasm = true\njoin = \"tess1abc\"\nseed = 'a:1'\n"),
          file("name = \"\"\"\\\n  a\\u00e9\\t\"\"\"\nslots = +1_0\n"),
          file("limits = { wasm = 1 }\nslots = 0b11 # of them\n"),
          file("slots = 1979-05-27T07:32:00.5Z\n"),
          file("seed = [[1, 2], {a = 1.5e3}, inf, nan]\n[[slots]]\n")};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const File file;
  try {
    check_settings(cli::settings_of_file(file.holding(text_of({data, size}))), file);
  } catch (const cli::Failed& failed) {
    check_error(failed, "E430 E431");
  }
  return 0;
}
