#include "node/event_stream.hpp"

#include <doctest/doctest.h>

#include <random>
#include <set>

using namespace tessera;
using namespace std::chrono_literals;

namespace {

const Time start{};
constexpr Duration gap = 200ms;

// What a reader makes of what it is sent.
struct Frame {
  std::optional<std::uint64_t> id;
  std::string kind, data;
};
std::vector<Frame> frames_of(const std::string& text) {
  std::vector<Frame> all;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto end = text.find("\n\n", at);
    REQUIRE(end != text.npos); // Frames go out whole.
    Frame frame;
    for (auto line = at; line < end;) {
      const auto stop = std::min(text.find('\n', line), end);
      const auto word = text.substr(line, stop - line);
      if (word.starts_with("id: "))
        frame.id = std::stoull(word.substr(4));
      else if (word.starts_with("event: "))
        frame.kind = word.substr(7);
      else if (word.starts_with("data: "))
        frame.data = word.substr(6);
      else if (word.starts_with(":"))
        frame.kind = word;
      line = stop + 1;
    }
    all.push_back(std::move(frame));
    at = end + 2;
  }
  return all;
}

std::shared_ptr<const std::string> snapshot_of(std::uint64_t id, const std::string& data) {
  return std::make_shared<const std::string>(event_frame(id, "snapshot", data));
}

// A log that is followed.
EventLog followed(EventLogConfig config = {}) {
  EventLog log{config};
  log.opened(start);
  return log;
}
EventLog::Data text(std::string what) {
  return [what = std::move(what)] { return what; };
}
std::vector<std::string> data_of(const Events& events) {
  std::vector<std::string> all;
  for (const auto& e : events)
    all.push_back(frames_of(e->frame).at(0).data);
  return all;
}

} // namespace

TEST_CASE("topics are named, and nothing else is one") {
  CHECK(topics_of("jobs") == Topics{Topic::jobs});
  CHECK(topics_of("work,jobs,peers,node") ==
        Topics{Topic::jobs, Topic::peers, Topic::node, Topic::work});
  for (const auto* none : {"", ",", "jobs,", "job", "jobs work", "jobs,,node"})
    CHECK(topics_of(none) == std::nullopt);
}

TEST_CASE("an event's id is that of the one before, and one") {
  auto log = followed({.first_id = 1000});
  CHECK(log.last_id() == 999);
  for (int i = 0; i < 3; ++i)
    log.add(Topic::node, "log", std::to_string(i), "", start);
  const auto batch = log.wake(start);
  REQUIRE(batch.size() == 3);
  CHECK(batch[0]->frame == "id: 1000\nevent: log\ndata: 0\n\n");
  CHECK(batch[2]->id == 1002);
  CHECK(log.wake(start + 1s).empty());
}

TEST_CASE("nothing is written while nobody follows, and nobody goes on from there") {
  EventLog log{{}};
  log.add(Topic::node, "log", "1", "", start);
  CHECK(log.last_id() == 0);
  log.opened(start);
  log.add(Topic::node, "log", "2", "", start);
  log.closed(start);
  log.add(Topic::node, "log", "3", "", start + 59s);
  CHECK(data_of(*log.since(1)) == std::vector<std::string>{"3"});
  log.opened(start + 61s);
  CHECK(log.since(2) == std::nullopt); // It may have missed some.
}

TEST_CASE("a batch is out at most each 50 ms") {
  auto log = followed();
  log.add(Topic::node, "log", "1", "", start);
  CHECK(log.next_wake() <= start);
  CHECK(log.wake(start).size() == 1);
  log.add(Topic::node, "log", "2", "", start + 1ms);
  CHECK(log.next_wake() == start + 50ms);
  CHECK(log.wake(start + 49ms).empty());
  CHECK(log.wake(start + 50ms).size() == 1);
}

TEST_CASE("what changes often is told five times a second, its last state always") {
  auto log = followed();
  for (int ms = 0; ms <= 1000; ms += 10) {
    log.changed("job a", Topic::jobs, "job", gap, text(std::to_string(ms)), "a", start + ms * 1ms);
    log.wake(start + ms * 1ms);
  }
  CHECK(log.last_id() <= 6);
  log.wake(start + 2s);
  CHECK(data_of(*log.since(0)).back() == "1000");
  // Quiet for a while, then told at once.
  log.changed("job a", Topic::jobs, "job", gap, text("late"), "a", start + 3s);
  CHECK(data_of(*log.since(0)).back() == "late");
}

