#include "actors/rounds_actor.hpp"
#include "tests/actors/job_actor_rig.hpp"

using namespace tessera;
using namespace tessera::rig;
using namespace std::chrono_literals;

namespace {

const Identity self = Identity::from_seed(Secret<32>{{7}});
const auto codec = std::make_shared<const Codec>(self, digest_of(view("a mesh")));

SpecPtr rounds_job(std::uint32_t rounds) {
  JobSpec spec;
  spec.submitter = self.id();
  spec.kernel = "wasm";
  spec.items = 8;
  spec.shape = Shape::rounds;
  spec.rounds = rounds;
  return codec->seal_spec(spec);
}

// A job of rounds between actors that only listen.
struct RoundsRig {
  explicit RoundsRig(std::uint32_t most = 3, const JobStatus& told = {}) : spec(rounds_job(most)) {
    rounds = stage.spawn(rounds_actor, RoundsOpening{self.id(), spec, told, codec},
                         std::make_shared<const Wiring>(wiring()));
    stage.run();
  }
  Wiring wiring() const {
    Wiring w;
    w.node = node.actor();
    w.mesh = mesh.actor();
    w.scheduler = scheduler.actor();
    w.store = store.actor();
    w.api = api.actor();
    return w;
  }
  template<class What>
  void tell(What what) {
    stage.tell(rounds, std::move(what));
  }
  BeginRound begin() {
    const auto begins = store.take<BeginRound>();
    REQUIRE(begins.size() == 1);
    return begins[0];
  }
  SpecPtr opened() {
    tell(RoundBegun{begin().round->id});
    const auto opens = node.take<OpenRoot>();
    REQUIRE(opens.size() == 1);
    return opens[0].spec;
  }
  void done(const SpecPtr& round, std::string_view result, bool over = false) {
    JobStatus status;
    status.spec = round;
    status.state = JobState::done;
    tell(RoundNews{status, partial_of(result), {.over = over}});
  }

  const SpecPtr spec;
  Stage<> stage;
  Ear &node = stage.ear(), &mesh = stage.ear(), &scheduler = stage.ear(), &store = stage.ear(),
      &api = stage.ear();
  caf::actor rounds;
};

} // namespace

TEST_CASE("rounds are written, then opened at the node, one after the other, until step is done") {
  RoundsRig rig;
  const auto here = rig.scheduler.take<JobHere>();
  REQUIRE(here.size() == 1);
  CHECK(here[0].job == rig.rounds);
  const auto one = rig.opened();
  CHECK(one->spec.parent == rig.spec->id);
  CHECK(one->spec.round == 1);
  rig.done(one, "second");
  const auto two = rig.opened();
  CHECK(two->spec.round == 2);
  CHECK(rig.store.take<JournalEnd>().empty());
  rig.done(two, "result", true);
  const auto ends = rig.store.take<JournalEnd>();
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].status.spec == rig.spec);
  CHECK(ends[0].status.state == JobState::done);
  CHECK(ends[0].status.round == 2);
  CHECK(ends[0].result == partial_of("result"));
  CHECK(ends[0].round == two->id);
  rig.stage.pass(20s);
  const auto gone = rig.node.take<JobGone>();
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].job == rig.spec->id);
}

TEST_CASE("a new store is asked again for what the old one did not answer") {
  RoundsRig rig;
  const auto asked = rig.begin();
  auto& successor = rig.stage.ear();
  auto wiring = rig.wiring();
  wiring.store = successor.actor();
  SUBCASE("a round") {
    rig.tell(std::make_shared<const Wiring>(wiring));
    const auto again = successor.take<BeginRound>();
    REQUIRE(again.size() == 1);
    CHECK(again[0].round->id == asked.round->id);
  }
  SUBCASE("the end") {
    rig.tell(RoundBegun{asked.round->id});
    rig.done(asked.round, "result", true);
    rig.tell(std::make_shared<const Wiring>(wiring));
    CHECK(successor.take<BeginRound>().empty());
    CHECK(successor.take<JournalEnd>().size() == 1);
  }
}

TEST_CASE("a job of rounds that the journal knows goes on in its round") {
  JobStatus told;
  told.round = 2;
  told.result = blob_id(view("second"));
  told.result_size = 6;
  told.fuel = 5;
  RoundsRig rig{3, told};
  const auto begin = rig.begin();
  CHECK(begin.round->spec.round == 2);
  CHECK(begin.round->spec.input(Input::Role::state)->blob == told.result);
  CHECK(begin.told.fuel == 5);
  CHECK(begin.before == JobId{});
}

