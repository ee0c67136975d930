#include "tests/node/api_rig.hpp"

#include <fstream>
#include <regex>

using namespace tessera;
using namespace tessera::rig;

namespace {

const std::string sum = R"({"kernel":"sumsq","items":1000,"leaf":10})";
const std::string hash(64, '7');

// The calls of API.md's table: method and path. The page at / is the server's own.
std::vector<std::pair<std::string, std::string>> calls_told() {
  std::ifstream doc{"node/http/API.md"};
  const std::regex call{"`(GET|PUT|POST|DELETE) (/[^` ]+)`"};
  std::vector<std::pair<std::string, std::string>> calls;
  for (std::string line; std::getline(doc, line);)
    if (line.starts_with("| `"))
      for (std::sregex_iterator it{line.begin(), line.end(), call}, none; it != none; ++it)
        calls.emplace_back((*it)[1], (*it)[2]);
  return calls;
}

} // namespace

TEST_CASE("every call that API.md names is there, and no other") {
  Api api;
  const auto job = api.rooted(JobState::running);
  const auto calls = calls_told();
  REQUIRE(calls.size() > 12);
  for (auto [method, path] : calls) {
    path = std::regex_replace(path, std::regex{"/ID"}, "/" + id_of(job));
    path = std::regex_replace(path, std::regex{"/HASH"}, "/" + hash);
    CAPTURE(path);
    const auto answer = api.call(method, path, sum);
    CHECK(answer->there);
    CHECK(answer->code() != "E404");
    for (const auto* wrong : {"GET", "PUT", "POST", "DELETE", "PATCH"})
      if (std::find(calls.begin(), calls.end(), std::pair<std::string, std::string>{wrong, path}) ==
              calls.end() &&
          wrong != method && path.find(id_of(job)) == path.npos && path.find(hash) == path.npos)
        api.refused(api.call(wrong, path), 405, "E418", path);
  }
  for (const auto* path : {"/", "/v1", "/v1/", "/v1/jobs/", "/v1/blobs/", "/v2/jobs", "/v1/job",
                           "/v1/jobs/7f/x", "/v1/jobs/7f/result/x", "/v1/status/"})
    api.refused(api.get(path), 404, "E404", path);
  api.refused(api.post(path_of(job) + "/result"), 405, "E418", path_of(job) + "/result");
  api.refused(api.get(path_of(job) + "/cancel"), 405, "E418", path_of(job) + "/cancel");
  api.refused(api.post(path_of(job)), 405, "E418", path_of(job));
}

TEST_CASE("health, status, kernels and peers") {
  Api api;
  CHECK(api.get("/healthz")->text() == "ok");
  CHECK(api.get("/readyz")->text() == "ok");
  api.tell(OwnLoad{1, 0});
  api.pass(3s);
  const auto status = api.get("/v1/status");
  CHECK(status->status() == 200);
  const auto json = status->json();
  CHECK(json.at("id") == to_text(api.self.id()));
  CHECK(json.at("running") == 1);
  CHECK(json.at("slots") == 2);
  CHECK(json.at("listen") == "10.0.0.5:7700");
  CHECK(json.at("uptime_ms") == 3000);
  CHECK(json.at("open") == false);
  CHECK(json.at("peers") == 1);
  CHECK(json.at("jobs") == 0);
  for (const auto* key : {"schema", "name", "version", "mesh", "pid"})
    CHECK(json.contains(key));
  CHECK(json.at("working").empty());
  CHECK(json.at("pause") == nullptr);
  CHECK(json.size() == 18);
  CHECK(json.at("mesh_id").get<std::string>().starts_with(json.at("mesh").get<std::string>()));
  CHECK(api.get("/v1/kernels")->json() == kernels_json({}));

  const auto record = std::make_shared<SignedRecord>();
  record->record.subject = api.other.id();
  record->record.name = "attic";
  api.tell(RecordNews{api.other.id(), record});
  const auto peer = [&] { return api.get("/v1/peers")->json().at("peers").at(1); };
  CHECK(api.get("/v1/peers")->json().at("peers").at(0).at("self") == true);
  CHECK(peer().at("via") == "gossip");
  api.up(api.other.id());
  api.tell(RttNews{api.other.id(), 3ms});
  CHECK(peer().at("via") == "direct");
  CHECK(peer().at("rtt_ms") == 3);
  CHECK(peer().at("name") == "attic");
  api.down(api.other.id());
  CHECK(peer().at("rtt_ms") == nullptr);
  api.tell(RecordNews{api.other.id(), {}});
  CHECK(api.get("/v1/peers")->json().at("peers").size() == 1);
}

