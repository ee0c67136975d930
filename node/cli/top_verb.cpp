#include "node/cli/api.hpp"
#include "node/cli/verbs.hpp"

#include <chrono>
#include <cstdio>
#include <thread>
#include <unistd.h>

// Who uses this machine: by submitter, and by job.
namespace tessera::cli {

using Json = nlohmann::json;

namespace {

constexpr auto look_every = std::chrono::seconds(1);
constexpr std::size_t rows_max = 16; // Of each table, on a screen.

std::string cpu_text(const Json& usage) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", double(number_at(usage, "cpu_ms")) / 1000);
  return text;
}

std::string who(const Json& row) {
  const auto id = text_at(row, "submitter");
  const auto name = shown(text_at(row, "name"));
  return id.empty() ? name : short_node(id) + (name.empty() ? "" : " " + name);
}

Json part(const Json& row, const char* name) {
  return row.value(name, Json::object());
}

std::string submitters_table(const Json& usage) {
  std::vector<std::vector<std::string>> rows{
      {"SUBMITTER", "MICROTASKS", "CPU", "BYTES", "CPU 24 H", "CPU 7 D", "CPU YEAR"}};
  for (const auto& row : usage.value("submitters", Json::array())) {
    if (rows.size() > rows_max)
      break;
    const auto since = part(row, "since_start");
    rows.push_back({who(row), std::to_string(number_at(since, "microtasks")), cpu_text(since),
                    bytes(number_at(since, "bytes")), cpu_text(part(row, "day")),
                    cpu_text(part(row, "week")), cpu_text(part(row, "year"))});
  }
  return rows.size() > 1 ? table(rows) : "nobody has used this machine yet\n";
}

std::string jobs_table(const Json& usage) {
  std::vector<std::vector<std::string>> rows{
      {"JOB", "KERNEL", "FOR", "MICROTASKS", "CPU", "BYTES", ""}};
  for (const auto& row : usage.value("jobs", Json::array())) {
    if (rows.size() > rows_max)
      break;
    const auto used = part(row, "used");
    rows.push_back({short_job(text_at(row, "job")), shown(text_at(row, "kernel")), who(row),
                    std::to_string(number_at(used, "microtasks")), cpu_text(used),
                    bytes(number_at(used, "bytes")),
                    row.value("working", Json{}) == true ? "now" : ""});
  }
  return rows.size() > 1 ? "\n" + table(rows) : "";
}

std::string head(const Json& status) {
  const auto paused = pause_text(status);
  return shown(text_at(status, "name")) + "  " + std::to_string(number_at(status, "running")) +
         " of " + std::to_string(number_at(status, "slots")) + " slots run" +
         (paused.empty() ? "" : "  paused: " + paused) + "\n\n";
}

std::string screen(Api& api) {
  const auto status = api.get("/v1/status");
  const auto usage = api.get("/v1/usage");
  return head(status) + submitters_table(usage) + jobs_table(usage);
}

} // namespace

void top(const Command& c, Terminal& terminal) {
  Api api{c.common};
  if (c.common.json)
    return terminal.json(api.get("/v1/usage"));
  const bool live = !c.once && isatty(STDOUT_FILENO) == 1;
  if (!live)
    return terminal.data(screen(api));
  for (;; std::this_thread::sleep_for(look_every)) { // Until Ctrl-C.
    terminal.data("\x1b[H\x1b[2J" + screen(api));
    std::fflush(stdout);
  }
}

} // namespace tessera::cli
