#include "node/api_routes.hpp"
#include "node/http/openapi.hpp"
#include "tests/node/api_rig.hpp"

#include <caf/actor_cast.hpp>

using namespace tessera;
using namespace tessera::rig;

namespace {

// A client that has read all so far.
class Reader {
public:
  Reader(Api& api, std::map<std::string, std::string> query,
         std::map<std::string, std::string> headers = {})
      : api_(api) {
    api.headers = std::move(headers);
    answer_ = api.get("/v1/events", std::move(query));
    api.headers.clear();
    if (answer_->reply.stream)
      ask();
    api.run();
  }

  const AnswerPtr& answer() const { return answer_; }
  // All frames so far.
  std::string text() {
    api_.pass(300ms);
    return *text_;
  }
  std::size_t count(const std::string& kind) {
    std::size_t n = 0;
    const auto all = text(), word = "event: " + kind + "\n";
    for (auto at = all.find(word); at != all.npos; at = all.find(word, at + 1))
      ++n;
    return n;
  }
  Json last(const std::string& kind) {
    const auto all = text(), word = "event: " + kind + "\ndata: ";
    const auto at = all.rfind(word);
    REQUIRE(at != all.npos);
    const auto begin = at + word.size();
    return Json::parse(all.substr(begin, all.find('\n', begin) - begin));
  }
  void close() {
    answer_->reply.stream.reset();
    answer_.reset();
    api_.run();
  }

private:
  void ask() {
    answer_->reply.stream->next([this, text = text_](std::shared_ptr<const Bytes> piece) {
      if (!piece)
        return;
      *text += text_of(*piece);
      ask();
    });
  }

  Api& api_;
  AnswerPtr answer_;
  std::shared_ptr<std::string> text_ = std::make_shared<std::string>();
};

Json document() {
  return Json::parse(http::api_files().front().text);
}

} // namespace

TEST_CASE("an event stream begins with how things are, and tells what changes") {
  Api api;
  const auto job = api.rooted(JobState::running);
  Reader reader{api, {{"topics", "jobs,peers,node,work"}}};
  CHECK(reader.answer()->reply.content_type == "text/event-stream");
  const auto snapshot = reader.last("snapshot");
  CHECK(snapshot.at("schema") == 1);
  CHECK(snapshot.at("status").at("working") == api.get("/v1/status")->json().at("working"));
  CHECK(snapshot.at("peers") == api.get("/v1/peers")->json().at("peers"));
  CHECK(snapshot.at("jobs").at(0).at("job") == id_of(job));

  api.tell(JobNews{in(job, JobState::running, 7), true});
  CHECK(reader.last("job").at("done") == 7);
  api.tell(LogNews{"warning", "a slot died"});
  CHECK(reader.last("log").at("text") == "a slot died");
  api.rewire([](Wiring& w) { w.pause = Pause{5, {}}; });
  CHECK(reader.last("pause").at("pause").at("since_ms") == 5);
  CHECK(reader.last("status").at("pause").at("since_ms") == 5);
  WorkNews work{job.spec->id, {{4, 2, api.self.id(), false}, {0, 8, {}, true}}, {}};
  work.steals.push_back({api.self.id(), api.other.id(), 16});
  api.tell(work);
  CHECK(reader.last("steal").at("to") == to_text(api.other.id()));
  CHECK(reader.count("part") == 2);
  const auto part = reader.last("part");
  CHECK(part.at("job") == id_of(job));
  CHECK(part.at("node") == nullptr);
  CHECK(part.at("leaves") == 8);
  CHECK(part.at("merged") == true);
}

TEST_CASE("a stream is told of the topics it asked for, and of no other") {
  Api api;
  const auto job = api.rooted(JobState::running);
  Reader reader{api, {{"topics", "peers"}}};
  CHECK_FALSE(reader.last("snapshot").contains("jobs"));
  api.tell(JobNews{in(job, JobState::running, 7), true});
  api.tell(LogNews{"warning", "text"});
  CHECK(reader.count("job") == 0);
  CHECK(reader.count("log") == 0);
  api.refused(api.get("/v1/events", {{"topics", "none"}}), 400, "E480", "/v1/events");
}

