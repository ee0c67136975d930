#include "tests/node/api_rig.hpp"

#include "crypto/little_endian.hpp"

using namespace tessera;
using namespace tessera::rig;

TEST_CASE("a job is found by a prefix, here and elsewhere, or is refused aloud") {
  Api api;
  const auto ours = api.rooted(JobState::running);
  const auto theirs = Api::job_of(api.other, JobState::running);
  CHECK(api.get(path_of(ours))->json().at("job") == id_of(ours));
  CHECK(api.questions() == 0);
  CHECK(api.get("/v1/jobs/" + id_of(ours).substr(0, 9))->json().at("job") == id_of(ours));
  api.refused(api.get(path_of(theirs)), 404, "E414", path_of(theirs));

  api.up(api.other.id());
  const auto found = api.get(path_of(theirs));
  CHECK(!found->there);
  api.answers(api.other.id(), {theirs});
  CHECK(found->json().at("job") == id_of(theirs));
  CHECK(found->json().at("root") == to_text(api.other.id()));

  const auto path = "/v1/jobs/" + id_of(theirs).substr(0, 1);
  const auto several = api.get(path);
  const auto digit = id_of(theirs)[0];
  std::vector<JobStatus> twins;
  for (std::uint64_t items = 1; twins.size() < 4; ++items)
    if (const auto job = Api::job_of(api.other, JobState::running, items); id_of(job)[0] == digit)
      twins.push_back(job);
  api.answers(api.other.id(), twins);
  api.refused(several, 409, "E410", path);
  CHECK(several->json().at("detail").get<std::string>().find(" ... are") != std::string::npos);

  const auto nobody = api.get("/v1/jobs/0000000000");
  api.pass(6s); // Nobody answers.
  api.refused(nobody, 404, "E414", "/v1/jobs/0000000000");
  for (const auto& id : std::vector<std::string>{"7F", "xyz", "7f.", std::string(65, '7'), "\xff"})
    for (const auto* what : {"", "/result"})
      CHECK(api.get("/v1/jobs/" + id + what)->code() == "E400");
  api.refused(api.post("/v1/jobs//cancel"), 400, "E400", "/v1/jobs//cancel"); // Not just any job.
  api.refused(api.get("/v1/jobs//result"), 400, "E400", "/v1/jobs//result");
  CHECK(api.told.cancels.empty());
}

TEST_CASE("jobs are those of this node, or of all when asked") {
  Api api;
  api.rooted(JobState::running);
  api.up(api.other.id());
  CHECK(api.get("/v1/jobs")->json().at("jobs").size() == 1);
  CHECK(api.get("/v1/jobs", {{"mesh", "0"}})->json().at("jobs").size() == 1);
  CHECK(api.questions() == 0);
  const auto all = api.get("/v1/jobs", {{"mesh", "1"}});
  CHECK(!all->there);
  api.answers(api.other.id(), {Api::job_of(api.other, JobState::done)});
  CHECK(all->json().at("jobs").size() == 2);
}

TEST_CASE("the api answers its peers' questions") {
  Api api;
  const auto job = api.rooted(JobState::running);
  api.up(api.other.id());
  api.hear(api.other.id(), JobQuery{7, api.other.id(), id_of(job).substr(0, 4), 3});
  REQUIRE(api.told.letters.size() == 1);
  CHECK(api.told.letters[0].to == api.other.id());
  const auto* answer = std::get_if<JobAnswer>(api.told.letters[0].message.get());
  REQUIRE(answer);
  CHECK(answer->query == 7);
  REQUIRE(answer->jobs.size() == 1);
  CHECK(answer->jobs[0].spec->id == job.spec->id);
}

