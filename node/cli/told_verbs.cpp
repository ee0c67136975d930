#include "node/cli/failed.hpp"
#include "node/cli/job_talk.hpp"
#include "node/cli/verbs.hpp"

#include <chrono>
#include <ctime>
#include <thread>

// What a job waits for, what happened to it, and letting it go.
namespace tessera::cli {
namespace {

constexpr auto follow_every = std::chrono::seconds(1);

std::string clock_text(std::uint64_t unix_ms) {
  const auto seconds = std::time_t(unix_ms / 1000);
  std::tm local{};
  localtime_r(&seconds, &local);
  char text[32], whole[40];
  std::strftime(text, sizeof text, "%H:%M:%S", &local);
  std::snprintf(whole, sizeof whole, "%s.%03u", text, unsigned(unix_ms % 1000));
  return whole;
}

bool ended(const std::string& state) {
  return state == "done" || state == "failed" || state == "cancelled";
}

// The entries; the number of the last.
std::uint64_t print_log(Terminal& terminal, const Json& log, bool json, std::uint64_t before) {
  for (const auto& entry : log.value("entries", Json::array())) {
    const auto number = number_at(entry, "number");
    if (before == 0 && number > 1 && !json)
      terminal.note(std::to_string(number - 1) + " older entries are gone");
    before = number;
    if (json)
      terminal.json(entry);
    else
      terminal.data(clock_text(number_at(entry, "at_ms")) + "  " + shown(text_at(entry, "text")));
  }
  return before;
}

std::vector<std::string> ended_jobs(Api& api) {
  std::vector<std::string> ids;
  for (const auto& job : api.get("/v1/jobs").value("jobs", Json::array()))
    if (ended(text_at(job, "state")))
      ids.push_back(text_at(job, "job"));
  return ids;
}

} // namespace

void why(const Command& c, Terminal& terminal) {
  Api api{c.common};
  const auto answer = api.get(job_path(c.subject) + "/why");
  if (c.common.json)
    return terminal.json(answer);
  const auto id = short_job(text_at(answer, "job"));
  std::string text = "job " + id + " is " + shown(text_at(answer, "state")) + "\n";
  for (const auto& line : answer.value("why", Json::array()))
    text += "  " + shown(line.is_string() ? line.get<std::string>() : "") + "\n";
  terminal.data(text);
  if (const auto fix = text_at(answer, "fix"); fix.starts_with("tessera "))
    terminal.next(shown(fix));
  else if (!fix.empty())
    terminal.note(terminal.painted(" next  ", Paint::dim) + shown(fix));
}

void logs(const Command& c, Terminal& terminal) {
  Api api{c.common};
  const auto path = job_path(text_at(api.get(job_path(c.subject)), "job")) + "/log?since=";
  std::uint64_t last = 0;
  for (;;) {
    const auto log = api.get(path + std::to_string(last + 1));
    last = print_log(terminal, log, c.common.json, last);
    if (!c.follow || ended(text_at(log, "state")))
      return;
    terminal.finish(); // Each line is there before we wait.
    std::this_thread::sleep_for(follow_every);
  }
}

void rm(const Command& c, Terminal& terminal) {
  Api api{c.common};
  const auto ids = c.all_ended ? ended_jobs(api) : c.subjects;
  for (const auto& id : ids) {
    const auto job = api.del(job_path(id));
    if (c.common.json)
      terminal.json({{"job", text_at(job, "job")}, {"forgotten", true}});
    else
      terminal.note("job " + short_job(text_at(job, "job")) + " is forgotten, with its result");
  }
  if (ids.empty())
    terminal.note("no job has ended");
  terminal.next("tessera jobs");
}

} // namespace tessera::cli
