#include "node/why.hpp"

#include "node/api_json.hpp"
#include "node/cli/terminal.hpp"
#include "node/job_book.hpp"

#include <algorithm>
#include <cmath>

namespace tessera {
namespace {

constexpr std::size_t jobs_named_max = 3;

std::string count(std::uint64_t n, const std::string& what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}
std::string tasks(std::uint64_t n) {
  return count(n, "microtask");
}
std::string time_of(Duration span) {
  return cli::seconds(
      std::uint64_t(std::chrono::duration_cast<std::chrono::milliseconds>(span).count()));
}

class Answer {
public:
  explicit Answer(const WhyView& view) : v_(view), spec_(view.job.status.spec->spec) {}

  Why made() {
    if (ended(v_.job.status.state))
      return over(), std::move(why_);
    progress();
    inputs();
    end_game();
    nodes();
    queue();
    partners();
    failures();
    deadline();
    if (why_.lines.empty())
      say("it was just accepted: its first microtasks are on their way");
    return std::move(why_);
  }

private:
  void say(std::string line, std::string fix = "") {
    why_.lines.push_back(std::move(line));
    if (why_.fix.empty())
      why_.fix = std::move(fix);
  }
  std::string name(const NodeId& id) const {
    const auto known = v_.name ? v_.name(id) : std::string{};
    return known.empty() ? to_text(id).substr(0, 4) : known;
  }

  void over() {
    const auto& s = v_.job.status;
    if (s.state == JobState::done)
      say("it waits for nothing: it is done");
    else if (s.state == JobState::cancelled)
      say("it waits for nothing: it was cancelled");
    else
      say("it waits for nothing: it failed (" + s.error.code + " " + s.error.what + ")",
          s.error.fix);
  }

  // How fast it goes, since it was accepted.
  void progress() {
    const auto& s = v_.job.status;
    if (s.leaves_done == 0 || s.elapsed_ms == 0)
      return;
    why_.rate = 1000.0 * double(s.leaves_done) / double(s.elapsed_ms);
    const auto left = spec_.leaves() - std::min(spec_.leaves(), s.leaves_done);
    const auto ms = double(left) / why_.rate * 1000;
    if (left > 0 && ms < 1e15)
      why_.eta_ms = std::uint64_t(std::llround(ms));
    if (left == 0)
      return;
    const auto shown = why_.rate < 10 ? std::to_string(std::lround(why_.rate * 60)) + "/min"
                                      : std::to_string(std::lround(why_.rate)) + "/s";
    say("it runs: " + std::to_string(s.leaves_done) + " of " + tasks(spec_.leaves()) + " done, " +
        shown + (why_.eta_ms ? ", about " + cli::seconds(*why_.eta_ms) + " to go" : ""));
  }

  void inputs() {
    if (v_.job.inputs_missing > 0)
      say(count(v_.job.inputs_missing, "input") + " still on the way");
  }

  // All leaves are done, or it is only about their bytes.
  void end_game() {
    if (v_.job.stalled)
      say("what is left to merge takes this paused node too long", "tessera resume");
    else if (v_.job.finishing)
      say("all is merged: its result is being made");
    else if (v_.job.copies > 0)
      say(count(v_.job.copies, "output") + " on the way to a second node");
  }

  void nodes() {
    const auto reach = eligible_of(spec_, v_.nodes);
    if (v_.job.queued == 0)
      return;
    if (!reach.ever()) {
      const auto lacks = lacks_of(spec_, reach);
      return say("no known node can run it" + (lacks.empty() ? "" : ": " + lacks),
                 spec_.require.any() ? "start a node that can, or cancel it and require less"
                                     : "start a node that can: tessera start --join INVITE");
    }
    if (reach.able == 0)
      return say("all that can run it are paused: " + lacks_of(spec_, reach),
                 v_.root_paused ? "tessera resume" : "tessera peers");
    if (v_.root_paused)
      say("this node, its root, is paused: only others run it", "tessera resume");
    else if (!v_.job.able)
      say("this node, its root, lacks what it requires: only others run it");
    if (const auto lacks = lacks_of(spec_, reach); !lacks.empty())
      say(std::to_string(reach.able) + " of " + count(reach.nodes, "node") +
          " can run it: " + lacks);
  }

