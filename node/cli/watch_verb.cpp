#include "node/cli/failed.hpp"
#include "node/cli/full_screen.hpp"
#include "node/cli/job_talk.hpp"
#include "node/cli/verbs.hpp"
#include "node/cli/watch_feed.hpp"

#include <chrono>
#include <thread>
#include <unistd.h>

// Jobs and peers, live: the whole screen on a terminal, else a line for each change.
namespace tessera::cli {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto look_every = 500ms; // The node is asked.
constexpr auto draw_every = 100ms; // 10 a second at most.
constexpr auto lines_every = 1000ms;

constexpr char ctrl_c = 3;

std::uint64_t ms_since(Clock::time_point start) {
  return std::uint64_t(
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count());
}

bool over(const WatchView& view) {
  const auto state = view.jobs.empty() ? "" : text_at(view.jobs.front(), "state");
  return view.one && (state == "done" || state == "failed" || state == "cancelled");
}

// A node that does not answer may be back.
void look(WatchFeed& feed, WatchView& view, std::uint64_t at_ms) {
  try {
    feed.look(view);
    view.trouble.clear();
    view.see(at_ms);
  } catch (const Failed& failed) {
    view.trouble = failed.error().code + " " + failed.error().what;
  }
}

void on_screen(WatchFeed& feed, WatchView& view, bool colour) {
  FullScreen screen;
  const auto start = Clock::now();
  auto next_look = start;
  for (;;) {
    if (Clock::now() >= next_look) {
      look(feed, view, ms_since(start));
      next_look = Clock::now() + look_every;
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

void as_lines(WatchFeed& feed, WatchView& view, Terminal& terminal, bool json) {
  const auto start = Clock::now();
  std::map<std::string, std::string> told;
  for (;;) {
    look(feed, view, ms_since(start));
    if (!view.trouble.empty())
      terminal.note(view.trouble);
    tell(view, terminal, json, told);
    terminal.finish();
    if (over(view))
      return;
    std::this_thread::sleep_for(lines_every);
  }
}

} // namespace

void PolledFeed::look(WatchView& view) {
  view.status = api_.get("/v1/status");
  view.peers = api_.get("/v1/peers").value("peers", std::vector<nlohmann::json>{});
  view.one = !job_.empty();
  if (!view.one) {
    view.jobs = api_.get("/v1/jobs").value("jobs", std::vector<nlohmann::json>{});
    return;
  }
  view.jobs = {api_.get(job_path(job_))};
  view.why = api_.get(job_path(job_) + "/why");
}

void watch_live(const Command& c, Terminal& terminal) {
  Api api{c.common};
  const auto job = c.subject.empty() ? "" : text_at(api.get(job_path(c.subject)), "job");
  PolledFeed feed{api, job};
  WatchView view;
  feed.look(view); // What is wrong with it is said before the screen is another.
  const bool screen = ::isatty(STDOUT_FILENO) == 1 && !c.common.json;
  if (screen)
    on_screen(feed, view, wants_colour(c.common.colour, true));
  else
    as_lines(feed, view, terminal, c.common.json);
}

} // namespace tessera::cli
