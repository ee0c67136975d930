#include "node/cli/api.hpp"
#include "node/cli/verbs.hpp"

#include <chrono>
#include <ctime>

// The owner of the machine wants it back for a while.
namespace tessera::cli {

using Json = nlohmann::json;

namespace {

std::int64_t unix_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// On the clock of whoever reads it; with the day where that is not plain.
std::string time_text(std::int64_t at_ms) {
  const auto at = std::time_t(at_ms / 1000);
  const auto apart_ms = at_ms - unix_ms();
  std::tm local{};
  char text[32];
  if (!::localtime_r(&at, &local))
    return "?";
  const bool near = -12 * 3'600'000 < apart_ms && apart_ms < 12 * 3'600'000;
  const auto size = std::strftime(text, sizeof text, near ? "%H:%M:%S" : "%Y-%m-%d %H:%M", &local);
  return {text, size};
}

} // namespace

std::string pause_text(const Json& status) {
  const auto pause = status.value("pause", Json{});
  if (!pause.is_object())
    return {};
  const auto until = pause.value("until_ms", Json{});
  const auto since = std::int64_t(number_at(pause, "since_ms"));
  const auto why = shown(text_at(pause, "why"));
  if (!why.empty() && !until.is_number())
    return why + ", since " + time_text(since);
  if (!why.empty())
    return why + ", since " + time_text(since) + ", at least until " +
           time_text(std::int64_t(number_at(pause, "until_ms")));
  if (!until.is_number())
    return "since " + time_text(since) + ", until resumed";
  const auto until_ms = std::int64_t(number_at(pause, "until_ms"));
  const auto left_ms = std::max<std::int64_t>(0, until_ms - unix_ms());
  return "since " + time_text(since) + ", until " + time_text(until_ms) + " (" +
         seconds(std::uint64_t(left_ms + 999) / 1000 * 1000) + " more)";
}

void pause(const Command& c, Terminal& terminal) {
  Api api{c.common};
  const auto body = c.pause ? Json{{"seconds", c.pause->count()}} : Json::object();
  const auto answer = api.post("/v1/pause", body);
  if (c.common.json)
    return terminal.json(answer);
  terminal.note("paused " + pause_text(answer) + "; its work goes on elsewhere");
  terminal.next("tessera resume");
}

void resume(const Command& c, Terminal& terminal) {
  Api api{c.common};
  const auto answer = api.post("/v1/resume");
  if (c.common.json)
    return terminal.json(answer);
  const auto still = pause_text(answer);
  terminal.note(still.empty() ? "this node takes work again"
                              : "resumed, and paused by your policy: " + still);
  terminal.next(still.empty() ? "tessera status" : "tessera config");
}

} // namespace tessera::cli