TEST_CASE("peers are told when they come, change and go") {
  Api api;
  Reader reader{api, {{"topics", "peers"}}};
  auto record = std::make_shared<SignedRecord>();
  record->record.subject = api.other.id();
  record->record.name = "attic";
  api.tell(RecordNews{api.other.id(), record});
  CHECK(reader.last("peer").at("name") == "attic");
  CHECK(reader.last("peer").at("via") == "gossip");
  api.up(api.other.id());
  api.pass(1s);
  CHECK(reader.last("peer").at("via") == "direct");
  api.tell(RttNews{api.other.id(), 10ms});
  api.pass(1s);
  CHECK(reader.last("peer").at("rtt_ms") == 10);
  const auto told = reader.count("peer");
  for (int i = 0; i < 5; ++i) {
    api.tell(RttNews{api.other.id(), 11ms}); // Nobody would see it.
    api.pass(1s);
  }
  CHECK(reader.count("peer") == told);
  api.tell(RecordNews{api.other.id(), nullptr});
  CHECK(reader.last("peer_gone").at("id") == to_text(api.other.id()));
}

TEST_CASE("the load comes each second, with rates of what jobs and sessions counted") {
  Api api;
  Reader reader{api, {{"topics", "node"}}};
  const auto job = Api::job_of(api.other, JobState::running);
  JobCounters counters;
  counters.leaves_run = 40;
  api.tell(CountNews{job.spec->id, counters});
  api.tell(RttNews{api.other.id(), 1ms, 1000, 500});
  api.pass(1s);
  auto load = reader.last("load");
  CHECK(load.at("microtasks") == 40);
  CHECK(load.at("rate") == 40);
  CHECK(load.at("sent_bytes") == 1000);
  counters.leaves_run = 50;
  api.tell(CountNews{job.spec->id, counters});
  api.tell(RttNews{api.other.id(), 1ms, 30, 20}); // Another session.
  api.pass(1s);
  load = reader.last("load");
  CHECK(load.at("microtasks") == 50);
  CHECK(load.at("rate") == 10);
  CHECK(load.at("sent_bytes") == 1030);
  CHECK(load.at("received_bytes") == 520);
}

TEST_CASE("jobs are to tell of their work only while a stream wants it") {
  Api api;
  Reader plain{api, {{"topics", "jobs"}}};
  CHECK(api.told.followed.empty());
  Reader one{api, {{"topics", "work"}}}, two{api, {{"topics", "work"}}};
  CHECK(api.told.followed == std::vector{true});
  one.close();
  CHECK(api.told.followed == std::vector{true});
  two.close();
  CHECK(api.told.followed == std::vector{true, false});
  api.rewire([](Wiring& w) { w.followed = true; }); // By an api that died.
  CHECK(api.told.followed == std::vector{true, false, false});
}

TEST_CASE("one stream more than there may be is refused, until one is closed") {
  Api api;
  std::vector<std::unique_ptr<Reader>> all;
  const auto more = [&] {
    all.push_back(std::make_unique<Reader>(api, std::map<std::string, std::string>{}));
    return all.back()->answer();
  };
  while (all.size() < 256)
    REQUIRE(more()->reply.stream);
  api.refused(more(), 503, "E481", "/v1/events");
  all.front()->close();
  CHECK(more()->reply.stream);
}

TEST_CASE("a job that is rooted elsewhere is followed by asking its root") {
  Api api;
  api.up(api.other.id());
  const auto job = Api::job_of(api.other, JobState::running);
  api.get("/v1/status");
  auto query = std::map<std::string, std::string>{{"topics", "jobs"}, {"job", id_of(job)}};
  // The root is asked first; then the stream opens.
  const auto opening = api.get("/v1/events", query);
  CHECK_FALSE(opening->there);
  api.answers(api.other.id(), {job});
  REQUIRE(opening->there);
  std::string text;
  std::function<void()> ask = [&] {
    opening->reply.stream->next([&](std::shared_ptr<const Bytes> piece) {
      if (piece) {
        text += text_of(*piece);
        ask();
      }
    });
  };
  ask();
  api.run();
  CHECK(text.find("event: snapshot") != text.npos);
  CHECK(text.find(id_of(job)) != text.npos);
  api.pass(300ms);
  api.answers(api.other.id(), {in(job, JobState::running, 5)});
  api.pass(300ms);
  CHECK(text.find("\"done\":5") != text.npos);
  api.answers(api.other.id(), {in(job, JobState::running, 5)});
  api.pass(300ms);
  const auto length = text.size();
  api.answers(api.other.id(), {in(job, JobState::running, 5)}); // No news.
  api.pass(300ms);
  CHECK(text.size() == length);
  opening->reply.stream.reset();
  api.run();
  const auto asked = api.questions();
  api.pass(2s);
  CHECK(api.questions() <= asked + 1); // Nobody follows it any more.
}