TEST_CASE("what somebody waits for is told at once, whatever was told before") {
  auto log = followed();
  log.changed("job a", Topic::jobs, "job", gap, text("runs"), "a", start);
  CHECK(log.wake(start).size() == 1);
  log.changed("job a", Topic::jobs, "job", gap, text("runs on"), "a", start + 5ms);
  CHECK(log.wake(start + 5ms).empty());
  log.changed("job a", Topic::jobs, "job", Duration::zero(), text("done"), "a", start + 10ms);
  CHECK(log.next_wake() <= start + 10ms);
  CHECK(log.wake(start + 10ms).size() == 1);
  CHECK(data_of(*log.since(0)) == std::vector<std::string>{"runs", "done"});
  // Others still wait for their batch, and many such share one.
  log.changed("job b", Topic::jobs, "job", Duration::zero(), text("done"), "b", start + 11ms);
  CHECK(log.wake(start + 11ms).empty());
  CHECK(log.next_wake() == start + 12ms);
  CHECK(log.wake(start + 12ms).size() == 1);
  log.add(Topic::node, "log", "1", "", start + 13ms);
  CHECK(log.next_wake() == start + 62ms);
}

TEST_CASE("of what is gone, no news comes any more") {
  auto log = followed();
  log.changed("job a", Topic::jobs, "job", gap, text("1"), "a", start);
  log.changed("job a", Topic::jobs, "job", gap, text("2"), "a", start);
  log.forget("job a");
  log.wake(start + 1s);
  CHECK(data_of(*log.since(0)) == std::vector<std::string>{"1"});
}

TEST_CASE("the log is bounded by events and by bytes") {
  auto log = followed({.events_max = 4});
  for (int i = 0; i < 10; ++i)
    log.add(Topic::node, "log", std::to_string(i), "", start);
  CHECK(log.since(5) == std::nullopt);
  CHECK(log.since(6)->size() == 4);
  CHECK(log.since(10)->empty());
  CHECK(log.since(11) == std::nullopt); // Not of this log.
  auto small = followed({.bytes_max = 100});
  for (int i = 0; i < 10; ++i)
    small.add(Topic::node, "log", std::string(40, 'x'), "", start);
  CHECK(small.since(9)->size() == 1);
  CHECK(small.since(8) == std::nullopt);
}

TEST_CASE("a stream gets its topics, and of jobs only the one that it is of") {
  auto log = followed();
  EventStream stream{{.topics = {Topic::jobs, Topic::node}, .job = "a"}, start};
  REQUIRE(stream.take_wish());
  CHECK_FALSE(stream.take_wish());
  stream.snapshot(0, snapshot_of(0, "{}"));
  log.add(Topic::jobs, "job", "1", "a", start);
  log.add(Topic::jobs, "job", "2", "b", start);
  log.add(Topic::peers, "peer", "3", "", start);
  log.add(Topic::node, "load", "4", "", start);
  log.add(Topic::work, "part", "5", "a", start);
  stream.came(log.wake(start));
  const auto frames = frames_of(stream.take(start));
  REQUIRE(frames.size() == 3);
  CHECK(frames[0].kind == "snapshot");
  CHECK(frames[1].data == "1");
  CHECK(frames[2].data == "4");
  CHECK(frames[2].id == 4);
}

TEST_CASE("what a snapshot tells is not told again") {
  auto log = followed();
  EventStream stream{{.topics = {Topic::node}}, start};
  for (int i = 1; i <= 3; ++i)
    log.add(Topic::node, "load", std::to_string(i), "", start);
  stream.snapshot(2, snapshot_of(2, "{}"));
  stream.came(log.wake(start));
  const auto frames = frames_of(stream.take(start));
  REQUIRE(frames.size() == 2);
  CHECK(frames[1].id == 3);
}

TEST_CASE("one that comes back goes on where it was, or is told that it cannot") {
  auto log = followed();
  for (int i = 1; i <= 3; ++i)
    log.add(Topic::node, "load", std::to_string(i), "", start);
  EventStream back{{.topics = {Topic::node}}, start};
  back.resumed(1, *log.since(1));
  CHECK_FALSE(back.take_wish());
  const auto frames = frames_of(back.take(start));
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].id == 2);
  EventStream late{{.topics = {Topic::node}}, start};
  late.gone();
  CHECK(late.take_wish());
  late.snapshot(3, snapshot_of(3, "{}"));
  const auto told = frames_of(late.take(start));
  REQUIRE(told.size() == 2);
  CHECK(told[0].kind == "resync");
  CHECK(told[0].data == R"({"schema":1,"why":"gone"})");
  CHECK(told[1].kind == "snapshot");
}

TEST_CASE("a stream beats each ten seconds, whatever else it says") {
  EventStream stream{{.topics = {Topic::node}}, start};
  CHECK(stream.next_wake() == start + 10s);
  CHECK(stream.take(start + 9s) == "");
  CHECK(stream.take(start + 10s) == ": beat\n\n");
  CHECK(stream.next_wake() == start + 20s);
  stream.snapshot(0, snapshot_of(0, "{}"));
  CHECK(stream.take(start + 21s) == event_frame(0, "snapshot", "{}") + ": beat\n\n");
  CHECK(stream.take(start + 22s) == "");
}

