#include "tests/node/api_rig.hpp"

// What a submitter may ask of a job: wishes, a key, a signed cancellation, why, its log, its end.
using namespace tessera;
using namespace tessera::rig;

namespace {

const std::string sum = R"({"kernel":"sumsq","items":1000,"leaf":10)";

SignedRecord record_of(const Identity& node, Worker worker) {
  SignedRecord signed_record;
  auto& r = signed_record.record;
  r.subject = node.id();
  r.slots = 2;
  r.kernels = {"sumsq@1"};
  r.worker = std::move(worker);
  return signed_record;
}

std::string word(const Identity& who, const JobId& job) {
  const auto cancel = Codec{who, Api::mesh_id()}.seal_cancel(job);
  return Json{{"cancel", to_hex(Codec::envelope_bytes(cancel->seal))}}.dump();
}

template<class M>
std::size_t sent(const Api& api, const NodeId& to) {
  return std::size_t(
      std::count_if(api.told.letters.begin(), api.told.letters.end(), [&](const auto& letter) {
        return letter.to == to && std::holds_alternative<M>(*letter.message);
      }));
}
template<class M>
const M& last_sent(const Api& api) {
  for (auto it = api.told.letters.rbegin(); it != api.told.letters.rend(); ++it)
    if (const auto* message = std::get_if<M>(it->message.get()))
      return *message;
  throw std::runtime_error("no such letter");
}

AnswerPtr with_key(Api& api, const std::string& key, const std::string& body) {
  return api.call("POST", "/v1/jobs", body, {}, {{"idempotency-key", key}});
}

} // namespace

