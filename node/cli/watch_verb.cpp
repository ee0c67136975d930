#include "node/cli/failed.hpp"
#include "node/cli/full_screen.hpp"
#include "node/cli/job_talk.hpp"
#include "node/cli/verbs.hpp"
#include "node/cli/watch_feed.hpp"

#include <chrono>
#include <unistd.h>

// Jobs and peers, live: the whole screen on a terminal, else a line for each change.
namespace tessera::cli {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto see_every = 500ms;  // For rates.
constexpr auto draw_every = 100ms; // 10 a second at most.
constexpr auto lines_every = 1000ms;

constexpr char ctrl_c = 3;

std::uint64_t ms_since(Clock::time_point start) {
  return std::uint64_t(
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count());
}

void on_screen(WatchFeed& feed, bool colour) {
  FullScreen screen;
  WatchView view;
  const auto start = Clock::now();
  auto next_see = start;
  for (;;) {
    feed.look(view);
    if (Clock::now() >= next_see) {
      view.see(ms_since(start));
      next_see = Clock::now() + see_every;
    }
    const auto [width, height] = screen.size();
    screen.draw(watch_lines(view, {width, height, colour}));
    const char key = screen.key(draw_every);
    if (key == 'q' || key == 'Q' || key == ctrl_c)
      return;
  }
}

nlohmann::json whole(const WatchView& view) {
  if (view.one)
    return view.jobs.empty() ? nlohmann::json::object() : view.jobs.front();
  return {{"status", view.status}, {"peers", view.peers}, {"jobs", view.jobs}};
}

// What is news since the last time.
void tell(const WatchView& view, Terminal& terminal, bool json,
          std::map<std::string, std::string>& told) {
  const auto say = [&](const std::string& key, const std::string& mark, const auto& how) {
    if (auto& last = told[key]; last != mark) {
      last = mark;
      how();
    }
  };
  if (json)
    return say("", view.one ? whole(view).dump() : whole(view)["jobs"].dump(),
               [&] { terminal.json(whole(view)); });
  for (const auto& job : view.jobs) {
    const auto state = text_at(job, "state");
    say(text_at(job, "job"), state + std::to_string(number_at(job, "done")),
        [&] { terminal.data(watch_line(view, job)); });
  }
}

Failed forgotten(const std::string& job) {
  return {Exit::not_found,
          {"E414", "job " + short_job(job) + " is not known any more", "it was forgotten",
           "see those that there are: tessera jobs"}};
}

void as_lines(WatchFeed& feed, const std::string& job, Terminal& terminal, bool json) {
  const auto start = Clock::now();
  WatchView view;
  std::map<std::string, std::string> told;
  for (;; feed.wait(lines_every)) {
    feed.look(view);
    view.see(ms_since(start));
    for (const auto& note : view.notes)
      terminal.note(note);
    tell(view, terminal, json, told);
    terminal.finish();
    if (view.one && view.jobs.empty())
      throw forgotten(job);
    if (view.one && ended(view.jobs.front()))
      return;
  }
}

} // namespace

void watch_live(const Command& c, Terminal& terminal) {
  const auto job = c.subject.empty() ? "" : text_at(Api{c.common}.get(job_path(c.subject)), "job");
  const bool screen = ::isatty(STDOUT_FILENO) == 1 && !c.common.json;
  WatchFeed feed{c.common, job, screen ? WatchFeed::Why::asked : WatchFeed::Why::not_asked};
  feed.begin(); // What is wrong with it is said before the screen is another.
  if (screen)
    on_screen(feed, wants_colour(c.common.colour, true));
  else
    as_lines(feed, job, terminal, c.common.json);
}

} // namespace tessera::cli