TEST_CASE("a stream goes on behind the event that it had last, while the log has it") {
  Api api;
  Reader first{api, {{"topics", "node"}}};
  for (const auto* text : {"one", "two", "three"})
    api.tell(LogNews{"warning", text});
  const auto all = first.text();
  const auto at = all.find("\"one\"");
  const auto id_at = all.rfind("id: ", at) + 4;
  const auto id = all.substr(id_at, all.find('\n', id_at) - id_at);
  first.close();
  Reader back{api, {{"topics", "node"}}, {{"last-event-id", id}}};
  CHECK(back.count("snapshot") == 0);
  CHECK(back.count("log") == 2);
  for (const auto* gone : {"1", "x", "99999999999999999"}) {
    Reader lost{api, {{"topics", "node"}}, {{"last-event-id", gone}}};
    CHECK(lost.last("resync") == Json{{"schema", 1}, {"why", "gone"}});
    CHECK(lost.count("snapshot") == 1);
  }
}

TEST_CASE("the routes are those of the description, and the other way round") {
  std::set<std::pair<std::string, std::string>> coded, told;
  for (const auto& route : api::routes()) {
    std::string method{route.method};
    std::transform(method.begin(), method.end(), method.begin(),
                   [](char c) { return char(std::tolower(c)); });
    coded.emplace(method, route.path);
  }
  const auto paths = document().at("paths");
  for (const auto& [path, methods] : paths.items())
    for (const auto& [method, call] : methods.items())
      if (method != "parameters")
        told.emplace(method, path);
  CHECK(coded == told);
}

TEST_CASE("a path with another method is refused, and says which there are") {
  Api api;
  const auto wrong = api.call("PUT", "/v1/jobs");
  api.refused(wrong, 405, "E418", "/v1/jobs");
  CHECK(wrong->reply.headers.at("Allow") == "POST, GET, HEAD");
  CHECK(api.call("DELETE", "/v1/blobs/00")->reply.headers.at("Allow") == "PUT, GET, HEAD");
  api.refused(api.get("/v1/nothing"), 404, "E404", "/v1/nothing");
  CHECK(api::name_in("/v1/jobs/7f/result", "/v1/jobs/{job}/result") == "7f");
  CHECK(api::name_in("/v1/jobs/7f/a/result", "/v1/jobs/{job}/result") == std::nullopt);
  CHECK(api::name_in("/v1/jobs/7f", "/v1/jobs/{job}/result") == std::nullopt);
}

TEST_CASE("a node is ready when its journal is read, and no more when it leaves") {
  Api api{found_mesh(), false};
  CHECK(api.get("/healthz")->text() == "ok");
  api.refused(api.get("/readyz"), 503, "E482", "/readyz");
  api.tell(Roots{});
  CHECK(api.get("/readyz")->text() == "ok");
  api.tell(leave_atom_v);
  api.refused(api.get("/readyz"), 503, "E482", "/readyz");
  CHECK(api.get("/healthz")->text() == "ok");
}

TEST_CASE("metrics tell what was counted, and how long jobs took") {
  Api api;
  auto job = api.rooted(JobState::running);
  job.elapsed_ms = 2500;
  api.tell(JobNews{in(job, JobState::done, 100), true});
  api.tell(JobNews{in(job, JobState::done, 100), true}); // Told twice, ended once.
  JobCounters counters;
  counters.leaves_run = 40;
  counters.leases_given = 2;
  api.tell(CountNews{job.spec->id, counters});
  const auto text = api.get("/metrics")->text();
  const auto says = [&](const std::string& line) { return text.find(line + "\n") != text.npos; };
  CHECK(says("tessera_microtasks_total 40"));
  CHECK(says("tessera_steals_total{direction=\"out\"} 2"));
  CHECK(says("tessera_job_seconds_count{state=\"done\"} 1"));
  CHECK(says("tessera_job_seconds_bucket{state=\"done\",le=\"1\"} 0"));
  CHECK(says("tessera_job_seconds_bucket{state=\"done\",le=\"3\"} 1"));
  CHECK(says("tessera_jobs{state=\"done\"} 1"));
  CHECK(says("tessera_jobs{state=\"running\"} 0"));
  CHECK(says("tessera_blob_bytes 3000"));
  CHECK(says("# TYPE tessera_job_seconds histogram"));
  CHECK(text.find("process_resident_memory_bytes") != text.npos);
}

TEST_CASE("limits are those that callers meet") {
  Api api;
  const auto limits = api.get("/v1/limits")->json();
  CHECK(limits.at("node").at("slots") == 2);
  CHECK(limits.at("node").at("blob_quota_bytes") == 9000);
  CHECK(limits.at("api").at("streams_max") == 256);
}