TEST_CASE("a slow reader is told so, and begins anew") {
  auto log = followed();
  EventStream stream{{.topics = {Topic::node}, .queue_bytes_max = 200}, start};
  stream.snapshot(0, snapshot_of(0, "{}"));
  stream.take(start);
  for (int i = 1; i <= 10; ++i)
    log.add(Topic::node, "load", std::string(40, 'x'), "", start);
  stream.came(log.wake(start));
  CHECK_FALSE(stream.take_wish()); // Not before it reads again.
  const auto frames = frames_of(stream.take(start));
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].data == R"({"schema":1,"why":"slow"})");
  CHECK(stream.take_wish());
  stream.snapshot(10, snapshot_of(10, "{}"));
  log.add(Topic::node, "load", "11", "", start);
  stream.came(log.wake(start + 1s));
  CHECK(frames_of(stream.take(start)).size() == 2);
}

TEST_CASE("a batch with a hole is as good as a reader that is too slow") {
  auto log = followed({.events_max = 4});
  EventStream stream{{.topics = {Topic::node}}, start};
  stream.snapshot(0, snapshot_of(0, "{}"));
  stream.take(start);
  for (int i = 1; i <= 10; ++i)
    log.add(Topic::node, "load", std::to_string(i), "", start);
  stream.came(log.wake(start));
  CHECK(frames_of(stream.take(start)).at(0).kind == "resync");
}

namespace {

// Things that change at random, and readers of all speeds, who rebuild the things from what they
// are sent. The truth is what they would see if they asked.
class World {
public:
  explicit World(unsigned seed) : dice_(seed), log_({.events_max = 64}) {}

  void run() {
    for (int step = 0; step < 3000; ++step) {
      now_ += std::chrono::milliseconds(dice_() % 20);
      change();
      if (dice_() % 50 == 0 && readers_.size() < 8)
        open();
      turn();
    }
    for (int i = 0; i < 100; ++i) { // All is read in the end.
      now_ += 50ms;
      for (auto& reader : readers_)
        reader->slow = 1;
      turn();
    }
    CHECK(readers_.size() == 8);
    for (const auto& reader : readers_)
      CHECK(reader->seen == truth_);
    CHECK(resyncs_ > 0);
    CHECK(told_ > 100);
  }

private:
  using State = std::map<std::string, std::string>;
  struct Reader {
    std::unique_ptr<EventStream> stream;
    State seen;
    std::uint64_t last = 0;
    unsigned slow = 1;
    bool anew = true;
  };

  void change() {
    const auto key = std::to_string(dice_() % 5);
    truth_[key] = std::to_string(++version_);
    log_.changed(
        key, Topic::jobs, "job", gap, [this, key] { return key + "=" + truth_.at(key); }, "", now_);
  }

  void open() {
    log_.opened(now_);
    readers_.push_back(std::make_unique<Reader>());
    readers_.back()->stream = std::make_unique<EventStream>(
        EventStreamConfig{.topics = {Topic::jobs}, .queue_bytes_max = 600, .piece_bytes_max = 100},
        now_);
    readers_.back()->slow = 1 + dice_() % 200;
  }

  std::string all() const {
    std::string text;
    for (const auto& [key, value] : truth_)
      text += key + "=" + value + ";";
    return text;
  }

  void turn() {
    const auto batch = log_.wake(now_);
    for (auto& reader : readers_) {
      reader->stream->came(batch);
      if (dice_() % reader->slow == 0)
        read(*reader, reader->stream->take(now_));
      if (reader->stream->take_wish())
        reader->stream->snapshot(log_.last_id(), snapshot_of(log_.last_id(), all()));
    }
  }

  void read(Reader& reader, const std::string& piece) {
    for (const auto& frame : frames_of(piece))
      if (frame.kind == "resync")
        reader.anew = true, ++resyncs_;
      else if (frame.kind == "snapshot")
        begin(reader, frame);
      else if (frame.kind == "job")
        news(reader, frame);
  }
  void begin(Reader& reader, const Frame& frame) {
    CHECK(reader.anew);
    reader.anew = false;
    reader.last = *frame.id;
    reader.seen.clear();
    std::string rest = frame.data;
    for (auto cut = rest.find(';'); cut != rest.npos;
         rest = rest.substr(cut + 1), cut = rest.find(';'))
      reader.seen[rest.substr(0, rest.find('='))] =
          rest.substr(rest.find('=') + 1, cut - rest.find('=') - 1);
  }
  void news(Reader& reader, const Frame& frame) {
    CHECK_FALSE(reader.anew);
    CHECK(*frame.id == reader.last + 1); // Of the only topic.
    reader.last = *frame.id;
    const auto cut = frame.data.find('=');
    reader.seen[frame.data.substr(0, cut)] = frame.data.substr(cut + 1);
    ++told_;
  }

  std::mt19937 dice_;
  EventLog log_;
  Time now_ = start;
  State truth_;
  std::uint64_t version_ = 0;
  std::vector<std::unique_ptr<Reader>> readers_;
  std::size_t resyncs_ = 0, told_ = 0;
};

} // namespace

TEST_CASE("whatever their speed, all readers come to see how things are") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    World{seed}.run();
  }
}