TEST_CASE("an invite is given on a private mesh alone") {
  const auto mesh = found_mesh();
  CHECK(Api{mesh}.get("/v1/invite")->json().at("invite") == to_invite(mesh));
  Api open{open_mesh()};
  open.refused(open.get("/v1/invite"), 404, "E304", "/v1/invite");
}

TEST_CASE("a stop is answered, and told to the node once") {
  Api api;
  const auto answer = api.post("/v1/stop");
  CHECK(answer->status() == 202);
  CHECK(answer->json().at("stopping") == true);
  CHECK(api.told.leaves == 1);
}

TEST_CASE("a pause goes to the node, and is answered with what became of it") {
  Api api;
  api.told.pause_set = {Pause{5000, 65'000}, {}};
  auto answer = api.post("/v1/pause", R"({"seconds":60})");
  CHECK(answer->status() == 200);
  CHECK(answer->json() ==
        Json::parse(R"({"schema":1,"pause":{"since_ms":5000,"until_ms":65000,"why":null}})"));
  CHECK(api.told.pauses.back().time == 60s);
  api.told.pause_set = {Pause{5000, {}}, {}};
  for (const auto* body : {"", "{}", R"({"seconds":null})"}) {
    answer = api.post("/v1/pause", body);
    CHECK(answer->json().at("pause").at("until_ms") == nullptr);
    CHECK_FALSE(api.told.pauses.back().time);
    CHECK_FALSE(api.told.pauses.back().resume);
  }
  api.told.pause_set = {};
  CHECK(api.post("/v1/resume")->json().at("pause") == nullptr);
  CHECK(api.told.pauses.back().resume);
  api.told.pause_set.why = {"E111", "cannot write", "the disk is full", "free some"};
  api.refused(api.post("/v1/pause"), 507, "E111", "/v1/pause");
}

TEST_CASE("a pause of no time, or none that can be read, is refused and tells the node nothing") {
  Api api;
  for (const auto* body : {R"({"seconds":0})", R"({"seconds":-5})", R"({"seconds":1.5})",
                           R"({"seconds":"60"})", R"({"seconds":31622401})", R"({"minutes":1})",
                           R"({"seconds":1,"more":2})", "60", "[", "[]"})
    api.refused(api.post("/v1/pause", body), 400, "E400", "/v1/pause");
  CHECK(api.told.pauses.empty());
  CHECK(api.post("/v1/pause", R"({"seconds":31622400})")->status() == 200);
}

TEST_CASE("a paused node says so, to whoever asks for it and among peers") {
  Api api;
  api.tell(OwnLoad{0, 0, true});
  api.rewire([](Wiring& w) { w.pause = Pause{5000, {}}; });
  const auto status = api.get("/v1/status")->json();
  CHECK(status.at("pause") == Json::parse(R"({"since_ms":5000,"until_ms":null,"why":null})"));
  CHECK(status.at("running") == 0);
  const auto own = api.get("/v1/peers")->json().at("peers").at(0);
  CHECK(own.at("state") == "paused");
  CHECK(own.at("slots_free") == 0);
  api.rewire([](Wiring& w) { w.pause.reset(); });
  CHECK(api.get("/v1/status")->json().at("pause") == nullptr);
}

TEST_CASE("no call is answered before the journal's jobs are known") {
  Api api{found_mesh(), false};
  const auto job = Api::job_of(api.self, JobState::done);
  const auto answer = api.get(path_of(job));
  CHECK(!answer->there);
  api.tell(JobNews{in(Api::job_of(api.self, JobState::running, 7), JobState::running, 3), true});
  auto older = in(Api::job_of(api.self, JobState::running, 7), JobState::running, 1);
  api.tell(Roots{{{job, {}}, {older, {}}}});
  CHECK(answer->json().at("state") == "done");
  CHECK(api.get("/v1/jobs")->json().at("jobs").size() == 2);
}

TEST_CASE("a blob that is put is proven by the store, and had again") {
  Api api;
  const auto bytes = to_bytes(view("some bytes"));
  const auto path = "/v1/blobs/" + to_hex(blob_id(bytes));
  const auto put = api.call("PUT", path, "some bytes");
  CHECK(put->status() == 201);
  CHECK(put->json() == Json{{"schema", 1}, {"blob", to_hex(blob_id(bytes))}, {"size", 10}});
  REQUIRE(api.told.kept.size() == 1);
  CHECK(api.told.kept[0] == std::pair{blob_id(bytes), bytes});
  api.script.keep = {false, {"E113", "these are others", "why", "fix"}};
  api.refused(api.call("PUT", path, "other"), 422, "E113", path);
  api.script.keep = {false, {"E111", "full", "why", "fix"}};
  api.refused(api.call("PUT", path, "other"), 507, "E111", path);
  api.script.keep = {false, {"E110", "broken", "why", "fix"}};
  api.refused(api.call("PUT", path, "other"), 500, "E110", path);

  api.refused(api.get(path), 404, "E112", path);
  api.script.files[blob_id(bytes)] = bytes;
  CHECK(api.get(path)->text() == "some bytes");
  CHECK(api.get(path)->reply.content_type == "application/octet-stream");
  for (const auto& name : std::vector<std::string>{"7", "xyz", hash + "77", "..%2f"}) {
    api.refused(api.get("/v1/blobs/" + name), 400, "E400", "/v1/blobs/" + name);
    api.refused(api.call("PUT", "/v1/blobs/" + name), 400, "E400", "/v1/blobs/" + name);
  }
}

TEST_CASE("an accepted job is in the journal first, then opened, then answered") {
  Api api;
  const auto answer = api.post("/v1/jobs", sum);
  CHECK(answer->status() == 201);
  REQUIRE(api.told.accepted.size() == 1);
  const auto& spec = api.told.accepted[0]->spec;
  CHECK(spec.submitter == api.self.id());
  CHECK(spec.kernel == "sumsq");
  CHECK(spec.items == 1000);
  CHECK(spec.leaf_items == 10);
  REQUIRE(api.told.opened.size() == 1);
  CHECK(api.told.opened[0].spec == api.told.accepted[0]);
  const auto json = answer->json();
  CHECK(json.at("job") == to_hex(api.told.accepted[0]->id));
  CHECK(json.at("state") == "queued");
  CHECK(json.at("microtasks") == 100);
  CHECK(api.get("/v1/jobs/" + json.at("job").get<std::string>())->status() == 200);
  CHECK(api.post("/v1/jobs", sum)->json().at("job") != json.at("job")); // Twice is two jobs.
  CHECK(api.post("/v1/jobs", R"({"kernel":"sumsq","items":5,"leaf":9})")->json().at("leaf") == 5);

  api.script.accept = {false, {"E111", "the journal is full", "why", "fix"}};
  api.refused(api.post("/v1/jobs", sum), 507, "E111", "/v1/jobs");
  CHECK(api.told.opened.size() == 3);
}

TEST_CASE("each bad submission is refused with its code, and leaves nothing") {
  Api api;
  const auto refused = [&](const std::string& body, int status, const char* code) {
    CAPTURE(body);
    api.refused(api.post("/v1/jobs", body), status, code, "/v1/jobs");
  };
  refused("", 400, "E400");
  refused("{}", 400, "E400");
  refused(R"({"kernel":"sumsq","items":1,"colour":"red"})", 400, "E400");
  refused(R"({"kernel":"nope"})", 422, "E423");
  refused(R"({"kernel":"sumsq","items":0})", 422, "E421");
  refused(R"({"kernel":"sumsq"})", 422, "E421"); // The kernel's own plan refuses.
  refused(R"({"kernel":"sumsq","items":1,"params":{"x":"1"}})", 422, "E420");
  refused(R"({"kernel":"sumsq","items":1,"input":")" + hash + "\"}", 422, "E422");
  refused(R"({"kernel":"filter"})", 422, "E422");
  CHECK(api.told.accepted.empty());
  CHECK(api.get("/v1/jobs")->json().at("jobs").empty());
  api.rewire([](Wiring& wiring) { wiring.slots.clear(); });
  refused(sum, 503, "E305");
}

TEST_CASE("at most so many unfinished jobs are taken") {
  Api api;
  for (std::uint64_t i = 0; i < 1024; ++i)
    api.rooted(JobState::running, i + 1);
  api.refused(api.post("/v1/jobs", sum), 503, "E511", "/v1/jobs");
  api.rooted(JobState::cancelled, 1);
  CHECK(api.post("/v1/jobs", sum)->status() == 201);
}

TEST_CASE("an input is prepared in a slot before its job is planned") {
  Api api;
  const auto body = R"({"kernel":"filter","input":")" + hash + "\"}";
  api.script.input.why = {"E422", "no picture", "it is none", "give another"};
  api.refused(api.post("/v1/jobs", body), 422, "E422", "/v1/jobs");
  REQUIRE(api.told.prepared.size() == 1);
  CHECK(to_hex(api.told.prepared[0].input) == hash);
  api.script.input.why = {"E112", "no such blob", "why", "fix"};
  api.refused(api.post("/v1/jobs", body), 404, "E112", "/v1/jobs");
  CHECK(api.told.accepted.empty());
}