TEST_CASE("who waits for a job that is rooted here is answered when it ends") {
  Api api;
  const auto job = api.rooted(JobState::running);
  const auto a = api.get(path_of(job), {{"wait", "60"}});
  const auto b = api.get(path_of(job), {{"wait", "0.5"}});
  for (const auto* no : {"0", "-1", "nan", "inf", "soon", ""})
    CHECK(api.get(path_of(job), {{"wait", no}})->there);
  api.tell(JobNews{in(job, JobState::running, 40), true});
  CHECK(!b->there);
  api.pass(750ms);
  CHECK(b->json().at("done") == 40); // As it is now.
  CHECK(!a->there);
  api.tell(JobNews{in(job, JobState::done, 100), true});
  CHECK(a->json().at("state") == "done");
  const auto late = api.get(path_of(job), {{"wait", "60"}});
  CHECK(late->json().at("state") == "done");
}

TEST_CASE("no wait is longer than a minute, and no more wait than named") {
  Api api;
  const auto job = api.rooted(JobState::running);
  const auto longest = api.get(path_of(job), {{"wait", "1e300"}});
  api.pass(59s);
  CHECK(!longest->there);
  api.pass(2s);
  CHECK(longest->there);
  std::vector<AnswerPtr> crowd;
  for (int i = 0; i < 1024; ++i)
    crowd.push_back(api.get(path_of(job), {{"wait", "5"}}));
  CHECK(api.get(path_of(job), {{"wait", "5"}})->there);
  CHECK(!crowd.back()->there);
  api.pass(6s);
  for (const auto& answer : crowd)
    CHECK(answer->there);
}

TEST_CASE("the root of a job elsewhere is asked again and again while somebody waits") {
  Api api;
  const auto job = Api::job_of(api.other, JobState::running);
  api.up(api.other.id());
  const auto answer = api.get(path_of(job), {{"wait", "30"}});
  api.answers(api.other.id(), {job});
  CHECK(!answer->there);
  CHECK(api.questions() == 1);
  api.pass(250ms);
  CHECK(api.questions() == 2);
  CHECK(api.asked(api.other.id()).hops == 0); // Of that root alone.
  api.answers(api.other.id(), {in(job, JobState::running, 50)});
  CHECK(!answer->there);
  api.pass(500ms);
  api.answers(api.other.id(), {in(job, JobState::done, 100)});
  CHECK(answer->json().at("state") == "done");
  const auto before = api.questions();
  api.pass(5s);
  CHECK(api.questions() == before); // Nobody waits any more.
}

TEST_CASE("however many jobs elsewhere are waited for, each has its turn within the root's rate") {
  Api api;
  api.up(api.other.id());
  std::vector<JobStatus> jobs;
  std::vector<AnswerPtr> answers;
  for (std::uint64_t i = 0; i < 50; ++i) {
    jobs.push_back(Api::job_of(api.other, JobState::running, i + 1));
    answers.push_back(api.get(path_of(jobs.back()), {{"wait", "60"}}));
    api.answers(api.other.id(), {jobs.back()});
  }
  const auto before = api.questions();
  std::set<std::string> asked;
  for (int tick = 0; tick < 8; ++tick) {
    const auto seen = api.told.letters.size();
    api.pass(250ms);
    for (auto i = seen; i < api.told.letters.size(); ++i)
      asked.insert(std::get<JobQuery>(*api.told.letters[i].message).prefix);
  }
  CHECK(asked.size() == 50);
  CHECK(api.questions() - before <= 2 * 50);
}

