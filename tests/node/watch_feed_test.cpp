#include "node/cli/event_frames.hpp"
#include "node/cli/watch_model.hpp"

#include <doctest/doctest.h>

#include <random>

// What `watch` hears, and what it makes of it, without a node.
using namespace tessera::cli;
using Json = nlohmann::json;
using Frames = std::vector<EventFrame>;

namespace {

const std::string stream =
    "id: 7\nevent: job\ndata: {\"a\":1}\n\n: beat\n\ndata: two\ndata: lines\r\n\r\n"
    "event: log\r\ndata:x\r\n\r\nevent: old\rdata: mac\r\rid: 9\nevent: load\n\ndata\n\n";
const Frames frames{{"7", "job", "{\"a\":1}"},
                    {"7", "message", "two\nlines"},
                    {"7", "log", "x"},
                    {"7", "old", "mac"},
                    {"9", "message", ""}};

Json job(const std::string& id, const std::string& state, std::uint64_t done) {
  return {{"job", id}, {"state", state}, {"done", done}, {"elapsed_ms", 100}};
}

struct Watched {
  WatchModel model;
  std::uint64_t now = 1000;

  void take(const std::string& kind, const Json& data) {
    model.take({"1", kind, data.dump()}, now);
  }
  WatchView seen() const {
    WatchView view;
    model.show(view, now);
    return view;
  }
};

Json snapshot(std::vector<Json> jobs) {
  return {{"schema", 1},
          {"status", {{"name", "desk"}, {"running", 0}, {"slots", 4}, {"pause", nullptr}}},
          {"peers", Json::array({{{"id", "me"}, {"running", 0}}, {{"id", "p"}, {"running", 1}}})},
          {"jobs", jobs}};
}

std::vector<std::string> names(const std::vector<Json>& list, const char* name) {
  std::vector<std::string> all;
  for (const auto& each : list)
    all.push_back(each.at(name));
  return all;
}

} // namespace

TEST_CASE("event frames are the same however the bytes are cut") {
  CHECK(EventFrames{}.push(stream) == frames);
  std::mt19937_64 random{4};
  for (int i = 0; i < 500; ++i) {
    EventFrames cut;
    Frames found;
    for (std::size_t at = 0; at < stream.size();) {
      const auto size = 1 + random() % 9;
      const auto some = cut.push(std::string_view{stream}.substr(at, size));
      REQUIRE(some);
      found.insert(found.end(), some->begin(), some->end());
      at += size;
    }
    REQUIRE(found == frames);
  }
}

TEST_CASE("comments, unknown fields, ids with a zero and frames without data are no frames") {
  EventFrames plain;
  const std::string zero{"id: 1\0002\ndata: x\n\n", 17};
  CHECK(plain.push(": beat\n\nretry: 5\nfoo\n\nid: 3\n\n") == Frames{});
  CHECK(plain.push(zero) == Frames{{"3", "message", "x"}});
}

TEST_CASE("a line or a frame without an end is refused, one at the bound is not") {
  EventFrames line{64}, frame{64}, fits{64};
  CHECK(line.push(std::string(64, 'x')) == Frames{});
  CHECK(line.push("x") == std::nullopt);
  const std::string data = "data: 7890123456789012345678901234\n";
  CHECK(frame.push(data) == Frames{});
  CHECK(frame.push(data + data) == std::nullopt);
  CHECK(fits.push("data: " + std::string(58, 'x') + "\n\n") ==
        Frames{{"", "message", std::string(58, 'x')}});
}