TEST_CASE("wishes are in the spec that is signed, and in the job that is told") {
  Api api;
  const auto answer =
      api.post("/v1/jobs",
               sum + R"(,"priority":7,"ttl":60,"require":{"memory":1024},"wait_for_peers":true})");
  CHECK(answer->status() == 201);
  REQUIRE(api.told.accepted.size() == 1);
  const auto& spec = api.told.accepted[0]->spec;
  CHECK(spec.priority == 7);
  CHECK(spec.require == Require{1024, ""});
  CHECK(spec.deadline_ms == spec.submitted_ms + 60'000);
  const auto json = answer->json();
  CHECK(json.at("priority") == 7);
  CHECK(json.at("require").at("memory") == 1024);
  CHECK(json.at("require").at("arch") == nullptr);
  CHECK(json.at("deadline_ms") == spec.deadline_ms);
  api.refused(api.post("/v1/jobs", sum + R"(,"priority":11})"), 422, "E461", "/v1/jobs");
}

TEST_CASE("what nobody known can run is E601 and leaves nothing, until somebody can") {
  Api api; // Its own record tells no memory.
  const auto body = sum + R"(,"require":{"memory":4096}})";
  api.refused(api.post("/v1/jobs", body), 409, "E601", "/v1/jobs");
  CHECK(api.told.accepted.empty());
  api.tell(RecordNews{api.other.id(), std::make_shared<const SignedRecord>(
                                          record_of(api.other, {1024, "x86_64"}))});
  CHECK(api.post("/v1/jobs", body)->json().at("title") == "0 of 2 nodes can run this");
  api.tell(RecordNews{api.other.id(), std::make_shared<const SignedRecord>(
                                          record_of(api.other, {4096, "x86_64"}))});
  CHECK(api.post("/v1/jobs", body)->status() == 201);
}

TEST_CASE("a submission with a key happens once, and is answered alike") {
  Api api;
  const auto first = with_key(api, "k1", sum + "}");
  CHECK(first->status() == 201);
  const auto again = with_key(api, "k1", sum + "}");
  CHECK(again->status() == 201);
  CHECK(again->text() == first->text());
  CHECK(again->reply.headers.at("Idempotency-Replayed") == "true");
  CHECK(api.told.accepted.size() == 1);
  api.refused(with_key(api, "k1", sum + R"(,"priority":1})"), 422, "E466", "/v1/jobs");
  CHECK(with_key(api, "k2", sum + "}")->json().at("job") != first->json().at("job"));
  CHECK(api.told.accepted.size() == 2);
  api.refused(with_key(api, "a b", sum + "}"), 400, "E468", "/v1/jobs");
  // A refusal is an answer, too.
  const auto refused = with_key(api, "k3", R"({"kernel":"none"})");
  CHECK(refused->code() == "E423");
  CHECK(with_key(api, "k3", R"({"kernel":"none"})")->text() == refused->text());
}

TEST_CASE("a key goes to the journal with its job, and what the journal tells is replayed") {
  Submission kept;
  {
    Api api;
    const auto first = with_key(api, "k1", sum + "}");
    with_key(api, "refused", R"({"kernel":"none"})");
    REQUIRE(api.told.submissions.size() == 1);
    kept = api.told.submissions[0];
    CHECK(kept.key == "k1");
    CHECK(kept.answer == first->text());
  }
  Api again;
  again.tell(Roots{{}, {kept}});
  const auto replayed = with_key(again, "k1", sum + "}");
  CHECK(replayed->status() == 201);
  CHECK(replayed->text() == kept.answer);
  CHECK(replayed->reply.headers.at("Idempotency-Replayed") == "true");
  again.refused(with_key(again, "k1", sum + R"(,"priority":1})"), 422, "E466", "/v1/jobs");
  CHECK(again.told.accepted.empty());
}

TEST_CASE("while the first is being taken the same is in flight, and a full disk is no answer") {
  Api api;
  api.script.leaf_ns = {}; // Calibration takes its time.
  const auto body = std::string{R"({"kernel":"sumsq","items":1000,"leaf":"auto"})"};
  const auto first = with_key(api, "k", body);
  CHECK_FALSE(first->there);
  api.refused(with_key(api, "k", body), 409, "E467", "/v1/jobs");
  api.script.accept = {false, {"E111", "cannot write", "the disk is full", "free some"}};
  CHECK(with_key(api, "full", sum + "}")->status() == 507);
  api.script.accept = {true, {}};
  CHECK(with_key(api, "full", sum + "}")->status() == 201);
}

TEST_CASE("with its submitter's signature a job is cancelled at any node, and with no other") {
  Api api;
  const auto theirs = Api::job_of(api.other, JobState::running, 3);
  api.up(api.other.id());
  const auto cancel = [&](const std::string& body) {
    const auto answer = api.post(path_of(theirs) + "/cancel", body);
    api.answers(api.other.id(), {theirs});
    return answer;
  };
  const auto path = path_of(theirs) + "/cancel";
  for (const auto& ours : {std::string{}, std::string{"{}"}, word(api.self, theirs.spec->id)})
    api.refused(cancel(ours), 403, "E510", path); // Not its submitter.
  api.refused(cancel(word(api.other, blob_id(view("another")))), 403, "E510", path);
  for (const auto& bad :
       {std::string{"{\"key\":1}"}, std::string{"[]"}, std::string{R"({"cancel":7})"},
        std::string{R"({"cancel":"zz"})"}, std::string{R"({"cancel":""})"}, std::string(5000, 'x')})
    api.refused(cancel(bad), 400, "E463", path);
  auto forged = word(api.other, theirs.spec->id);
  forged[forged.size() - 3] ^= 1; // A digit of the signature.
  CHECK(cancel(forged)->status() >= 400);
  CHECK(sent<CancelJob>(api, api.other.id()) == 0);

  CHECK(cancel(word(api.other, theirs.spec->id))->status() == 202);
  CHECK(sent<CancelJob>(api, api.other.id()) == 1);
  CHECK(last_sent<CancelJob>(api).cancel->seal.key == api.other.id());
}

TEST_CASE("a cancellation is told to a root elsewhere until that says that the job has ended") {
  Api api;
  auto theirs = Api::job_of(api.other, JobState::running, 3);
  api.up(api.other.id());
  api.post(path_of(theirs) + "/cancel", word(api.other, theirs.spec->id));
  api.answers(api.other.id(), {theirs});
  CHECK(sent<CancelJob>(api, api.other.id()) == 1);
  api.pass(2s);
  CHECK(sent<CancelJob>(api, api.other.id()) == 2);
  api.answers(api.other.id(), {in(theirs, JobState::cancelled)});
  api.pass(60s);
  CHECK(sent<CancelJob>(api, api.other.id()) == 2);
}

TEST_CASE("why and log of a job that is rooted here come from its actor, or from the journal") {
  Api api;
  const auto job = api.rooted(JobState::running);
  api.script.view.status = job;
  api.script.view.queued = 10;
  api.script.view.log = {{1, 1000, "accepted"}, {2, 2000, "begun"}};
  const auto why = api.get(path_of(job) + "/why")->json();
  CHECK(why.at("job") == id_of(job));
  CHECK(why.at("queued") == 10);
  CHECK_FALSE(why.at("why").empty());
  CHECK(api.told.views.back().log_since == 0);
  const auto log = api.get(path_of(job) + "/log", {{"since", "2"}})->json();
  CHECK(api.told.views.back().log_since == 2);
  CHECK(log.at("entries").size() == 2); // The actor's business.
  CHECK(log.at("state") == "running");

  api.script.view = {};
  api.script.log.log = {{1, 1000, "accepted"}, {2, 2000, "done"}};
  const auto ended = api.rooted(JobState::done, 2);
  const auto kept = api.get(path_of(ended) + "/log", {{"since", "2"}})->json();
  REQUIRE(kept.at("entries").size() == 1);
  CHECK(kept.at("entries")[0].at("text") == "done");
  CHECK(kept.at("state") == "done");
  CHECK(api.get(path_of(ended) + "/why")->json().at("why")[0] ==
        "it waits for nothing: it is done");
}

TEST_CASE("why and log of a job elsewhere are asked of its root, who alone is believed") {
  Api api;
  const auto theirs = Api::job_of(api.other, JobState::running, 3);
  api.up(api.other.id());
  const auto asked = [&](const std::string& what) {
    const auto answer = api.get(path_of(theirs) + what);
    api.answers(api.other.id(), {theirs});
    return answer;
  };
  const auto why = asked("/why");
  CHECK_FALSE(why->there);
  const auto ask = last_sent<DetailAsk>(api);
  CHECK(ask.what == DetailAsk::What::why);
  api.hear(NodeId{{9}}, Detail{ask.query, ask.job, R"({"why":["lies"]})"});
  CHECK_FALSE(why->there);
  api.hear(api.other.id(), Detail{ask.query, ask.job, R"({"why":["so"]})"});
  CHECK(why->json().at("why")[0] == "so");

  const auto log = asked("/log");
  api.hear(api.other.id(), Detail{last_sent<DetailAsk>(api).query, ask.job, "no JSON"});
  api.refused(log, 504, "E462", path_of(theirs) + "/log");
  const auto silent = asked("/log");
  api.pass(5s);
  api.refused(silent, 504, "E462", path_of(theirs) + "/log");
}

TEST_CASE("a peer that asks for details of a job here is told, and of another nothing") {
  Api api;
  const auto job = api.rooted(JobState::running);
  api.script.view.status = job;
  api.script.view.log = {{1, 1000, "accepted"}};
  api.hear(api.other.id(), DetailAsk{5, job.spec->id, DetailAsk::What::log, 1});
  const auto& told = last_sent<Detail>(api);
  CHECK(told.query == 5);
  CHECK(Json::parse(told.json).at("entries").size() == 1);
  api.hear(api.other.id(), DetailAsk{6, blob_id(view("another")), DetailAsk::What::why, 0});
  CHECK(last_sent<Detail>(api).query == 6);
  CHECK(last_sent<Detail>(api).json.empty());
}

TEST_CASE("peers are told so many details a second, and nothing more") {
  Api api;
  const auto job = api.rooted(JobState::running);
  api.script.view.status = job;
  const auto told = [&](std::uint64_t query) {
    api.hear(api.other.id(), DetailAsk{query, job.spec->id, DetailAsk::What::why, 0});
    return !last_sent<Detail>(api).json.empty();
  };
  for (std::uint64_t i = 0; i < 32; ++i)
    CHECK(told(i));
  CHECK_FALSE(told(32));
  api.pass(1s);
  CHECK(told(33));
}

TEST_CASE("an ended job is forgotten, a running one or another node's is not") {
  Api api;
  const auto running = api.rooted(JobState::running, 1), done = api.rooted(JobState::done, 2);
  api.refused(api.call("DELETE", path_of(running)), 409, "E464", path_of(running));
  CHECK(api.told.forgotten.empty());
  CHECK(api.call("DELETE", path_of(done))->json().at("job") == id_of(done));
  REQUIRE(api.told.forgotten.size() == 1);
  CHECK(api.told.forgotten[0] == done.spec->id);
  CHECK(api.get(path_of(done))->code() == "E414");
  CHECK(api.get("/v1/jobs")->json().at("jobs").size() == 1);

  const auto theirs = Api::job_of(api.other, JobState::done, 3);
  api.up(api.other.id());
  const auto answer = api.call("DELETE", path_of(theirs));
  api.answers(api.other.id(), {theirs});
  api.refused(answer, 403, "E465", path_of(theirs));
}