TEST_CASE("a result is had when its job is done, pulled from its root") {
  Api api;
  const auto running = api.rooted(JobState::running, 1);
  api.refused(api.get(path_of(running) + "/result"), 409, "E412", path_of(running) + "/result");
  const auto failed = api.rooted(JobState::failed, 2);
  api.refused(api.get(path_of(failed) + "/result"), 409, "E701", path_of(failed) + "/result");
  const auto cancelled = api.rooted(JobState::cancelled, 3);
  api.refused(api.get(path_of(cancelled) + "/result"), 409, "E602", path_of(cancelled) + "/result");
  CHECK(api.told.pulls.empty());

  const auto done = api.rooted(JobState::done, 4);
  api.script.files[done.result] = to_bytes(view("338350"));
  const auto result = api.get(path_of(done) + "/result");
  CHECK(result->status() == 200);
  CHECK(result->text() == "338350");
  CHECK(result->reply.content_type == "text/plain");

  const auto theirs = Api::job_of(api.other, JobState::done, 5);
  api.up(api.other.id());
  const auto elsewhere = api.get(path_of(theirs) + "/result");
  api.answers(api.other.id(), {theirs});
  CHECK(elsewhere->text() == "338350");
  REQUIRE(api.told.pulls.size() == 2);
  CHECK(api.told.pulls[1].blob == theirs.result);
  CHECK(api.told.pulls[1].holders == std::vector{api.other.id()});

  api.script.pulls_arrive = false;
  api.refused(api.get(path_of(done) + "/result"), 404, "E112", path_of(done) + "/result");
}

namespace {

// A job of ours whose result is in pieces, which the store has.
struct Ordered {
  Api& api;
  JobStatus job;
  std::vector<BlobId> pieces;
  Bytes all;

  Ordered(Api& api, std::size_t count) : api(api), job(Api::job_of(api.self, JobState::done)) {
    Manifest top;
    while (pieces.size() != count) {
      Manifest under;
      for (int i = 0; i < 5 && pieces.size() != count; ++i)
        under.parts.push_back(piece());
      top.parts.push_back({store(under.encoded()), under.size(), true});
    }
    job.manifest = true;
    job.result = store(top.encoded());
    job.result_size = top.size();
    job.shares = {{node(5), 1, 0, 0}, {node(6), 3, 0, 0}};
    api.tell(JobNews{job, true});
  }

  static NodeId node(std::uint8_t n) {
    NodeId id;
    id.key.fill(n);
    return id;
  }
  BlobId store(const Bytes& bytes) {
    const auto id = blob_id(bytes);
    api.script.files[id] = bytes;
    return id;
  }
  Manifest::Part piece() {
    const auto text = "piece " + std::to_string(pieces.size()) + ".";
    pieces.push_back(store(to_bytes(view(text))));
    put(all, view(text));
    return {pieces.back(), text.size(), false};
  }
  AnswerPtr get() { return api.get(path_of(job) + "/result"); }
  void refused() { api.refused(get(), 404, "E112", path_of(job) + "/result"); }
  // As the server does; nothing: it is cut.
  std::shared_ptr<const Bytes> next(const AnswerPtr& answer) {
    std::optional<std::shared_ptr<const Bytes>> given;
    answer->reply.stream->next([&](std::shared_ptr<const Bytes> bytes) {
      CHECK(!given);
      given = std::move(bytes);
    });
    api.run();
    REQUIRE(given);
    return *given;
  }
  std::size_t asked(const BlobId& blob) const {
    const auto& pulls = api.told.pulls;
    return std::size_t(std::count_if(pulls.begin(), pulls.end(),
                                     [&](const PullFor& pull) { return pull.blob == blob; }));
  }
};

} // namespace

TEST_CASE("a result that is a manifest goes out as its pieces, in order, a few asked for ahead") {
  Api api;
  Ordered ordered{api, 23};
  const auto answer = ordered.get();
  CHECK(answer->status() == 200);
  CHECK(!answer->reply.body);
  REQUIRE(answer->reply.stream);
  CHECK(answer->reply.stream->size == ordered.all.size());
  CHECK(answer->reply.content_type == "text/plain"); // As its kernel says.
  CHECK(ordered.asked(ordered.pieces[7]) == 1);
  CHECK(ordered.asked(ordered.pieces[8]) == 0);
  Bytes all;
  for (std::size_t i = 0; i != ordered.pieces.size(); ++i) {
    const auto piece = ordered.next(answer);
    REQUIRE(piece);
    put(all, *piece);
  }
  CHECK(text_of(all) == text_of(ordered.all));
  // Of those who made most of it first, and of its root.
  CHECK(api.told.pulls.back().holders ==
        std::vector{Ordered::node(6), Ordered::node(5), api.self.id()});
}