  // Who is served before it, or beside it.
  void queue() {
    if (v_.job.queued == 0)
      return;
    std::vector<std::string> ahead;
    std::size_t beside = 0;
    for (const auto& other : v_.others) {
      if (ended(other.state) || other.spec->spec.round > 0)
        continue;
      if (other.spec->spec.priority > spec_.priority)
        ahead.push_back(to_hex(other.spec->id).substr(0, 6) + " (priority " +
                        std::to_string(other.spec->spec.priority) + ")");
      beside += other.spec->spec.priority == spec_.priority;
    }
    if (!ahead.empty()) {
      std::string list;
      for (std::size_t i = 0; i < std::min(ahead.size(), jobs_named_max); ++i)
        list += (i ? ", " : "") + ahead[i];
      say(tasks(v_.job.queued) + " queued behind " + count(ahead.size(), "job") +
              " of higher priority: " + list + (ahead.size() > jobs_named_max ? ", ..." : ""),
          "it has one turn in eight meanwhile; priority is said at submit: --priority N");
    }
    if (beside > 0)
      say("it shares slots with " + count(beside, "job") + " of its own priority");
    else if (ahead.empty() && v_.job.running + v_.job.leased > 0)
      say(tasks(v_.job.queued) + " queued for the next free slot");
  }

  void partners() {
    for (const auto& out : v_.job.out) {
      if (out.leaves == 0)
        continue;
      const auto who = name(out.peer);
      if (out.suspected)
        say(who + " has " + tasks(out.leaves) + " and has been silent for " + time_of(out.silent) +
                ": what it has may run elsewhere, too",
            "nothing needs doing: after 15 s they are queued again");
      else
        say(tasks(out.leaves) + " with " + who + " since " + time_of(out.since));
    }
    if (v_.job.running > 0)
      say(tasks(v_.job.running) + " running here");
  }

  void failures() {
    for (const auto& f : v_.job.failed)
      say("microtask " + std::to_string(f.leaf) + " failed " +
              (f.times == 1 ? "once" : std::to_string(f.times) + " times") + " (" + f.code +
              ") and is tried once more",
          "tessera logs " + to_hex(v_.job.status.spec->id).substr(0, 6));
  }

  void deadline() {
    if (spec_.deadline_ms == 0)
      return;
    const auto left = spec_.deadline_ms - v_.now_ms;
    say(left > 0 ? "it fails unless it is done within " + cli::seconds(std::uint64_t(left))
                 : "its time to live is over");
  }

  const WhyView& v_;
  const JobSpec& spec_;
  Why why_;
};

} // namespace

Why why(const WhyView& view) {
  return Answer{view}.made();
}

Json why_json(const WhyView& view) {
  const auto told = why(view);
  const auto& job = view.job;
  Json out = Json::array();
  for (const auto& o : job.out)
    out.push_back(
        {{"node", to_text(o.peer)},
         {"name", view.name ? view.name(o.peer) : ""},
         {"microtasks", o.leaves},
         {"since_ms", std::chrono::duration_cast<std::chrono::milliseconds>(o.since).count()},
         {"silent_ms", std::chrono::duration_cast<std::chrono::milliseconds>(o.silent).count()},
         {"suspected", o.suspected}});
  return {{"schema", 1},
          {"job", to_hex(job.status.spec->id)},
          {"state", to_text(job.status.state)},
          {"why", told.lines},
          {"fix", told.fix.empty() ? Json(nullptr) : Json(told.fix)},
          {"queued", job.queued},
          {"running", job.running},
          {"leased", job.leased},
          {"rate", told.rate},
          {"eta_ms", told.eta_ms ? Json(*told.eta_ms) : Json(nullptr)},
          {"out", std::move(out)}};
}

Json log_json(const JobStatus& status, const LogEntries& log) {
  Json entries = Json::array();
  for (const auto& entry : log)
    entries.push_back({{"number", entry.number}, {"at_ms", entry.at_ms}, {"text", entry.text}});
  return {{"schema", 1},
          {"job", to_hex(status.spec->id)},
          {"state", to_text(status.state)},
          {"entries", std::move(entries)}};
}

} // namespace tessera
