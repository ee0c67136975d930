#include "node/cli/watch_screen.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

// What `watch` draws, without a terminal.
using namespace tessera::cli;
using Json = nlohmann::json;

namespace {

Json job(const std::string& id, const std::string& state, std::uint64_t done,
         std::uint64_t total = 100) {
  return {{"job", id + std::string(64 - id.size(), '0')},
          {"kernel", "sumsq@1"},
          {"state", state},
          {"priority", 3},
          {"done", done},
          {"microtasks", total},
          {"peers", 2},
          {"elapsed_ms", 4000},
          {"rerun", 1},
          {"moved_bytes", 2048},
          {"shares", Json::array({{{"node", "K7QX-AAAA"},
                                   {"name", "desk"},
                                   {"microtasks", 30},
                                   {"cpu_ms", 1500.0},
                                   {"received_bytes", 1024}},
                                  {{"node", "9ZB1-AAAA"},
                                   {"name", "attic"},
                                   {"microtasks", 10},
                                   {"cpu_ms", 500.0},
                                   {"received_bytes", 0}}})}};
}
Json peer(const std::string& name, std::uint64_t running, bool self = false) {
  return {{"id", "K7QX-AAAA"},  {"name", name}, {"via", "direct"}, {"slots", 4},
          {"running", running}, {"speed", 3.5}, {"state", "ok"},   {"self", self}};
}

WatchView view(std::size_t jobs = 2, std::size_t peers = 2) {
  WatchView v;
  v.status = {
      {"name", "desk"}, {"id", "K7QX-AAAA"}, {"running", 3}, {"slots", 4}, {"pause", nullptr}};
  for (std::size_t i = 0; i < jobs; ++i)
    v.jobs.push_back(
        job(std::string(1, char('a' + i % 6)) + std::to_string(i), "running", 10 * (i % 10)));
  for (std::size_t i = 0; i < peers; ++i)
    v.peers.push_back(peer("peer" + std::to_string(i), i % 5, i == 0));
  return v;
}

std::size_t cells(const std::string& text) {
  return std::size_t(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

bool shows(const std::vector<std::string>& lines, const std::string& words) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const auto& line) { return line.find(words) != line.npos; });
}

} // namespace

TEST_CASE("a screen has just as many lines as the terminal, none wider") {
  for (const bool one : {false, true})
    for (const std::size_t height : {0, 1, 2, 5, 10, 24, 60})
      for (const std::size_t width : {1, 10, 40, 80, 200}) {
        auto v = view(20, 30);
        v.one = one;
        if (one)
          v.jobs.resize(1);
        v.jobs[0]["kernel"] = "\u00fcn\u00efc\u00f6de@1";
        const auto lines = watch_lines(v, {width, height, false});
        CHECK(lines.size() == height);
        for (const auto& line : lines)
          CHECK(cells(line) <= width);
      }
}

TEST_CASE("all jobs are shown with bars, those that run first, and peers with their load") {
  auto v = view(0);
  v.jobs = {job("d1", "done", 100), job("a1", "running", 50)};
  v.see(0);
  v.jobs[1] = job("a1", "running", 70);
  v.see(2000);
  const auto lines = watch_lines(v, {120, 24, false});
  CHECK(shows(
      lines,
      "a10000  sumsq@1  running  3     [##############......]  70 %  70/100    10/s  2      3 s"));
  CHECK(shows(lines, "d10000  sumsq@1  done     3     [####################]  100 %  100/100"));
  const auto at = [&](const std::string& words) {
    return std::find_if(lines.begin(), lines.end(),
                        [&](const auto& line) { return line.starts_with(words); });
  };
  CHECK(at("a10000") < at("d10000"));
  CHECK(shows(lines, "K7QX (me)  peer0"));
  CHECK(shows(lines, "[##......]  1/4"));
  CHECK(lines.front().starts_with("tessera  desk  K7QX  3/4 slots  2 nodes  1 jobs run"));
  CHECK(lines.back() == "q quits");
}

TEST_CASE("what does not fit is counted") {
  const auto lines = watch_lines(view(40, 2), {80, 20, false});
  CHECK(shows(lines, "more"));
  CHECK(shows(lines, "PEER"));
}

TEST_CASE("one job is shown with its strip, its shares and what it waits for") {
  auto v = view(1, 1);
  v.one = true;
  v.jobs = {job("a1", "running", 50)};
  v.why = {{"leased", 20}, {"running", 10}, {"why", {"it runs: so far so good"}}};
  const auto lines = watch_lines(v, {42, 30, false});
  CHECK(shows(lines, "[####################++++++++====........]"));
  CHECK(shows(lines, "  it runs: so far so good"));
  CHECK(shows(lines, "75 %"));
  CHECK(shows(lines, "1 re-run  2 KiB moved"));
  v.jobs.clear();
  CHECK(shows(watch_lines(v, {80, 30, false}), "not known any more"));
}

TEST_CASE("without colour there is no escape, and what others say brings none in") {
  auto v = view();
  v.jobs[0]["kernel"] = "\x1b[2Jevil";
  v.peers[0]["name"] = "a\nb";
  v.trouble = "E301 \x1b]0;x\x07";
  for (const auto& line : watch_lines(v, {80, 24, false}))
    for (const char c : line)
      CHECK((static_cast<unsigned char>(c) >= 32 && c != 127));
  const auto coloured = watch_lines(v, {80, 24, true});
  CHECK(shows(coloured, "\x1b[0m"));
  CHECK_FALSE(shows(coloured, "\x1b[2J"));
}

TEST_CASE("whatever the node says, something is drawn") {
  std::mt19937_64 rng{7};
  const std::vector<Json> oddities{nullptr,        7,     -1,  "text", Json::array(),
                                   Json::object(), 1e300, true};
  for (int i = 0; i < 500; ++i) {
    auto v = view(3, 3);
    v.one = rng() % 2;
    for (auto* list : {&v.jobs, &v.peers})
      for (auto& object : *list)
        for (auto& [key, value] : object.items())
          if (rng() % 3 == 0)
            value = oddities[rng() % oddities.size()];
    v.see(i);
    CHECK(watch_lines(v, {80, 24, false}).size() == 24);
  }
}