TEST_CASE("a snapshot is how things are, and what follows changes it") {
  Watched w;
  CHECK(!w.model.began());
  w.take("snapshot", snapshot({job("b", "running", 1), job("a", "done", 9)}));
  CHECK(w.model.began());
  CHECK(names(w.seen().jobs, "job") == std::vector<std::string>{"b", "a"});
  w.take("job", job("b", "running", 5));
  w.take("job", job("c", "queued", 0));
  CHECK(names(w.seen().jobs, "job") ==
        std::vector<std::string>{"c", "b", "a"}); // The newest first.
  CHECK(w.seen().jobs[1]["done"] == 5);
  w.take("job_gone", {{"job", "a"}});
  w.take("peer", {{"id", "p"}, {"running", 3}});
  w.take("peer", {{"id", "q"}, {"running", 0}});
  CHECK(names(w.seen().jobs, "job") == std::vector<std::string>{"c", "b"});
  CHECK(names(w.seen().peers, "id") == std::vector<std::string>{"me", "p", "q"});
  CHECK(w.seen().peers[1]["running"] == 3);
  w.take("peer_gone", {{"id", "p"}});
  CHECK(names(w.seen().peers, "id") == std::vector<std::string>{"me", "q"});
  w.take("load", {{"running", 2}, {"slots", 4}, {"rate", 7}});
  w.take("pause", {{"pause", {{"since_ms", 1}}}});
  CHECK(w.seen().status["running"] == 2);
  CHECK(w.seen().status["pause"].is_object());
  CHECK(w.seen().status["name"] == "desk");
  w.take("status", {{"name", "desk"}, {"running", 1}, {"pause", nullptr}});
  CHECK(w.seen().status["pause"].is_null());
}

TEST_CASE("a resync changes nothing, and the snapshot behind it all") {
  Watched w;
  w.take("snapshot", snapshot({job("a", "running", 1)}));
  w.take("resync", {{"schema", 1}, {"why", "slow"}});
  CHECK(names(w.seen().jobs, "job") == std::vector<std::string>{"a"});
  w.take("snapshot", snapshot({job("b", "running", 1)}));
  CHECK(names(w.seen().jobs, "job") == std::vector<std::string>{"b"});
}

TEST_CASE("a job that is silent grows older, one that has ended does not") {
  Watched w;
  w.take("snapshot", snapshot({job("a", "queued", 0), job("b", "done", 9)}));
  w.now += 500;
  CHECK(w.seen().jobs[0]["elapsed_ms"] == 600);
  CHECK(w.seen().jobs[1]["elapsed_ms"] == 100);
  w.take("job", job("a", "running", 1));
  CHECK(w.seen().jobs[0]["elapsed_ms"] == 100);
}

TEST_CASE("of one job only that is seen, until it has ended or is forgotten") {
  Watched w{WatchModel{"a"}};
  CHECK(!w.model.over());
  w.take("snapshot", snapshot({job("a", "running", 1)}));
  w.take("job", job("b", "running", 1));
  CHECK(w.seen().one);
  CHECK(names(w.seen().jobs, "job") == std::vector<std::string>{"a"});
  CHECK(!w.model.over());
  auto other = w;
  w.take("job", job("a", "failed", 1));
  CHECK(w.model.over());
  other.take("job_gone", {{"job", "a"}});
  CHECK(other.model.over());
}

TEST_CASE("news of any shape does no harm") {
  Watched w;
  const std::vector<std::string> kinds{"snapshot", "job",   "job_gone", "peer", "peer_gone",
                                       "status",   "pause", "load",     "none", "resync"};
  const std::vector<std::string> texts{"",
                                       "{",
                                       "[]",
                                       "null",
                                       "7",
                                       "{}",
                                       R"({"job":7,"id":[],"pause":1,"running":"x"})",
                                       R"({"status":3,"peers":{},"jobs":[1,null,{}]})",
                                       R"({"job":"a","elapsed_ms":"x"})"};
  for (const auto& kind : kinds)
    for (const auto& text : texts)
      for (const auto& again : kinds) {
        w.model.take({"1", kind, text}, w.now);
        w.model.take({"1", again, R"({"jobs":[{"job":"a"}],"job":"a"})"}, w.now);
        auto view = w.seen();
        view.see(w.now);
        CHECK(watch_lines(view, {80, 24, false}).size() <= 24);
      }
}