TEST_CASE("a result without its first piece, or its manifests, is refused") {
  Api api;
  Ordered ordered{api, 23};
  SUBCASE("the first piece is gone") {
    api.script.gone = {ordered.pieces[0]};
    ordered.refused();
  }
  SUBCASE("it went again before it was read") {
    const auto answer = ordered.get();
    api.script.files.erase(ordered.pieces[0]);
    CHECK(!ordered.next(answer));
    return;
  }
  SUBCASE("all are gone") {
    for (const auto& [id, bytes] : api.script.files)
      if (id != ordered.job.result)
        api.script.gone.insert(id);
    ordered.refused();
  }
  SUBCASE("the first manifest under it is none") {
    const auto top = Manifest::of(api.script.files.at(ordered.job.result));
    api.script.files[top->parts[0].blob] = to_bytes(view("no manifest"));
    ordered.refused();
  }
  SUBCASE("it is no manifest itself") {
    api.script.files[ordered.job.result] = to_bytes(view("no manifest"));
    ordered.refused();
  }
  SUBCASE("it is gone itself") {
    api.script.gone = {ordered.job.result};
    ordered.refused();
  }
}

TEST_CASE("a result is cut before the piece that is gone, or is not of its size") {
  Api api;
  Ordered ordered{api, 23};
  std::size_t whole = 12;
  SUBCASE("gone") {
    api.script.gone = {ordered.pieces[12]};
  }
  SUBCASE("of another size") {
    api.script.files[ordered.pieces[12]].pop_back();
  }
  SUBCASE("under a manifest that is gone") {
    const auto top = Manifest::of(api.script.files.at(ordered.job.result));
    api.script.gone = {top->parts[3].blob};
    whole = 15;
  }
  const auto answer = ordered.get();
  for (std::size_t i = 0; i != whole; ++i)
    CHECK(ordered.next(answer));
  CHECK(!ordered.next(answer));
}

TEST_CASE("what goes out in pieces is forgotten with its reply") {
  Api api;
  Ordered ordered{api, 23};
  const auto answer = ordered.get();
  const auto goes_on = [&] {
    bool told = false;
    api.tell(NextPiece{1, [&](const auto&) { told = true; }});
    return told;
  };
  CHECK(goes_on());
  answer->reply.stream.reset();
  api.run();
  CHECK(!goes_on());
}

TEST_CASE("a job is cancelled by its submitter alone") {
  Api api;
  const auto ours = api.rooted(JobState::running, 1);
  const auto answer = api.post(path_of(ours) + "/cancel");
  CHECK(answer->status() == 202);
  CHECK(answer->json().at("job") == id_of(ours));
  REQUIRE(api.told.cancels.size() == 1);
  CHECK(api.told.cancels[0].from == api.self.id());
  const auto* word = std::get_if<CancelJob>(api.told.cancels[0].message.get());
  REQUIRE(word);
  CHECK(word->cancel->job == ours.spec->id);
  CHECK(word->cancel->seal.key == api.self.id());

  const auto ended = api.rooted(JobState::done, 2);
  CHECK(api.post(path_of(ended) + "/cancel")->json().at("state") == "done");
  CHECK(api.told.cancels.size() == 1);

  const auto theirs = Api::job_of(api.other, JobState::running, 3);
  api.up(api.other.id());
  const auto denied = api.post(path_of(theirs) + "/cancel");
  api.answers(api.other.id(), {theirs});
  api.refused(denied, 403, "E510", path_of(theirs) + "/cancel");

  auto taken = Api::job_of(api.self, JobState::running, 4); // Ours, but rooted there.
  taken.root = api.other.id();
  const auto sent = api.post(path_of(taken) + "/cancel");
  api.answers(api.other.id(), {taken});
  CHECK(sent->status() == 202);
  CHECK(api.told.letters.back().to == api.other.id());
  CHECK(std::holds_alternative<CancelJob>(*api.told.letters.back().message));
}