TEST_CASE("leaf auto grows the leaf until it takes a while, and tells which it took") {
  Api api;
  api.script.leaf_ns = [](std::uint64_t leaf) { return 50 * leaf; };
  const auto answer = api.post("/v1/jobs", R"({"kernel":"sumsq","items":10000000,"leaf":"auto"})");
  CHECK(answer->status() == 201);
  const auto leaf = answer->json().at("leaf").get<std::uint64_t>();
  CHECK(50 * leaf >= 100'000); // Architecture 4.1: 0.1 to 10 ms.
  CHECK(50 * leaf <= 10'000'000);
  CHECK((leaf & (leaf - 1)) == 0);
  REQUIRE(api.told.accepted.size() == 1);
  CHECK(api.told.accepted[0]->spec.leaf_items == leaf);
  REQUIRE(api.told.started.size() >= 2);
  CHECK(api.told.started.size() <= 20);
  for (std::size_t i = 0; i < api.told.started.size(); ++i) {
    CHECK(!api.told.started[i].scheduled);
    CHECK(api.told.dropped.at(i) == api.told.started[i].spec->id); // Nothing of a trial stays.
  }

  api.script.leaf_ns = [](std::uint64_t) { return 0; }; // A clock that tells nothing.
  const auto few = api.post("/v1/jobs", R"({"kernel":"sumsq","items":1000,"leaf":"auto"})");
  CHECK(few->json().at("leaf") == 1000);
  api.script.leaf_ns = [](std::uint64_t) { return 60'000'000'000; };
  const auto slow = api.post("/v1/jobs", R"({"kernel":"sumsq","items":1000,"leaf":"auto"})");
  CHECK(slow->json().at("leaf") == 1);
  const auto huge = R"({"kernel":"sumsq","items":"9223372036854775808","leaf":"auto"})"; // 2^63
  api.script.leaf_ns = [](std::uint64_t) { return 1; };
  CHECK(api.post("/v1/jobs", huge)->json().at("leaf") == std::uint64_t{1} << 63);
  api.script.leaf_fails = {"E701", "it failed", "why", "fix"};
  api.refused(api.post("/v1/jobs", huge), 422, "E701", "/v1/jobs");
}

TEST_CASE("a slot that dies takes its trial along; the caller hears of it") {
  Api api;
  const auto answer = api.post("/v1/jobs", R"({"kernel":"sumsq","items":1000,"leaf":"auto"})");
  CHECK(!answer->there);
  api.rewire([&](Wiring& wiring) { wiring.slots = {api.another_slot()}; });
  api.refused(answer, 422, "E710", "/v1/jobs");
  api.tell(WorkDone{api.told.started.back().id, {}, {}, 1'000'000}); // Too late.
  CHECK(api.told.accepted.empty());
}

TEST_CASE("words that are no UTF-8 break no answer") {
  Api api;
  auto job = Api::job_of(api.self, JobState::failed);
  job.error.why = "\xff\xfe";
  api.tell(JobNews{job, true});
  CHECK(api.get(path_of(job))->json().at("state") == "failed");
  CHECK(api.get(path_of(job) + "/result")->code() == "E701");
}

TEST_CASE("noise in paths and queries is answered, each call once") {
  Api api;
  api.rooted(JobState::running);
  std::mt19937_64 dice{7};
  const std::string parts[] = {"/",    "v1", "jobs",   "blobs", "7f",  hash, "result", "cancel",
                               "\xff", "..", "status", "peers", "%00", "?",  " ",      "0"};
  for (int i = 0; i < 3000; ++i) {
    std::string path = dice() % 2 ? "/v1/" : "/";
    for (auto n = dice() % 6; n; --n)
      path += parts[dice() % std::size(parts)] + (dice() % 2 ? "/" : "");
    CAPTURE(path);
    const char* methods[] = {"GET", "POST", "PUT", "HEAD", ""};
    const auto answer = api.call(methods[dice() % 5], path, "{}", {{"wait", "x"}, {"mesh", "1"}});
    REQUIRE(answer->there);
    REQUIRE((answer->reply.status < 300 || answer->json().is_object()));
  }
}