TEST_CASE("a cancel reaches the round's job through the node") {
  RoundsRig rig;
  const auto round = rig.opened();
  rig.tell(FromPeer{self.id(), letter(CancelJob{codec->seal_cancel(rig.spec->id)})});
  const auto words = rig.node.take<ForJob>();
  REQUIRE(words.size() == 1);
  CHECK(words[0].job == round->id);
  const auto& cancel = std::get<CancelJob>(*words[0].letter.message);
  CHECK(cancel.cancel->job == round->id);
  CHECK(cancel.cancel->seal.key == self.id());
  const auto ends = rig.store.take<JournalEnd>();
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].status.state == JobState::cancelled);
}

TEST_CASE("people hear of the whole job, a while after its round told something") {
  RoundsRig rig;
  const auto round = rig.opened();
  rig.api.clear();
  JobStatus status;
  status.spec = round;
  status.state = JobState::running;
  status.leaves_done = 3;
  rig.tell(RoundNews{status, {}, {}});
  CHECK(rig.api.size() == 0);
  rig.stage.pass(200ms);
  const auto news = rig.api.take<JobNews>();
  REQUIRE(news.size() == 1);
  CHECK(news[0].rooted);
  CHECK(news[0].status.spec == rig.spec);
  CHECK(news[0].status.leaves_done == 3);
}

TEST_CASE("there is no work, nor a lease, of the whole job") {
  RoundsRig rig;
  rig.scheduler.clear();
  rig.tell(TakeWork{rig.spec->id, 0});
  const auto took = rig.scheduler.take<Took>();
  REQUIRE(took.size() == 1);
  CHECK_FALSE(took[0].got);
  rig.tell(GiveWork{rig.spec->id, peer, {5, 1, 1, {}}, 0.5});
  rig.tell(FromPeer{peer, letter(LeaseBeat{rig.spec->id, {}})});
  const auto letters = rig.mesh.take<ToPeer>();
  REQUIRE(letters.size() == 2);
  CHECK(std::get<Grant>(*letters[0].message).ask == 5);
  CHECK(std::get<Grant>(*letters[0].message).leases.empty());
  CHECK(std::get<LeaseTable>(*letters[1].message).rows.empty());
}

// --- The job of a round

namespace {

SpecPtr round_job(std::uint64_t leaves) {
  return changed(job_of(leaves), [](JobSpec& spec) {
    spec.parent = digest_of(view("a job of rounds"));
    spec.round = 4;
  });
}

} // namespace

TEST_CASE("the job of a round tells its parent of its end, not the journal, and is gone") {
  JobRig rig{round_job(1)};
  rig.done(rig.take(), "partial");
  const auto finish = rig.take();
  REQUIRE(std::holds_alternative<FinishWork>(finish.work));
  rig.node.clear();
  rig.tell(WorkDone{finish.id, partial_of("state"), {}, 1000, 0, {.over = true}});
  const auto news = rig.node.take<RoundNews>();
  REQUIRE(news.size() == 1);
  CHECK(news[0].status.state == JobState::done);
  CHECK(news[0].status.spec == rig.spec);
  CHECK(news[0].result == partial_of("state"));
  CHECK(news[0].end.over);
  CHECK(rig.store.take<JournalEnd>().empty());
  CHECK(rig.api.take<JobNews>().empty());
  rig.tell(tick_atom_v); // Its parent is another, and asks.
  const auto again = rig.node.take<RoundNews>();
  REQUIRE(again.size() == 1);
  CHECK(again[0].result == partial_of("state"));
  CHECK(again[0].end.over);
  CHECK(rig.node.take<JobGone>().empty());
  rig.stage.pass(200ms);
  CHECK(rig.node.take<JobGone>().size() == 1);
}

TEST_CASE("the job of a round tells its parent how it goes; leased, it tells people") {
  JobRig rooted{round_job(8)};
  rooted.stage.pass(1s);
  CHECK_FALSE(rooted.node.take<RoundNews>().empty());
  CHECK(rooted.api.size() == 0);
  JobRig leased{round_job(8), false};
  leased.stage.pass(1s);
  CHECK(leased.node.take<RoundNews>().empty());
  CHECK_FALSE(leased.api.take<JobNews>().empty());
}
