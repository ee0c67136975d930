#include "cli_rig.hpp"

#include "net/wire/codec.hpp"

#include <atomic>

// The verbs and flags of whoever submits.
using namespace tessera;
using nlohmann::json;

namespace {

const std::string job_id = "7f3a01" + std::string(58, '0');
const std::string job_call = "/v1/jobs/" + job_id;

json job_in(const std::string& state) {
  return {{"schema", 1},
          {"job", job_id},
          {"kernel", "sumsq@1"},
          {"state", state},
          {"microtasks", 40},
          {"done", state == "done" ? 40 : 10},
          {"rerun", 3},
          {"rerun_why", {{"peer_gone", 2}, {"crashed", 1}, {"lost", 0}}},
          {"moved_bytes", 2048},
          {"efficiency", 0.934},
          {"elapsed_ms", 6300},
          {"peers", 2},
          {"shares", json::array()}};
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void script(ScriptedNode& node, const std::string& state) {
  node.on("POST /v1/jobs", job_in("queued"), 201);
  node.on("GET " + job_call, job_in(state));
  node.on("GET /v1/jobs/7f3a", job_in(state));
  node.on_bytes("GET " + job_call + "/result", "text/plain", "338350");
}

} // namespace

TEST_CASE("what a submitter wishes is sent as it was typed") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script(node, "done");
  std::string key;
  node.on("POST /v1/jobs", [&](const HttpRequest& request) {
    const auto given = request.headers.find("idempotency-key");
    key = given == request.headers.end() ? "" : given->second;
    return json_reply(201, job_in("queued").dump());
  });
  const auto said =
      node.says({"submit", "sumsq", "--priority", "-3", "--require", "memory=4G,arch=amd64",
                 "--ttl", "2h", "--wait-for-peers", "--idempotency-key", "k1", "--detach"});
  INFO(said.err);
  CHECK(said.exit == 0);
  const auto body = json::parse(node.body("POST /v1/jobs"));
  CHECK(body.at("priority") == -3);
  CHECK(body.at("require") == json{{"memory", std::uint64_t{4} << 30}, {"arch", "x86_64"}});
  CHECK(body.at("ttl") == 7200);
  CHECK(body.at("wait_for_peers") == true);
  CHECK(key == "k1");
}

TEST_CASE("a wish that cannot be meant is refused before any node is asked") {
  const CleanEnvironment clean;
  for (const auto& [flag, value] :
       std::vector<std::pair<std::string, std::string>>{{"--priority", "11"},
                                                        {"--priority", "high"},
                                                        {"--priority", "1.5"},
                                                        {"--require", "cores=4"},
                                                        {"--require", "memory=much"},
                                                        {"--require", "memory=0"},
                                                        {"--require", "arch=X/Y"},
                                                        {"--require", ""},
                                                        {"--ttl", "soon"},
                                                        {"--ttl", "0s"},
                                                        {"--ttl", "400d"}}) {
    const auto said = tessera_says({"submit", "sumsq", flag + "=" + value});
    INFO(flag << "=" << value << ": " << said.err);
    if (value.empty())
      continue; // As if it were not there.
    CHECK(said.exit == 2);
    CHECK(said.code() == "E400");
    CHECK(has(said.err, flag + " cannot be \"" + value + "\""));
  }
}

TEST_CASE("a summary says why microtasks ran again, what was moved, and how efficient it was") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script(node, "done");
  const auto said = node.says({"submit", "sumsq"});
  CHECK(has(said.err, "done 6.3 s  40 microtasks  3 re-run (1 crashed, 2 peer gone)\n"));
  CHECK(has(said.err, "2 KiB moved  93 % efficient\n"));
}

TEST_CASE("why says the lines of the node, and what to do") {
  const CleanEnvironment clean;
  ScriptedNode node;
  node.on("GET /v1/jobs/7f3a/why", {{"job", job_id},
                                    {"state", "queued"},
                                    {"why", {"all that can run it are paused", "\x1b[2Jx"}},
                                    {"fix", "tessera resume"}});
  const auto said = node.says({"why", "7f3a"});
  CHECK(said.exit == 0);
  CHECK(said.out == "job 7f3a01 is queued\n  all that can run it are paused\n  ?[2Jx\n");
  CHECK(has(said.err, " next  tessera resume --data"));
}

TEST_CASE("logs prints what happened, and follows it until the job ends") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script(node, "running");
  const auto entry = [](int number, const char* text) {
    return json{{"number", number}, {"at_ms", 1000 * number}, {"text", text}};
  };
  std::vector<std::string> since;
  node.on("GET " + job_call + "/log", [&](const HttpRequest& request) {
    since.push_back(request.query.at("since"));
    const bool first = since.size() == 1;
    return json_reply(200, json{{"job", job_id},
                                {"state", first ? "running" : "done"},
                                {"entries", {first ? entry(5, "begun") : entry(6, "done")}}}
                               .dump());
  });
  const auto said = node.says({"logs", "7f3a", "--follow"});
  INFO(said.err);
  CHECK(said.exit == 0);
  CHECK(has(said.out, "  begun\n"));
  CHECK(has(said.out, "  done\n"));
  CHECK(has(said.err, "4 older entries are gone"));
  CHECK(since == std::vector<std::string>{"1", "6"});
}

TEST_CASE("rm forgets what is named, or all that has ended, and nothing else") {
  const CleanEnvironment clean;
  ScriptedNode node;
  node.on("GET /v1/jobs", {{"jobs", {job_in("done"), job_in("running")}}});
  node.on("DELETE " + job_call, job_in("done"));
  node.on("DELETE /v1/jobs/7f3a", job_in("done"));
  CHECK(node.says({"rm", "7f3a", "7f3a"}).exit == 0);
  CHECK(node.calls() == std::vector<std::string>(2, "DELETE /v1/jobs/7f3a"));
  CHECK(node.says({"rm", "--all-ended"}).exit == 0);
  CHECK(node.calls().back() == "DELETE " + job_call);
  CHECK(node.calls().size() == 4); // The list, and the one that is done.
  CHECK(node.says({"rm"}).exit == 2);
  CHECK(node.says({"rm", "7f3a", "--all-ended"}).exit == 2);
  node.on("DELETE /v1/jobs/7f3a", 409, {"E464", "it runs", "why", "cancel it"});
  const auto running = node.says({"rm", "7f3a"});
  CHECK(running.code() == "E464");
  CHECK(running.exit == 1);
}

TEST_CASE("cancel --key signs here, and sends the word but not the key") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script(node, "running");
  const auto mesh = digest_of(view("a mesh"));
  node.on("GET /v1/status", {{"id", "AAAA"}, {"mesh_id", to_hex(mesh)}});
  node.on("POST " + job_call + "/cancel", job_in("running"), 202);
  const auto file = node.folder.path / "other.key";
  const auto self = Identity::load_or_create(file);
  REQUIRE(self);
  const auto said = node.says({"cancel", "7f3a", "--key", file.string()});
  INFO(said.err);
  REQUIRE(said.exit == 0);
  const auto body = json::parse(node.body("POST " + job_call + "/cancel"));
  const Codec codec{*self, mesh};
  const auto bytes = from_hex(body.at("cancel").get<std::string>());
  REQUIRE(bytes);
  const auto seal = codec.envelope(*bytes);
  REQUIRE(seal);
  const auto word = codec.open_cancel(*seal);
  REQUIRE(word);
  CHECK(to_hex(word->job) == job_id);
  CHECK(word->seal.key == self->id());
  CHECK(node.says({"cancel", "7f3a", "--key", file.string() + ".none"}).code() == "E471");
  CHECK_FALSE(std::filesystem::exists(file.string() + ".none")); // None is made.
}

namespace {

// A stream that ends after one event.
HttpReply stream(const std::string& kind, const json& data) {
  HttpReply reply;
  reply.content_type = "text/event-stream";
  reply.body = std::make_shared<const Bytes>(
      to_bytes(view("id: 1\nevent: " + kind + "\ndata: " + data.dump() + "\n\n")));
  return reply;
}

HttpReply snapshot_of_running() {
  return stream("snapshot", {{"status", {{"id", "AAAA"}, {"name", "desk"}}},
                             {"peers", json::array()},
                             {"jobs", json::array({job_in("running")})}});
}

} // namespace

TEST_CASE("watch ends when its node, back again, does not know the job") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script(node, "running");
  std::atomic<int> opened = 0;
  node.on("GET /v1/events", [&](const HttpRequest&) {
    return ++opened == 1 ? snapshot_of_running()
                         : problem(404, {"E414", "there is no job 7f3a", "it went", "see jobs"});
  });
  const auto said = node.says({"watch", "7f3a"});
  CHECK(said.exit == 4);
  CHECK(has(said.err, "E414 there is no job 7f3a"));
  CHECK(has(said.out, "7f3a01  sumsq@1  running"));
}

TEST_CASE("watch without a terminal tells what is news, until the one job ends") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script(node, "running");
  std::atomic<int> opened = 0;
  node.on("GET /v1/events", [&](const HttpRequest& request) {
    CHECK(request.query.at("job") == job_id);
    if (++opened % 2 == 0) // Where it was.
      return stream("job", job_in("done"));
    return snapshot_of_running();
  });
  const auto said = node.says({"watch", "7f3a"});
  INFO(said.err);
  CHECK(said.exit == 0);
  CHECK(has(said.out, "7f3a01  sumsq@1  running  25 %  10/40"));
  CHECK(has(said.out, "7f3a01  sumsq@1  done  100 %  40/40"));
  CHECK(std::count(said.out.begin(), said.out.end(), '\n') == 2);
  CHECK(has(said.err, "E301 the node has ended its event stream: connecting again"));
  CHECK(has(said.err, "connected again"));
  const auto whole = node.says({"watch", "7f3a", "--json"});
  CHECK(has(whole.out, "\"state\":\"running\""));
  CHECK(has(whole.out, "\"state\":\"done\""));
}
