#include "actors/scheduler_actor.hpp"

#include "tests/support/actor_rig.hpp"

#include <doctest/doctest.h>

using namespace tessera;
using rig::Ear;

namespace {

NodeId node_id(std::uint8_t n) {
  NodeId id;
  id.key.fill(n);
  return id;
}
const auto us = node_id(1), peer = node_id(2);

SpecPtr job_named(std::string_view name) {
  SignedSpec spec;
  spec.id = digest_of(view(name));
  spec.spec.kernel = "shape";
  spec.spec.items = 64;
  return std::make_shared<const SignedSpec>(std::move(spec));
}
const SpecPtr job = job_named("job"), other_job = job_named("another job");
constexpr QueueReport some_work{4, 64, 1'000'000};

// Of one who has much to steal.
RecordNews rich(const NodeId& who) {
  Record record;
  record.subject = who;
  record.slots = 1;
  record.speed = 1;
  record.stealable_ns = 1'000'000'000;
  return {who, std::make_shared<const SignedRecord>(SignedRecord{record, {}})};
}

// A scheduler of one slot among actors that only listen.
class Rig {
public:
  Rig() {
    SchedulerConfig config;
    config.self = us;
    config.kernels = {"shape@1"};
    config.sample = 64; // Whoever is best is found.
    config.lifelines = 0;
    scheduler = stage.spawn(scheduler_actor, config, std::uint64_t{1},
                            std::make_shared<const Wiring>(wiring()));
    stage.run();
  }
  Rig(const Rig&) = delete;

  Wiring wiring() const {
    Wiring w;
    w.node = node.actor();
    w.mesh = mesh.actor();
    w.store = store.actor();
    w.api = api.actor();
    return w;
  }
  template<class What>
  void tell(What what) {
    stage.tell(scheduler, std::move(what));
  }
  void say(Message message) { tell(FromPeer{peer, rig::letter(std::move(message))}); }
  void enrol(const SpecPtr& spec, const Ear& who) { tell(JobHere{spec, who.actor()}); }

  // The one letter that went to the peer, of this kind.
  template<class M>
  M sent() {
    const auto letters = mesh.take<ToPeer>();
    REQUIRE(letters.size() == 1);
    CHECK(letters[0].to == peer);
    REQUIRE(std::holds_alternative<M>(*letters[0].message));
    return std::get<M>(*letters[0].message);
  }
  void pause(bool on) {
    auto w = wiring();
    if (on)
      w.pause = Pause{1, {}};
    tell(std::make_shared<const Wiring>(w));
  }
  bool silent() const { return mesh.size() + node.size() + store.size() == 0; }

  // The peer has work, and gives some when it is asked.
  Grant grant() {
    tell(PeerNews{PeerNews::Kind::up, peer, 1});
    tell(rich(peer));
    return {sent<StealAsk>().ask, job, {Lease{job->id, 7, 0, {{0, 0}}, {peer}}}};
  }

  rig::Stage<> stage;
  Ear &node = stage.ear(), &mesh = stage.ear(), &store = stage.ear(), &api = stage.ear();
  Ear &first = stage.ear(), &second = stage.ear(); // Jobs' actors.
  caf::actor scheduler;
};

std::shared_ptr<const SignedCancel> cancel_of(const JobId& id) {
  return std::make_shared<const SignedCancel>(SignedCancel{id, {}});
}

} // namespace

TEST_CASE("a message about a job goes to that job, until it is gone") {
  Rig rig;
  rig.enrol(job, rig.first);
  rig.enrol(other_job, rig.second);
  rig.first.clear();
  rig.second.clear();
  rig.mesh.clear();
  LeaseResult result;
  result.job = job->id;
  const Message about[]{LeaseRefused{job->id, 1, ""},
                        result,
                        Receipt{job->id},
                        LeaseBeat{job->id, {}},
                        LeaseTable{job->id, {}},
                        JobOver{job->id},
                        CancelJob{cancel_of(job->id)}};
  for (const auto& message : about) {
    CAPTURE(message.index());
    rig.say(message);
    const auto heard = rig.first.take<FromPeer>();
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].from == peer);
    CHECK(heard[0].message->index() == message.index());
  }
  CHECK(rig.second.size() == 0);
  CHECK(rig.silent());
  rig.tell(JobGone{job->id});
  rig.say(JobOver{job->id});
  CHECK(rig.first.size() == 0);
}

TEST_CASE("who thinks that it shares an unknown job with us hears that it does not") {
  Rig rig;
  rig.mesh.clear();
  rig.say(LeaseBeat{job->id, {}});
  const auto table = rig.sent<LeaseTable>();
  CHECK(table.job == job->id);
  CHECK(table.rows.empty());
  rig.say(JobOver{job->id});
  CHECK(rig.silent());
}

TEST_CASE("a job's work is asked for while a slot has room, and again when it is free") {
  Rig rig;
  rig.enrol(job, rig.first);
  CHECK(rig.first.take<TakeWork>().empty());
  rig.tell(QueueChanged{job->id, some_work});
  auto takes = rig.first.take<TakeWork>();
  REQUIRE(takes.size() == 2); // The pipeline of its one slot.
  CHECK(takes[0].job == job->id);
  CHECK(takes[0].slot == 0);
  for (int i = 0; i < 2; ++i)
    rig.tell(Took{job->id, 0, true});
  CHECK(rig.first.take<TakeWork>().empty());
  rig.tell(SlotFree{0});
  CHECK(rig.first.take<TakeWork>().size() == 1);
  rig.tell(Took{job->id, 0, true});
  rig.tell(SlotReset{0});
  CHECK(rig.first.take<TakeWork>().size() == 2);
}

TEST_CASE("a job that had nothing is asked again later") {
  Rig rig;
  rig.enrol(job, rig.first);
  rig.tell(QueueChanged{job->id, {1, 64, 1'000'000}});
  REQUIRE(rig.first.take<TakeWork>().size() == 1);
  rig.tell(Took{job->id, 0, false});
  CHECK(rig.first.take<TakeWork>().empty());
  rig.stage.pass(std::chrono::seconds(2));
  CHECK(rig.first.take<TakeWork>().size() == 1);
}

TEST_CASE("a job that is gone is asked for nothing") {
  Rig rig;
  rig.enrol(job, rig.first);
  rig.enrol(other_job, rig.second);
  rig.tell(JobGone{job->id});
  rig.tell(QueueChanged{job->id, some_work});
  rig.tell(QueueChanged{other_job->id, some_work});
  CHECK(rig.first.take<TakeWork>().empty());
  CHECK(rig.second.take<TakeWork>().size() == 2);
}

TEST_CASE("a thief gets its share from the job that has most, or a word that there is nothing") {
  Rig rig;
  rig.mesh.clear();
  const StealAsk ask{5, 1, 1, {"shape@1"}};
  rig.say(ask);
  const auto nothing = rig.sent<Grant>();
  CHECK(nothing.ask == 5);
  CHECK(nothing.leases.empty());
  rig.enrol(job, rig.first);
  rig.tell(QueueChanged{job->id, some_work});
  rig.mesh.clear();
  rig.say(ask);
  const auto gives = rig.first.take<GiveWork>();
  REQUIRE(gives.size() == 1);
  CHECK(gives[0].asker == peer);
  CHECK(gives[0].ask.ask == 5);
  CHECK(rig.silent()); // The job answers itself.
}

TEST_CASE("an idle node asks who has work, and hands the leases on to the node") {
  Rig rig;
  rig.mesh.clear();
  const auto grant = rig.grant();
  rig.say(grant);
  const auto opens = rig.node.take<OpenLeases>();
  REQUIRE(opens.size() == 1);
  CHECK(opens[0].accepted.lessor == peer);
  CHECK(opens[0].accepted.spec == job);
  CHECK(opens[0].accepted.leases == grant.leases);
}

TEST_CASE("a victim without a session has one dialled, and is asked once it is up") {
  Rig rig;
  rig.mesh.clear();
  rig.tell(rich(peer));
  const auto wanted = rig.mesh.take<ConnectTo>();
  REQUIRE(wanted.size() == 1);
  CHECK(wanted[0].peer == peer);
  SUBCASE("it is up") {
    rig.tell(PeerNews{PeerNews::Kind::up, peer, 1});
    rig.sent<StealAsk>();
  }
  SUBCASE("it was up, and is gone again") {
    rig.tell(PeerNews{PeerNews::Kind::up, peer, 1});
    rig.sent<StealAsk>();
    rig.tell(PeerNews{PeerNews::Kind::down, peer});
    rig.stage.pass(std::chrono::seconds(2));
    CHECK(rig.mesh.take<ConnectTo>().size() == 1);
    CHECK(rig.mesh.take<ToPeer>().empty());
  }
  SUBCASE("it cannot be reached") {
    rig.tell(PeerNews{PeerNews::Kind::unreachable, peer});
    rig.stage.pass(std::chrono::seconds(5));
    CHECK(rig.mesh.take<ConnectTo>().size() == 1);
  }
  SUBCASE("it is forgotten") {
    rig.tell(PeerNews{PeerNews::Kind::unreachable, peer});
    rig.tell(RecordNews{peer, nullptr});
    rig.stage.pass(std::chrono::seconds(5));
    CHECK(rig.silent());
  }
}

TEST_CASE("all jobs hear of peers that come and go") {
  Rig rig;
  rig.enrol(job, rig.first);
  rig.enrol(other_job, rig.second);
  for (const auto kind : {PeerNews::Kind::up, PeerNews::Kind::down, PeerNews::Kind::unreachable}) {
    rig.tell(PeerNews{kind, peer, 3});
    for (auto* who : {&rig.first, &rig.second}) {
      const auto news = who->take<PeerNews>();
      REQUIRE(news.size() == 1);
      CHECK(news[0].kind == kind);
      CHECK(news[0].peer == peer);
      CHECK(news[0].boot == 3);
    }
  }
}

TEST_CASE("mesh and api hear how busy we are: first, when it changes, and when they are new") {
  Rig rig;
  const auto heard = [](Ear& ear) {
    const auto loads = ear.take<OwnLoad>();
    REQUIRE(loads.size() == 1);
    return loads[0];
  };
  CHECK(heard(rig.mesh) == OwnLoad{1, 0});
  CHECK(heard(rig.api) == OwnLoad{1, 0});
  rig.enrol(job, rig.first);
  rig.tell(QueueChanged{job->id, some_work});
  const OwnLoad busy{0, 1 << 19};
  CHECK(heard(rig.mesh) == busy);
  CHECK(heard(rig.api) == busy);
  rig.tell(std::make_shared<const Wiring>(rig.wiring()));
  CHECK(rig.mesh.size() + rig.api.size() == 0);
  auto wiring = rig.wiring();
  for (const auto who : {&Wiring::mesh, &Wiring::api}) {
    auto& successor = rig.stage.ear();
    wiring.*who = successor.actor();
    rig.tell(std::make_shared<const Wiring>(wiring));
    CHECK(heard(successor) == busy);
  }
}

TEST_CASE("how far a peer is weighs in the choice of whom to ask") {
  Rig rig;
  rig.mesh.clear();
  const auto near = node_id(3);
  rig.enrol(job, rig.first);
  rig.tell(QueueChanged{job->id, {4, 64, 100'000'000'000}}); // Nobody is asked yet.
  for (const auto& [who, rtt] : {std::pair{peer, std::chrono::seconds(10)}, {near, {}}}) {
    rig.tell(PeerNews{PeerNews::Kind::up, who, 1});
    rig.tell(RttNews{who, rtt});
    rig.tell(rich(who));
  }
  REQUIRE(rig.mesh.take<ToPeer>().empty());
  rig.tell(JobGone{job->id});
  const auto asks = rig.mesh.take<ToPeer>();
  REQUIRE(asks.size() == 1);
  CHECK(asks[0].to == near);
}

TEST_CASE("a scheduler hears that its node is paused, and resumed; so does a new one") {
  Rig rig;
  rig.api.clear();
  rig.pause(true);
  const auto told = rig.api.take<OwnLoad>();
  REQUIRE(told.size() == 1);
  CHECK(told[0] == OwnLoad{0, 0, true});
  rig.pause(false);
  CHECK(rig.api.take<OwnLoad>().at(0).paused == false);
  const auto grant = rig.grant();
  rig.pause(true);
  rig.mesh.clear();
  rig.say(grant);
  CHECK(rig.sent<LeaseRefused>().lease == 7);
}

TEST_CASE("a node that leaves takes no more work, and refuses what comes yet") {
  Rig rig;
  rig.mesh.clear();
  const auto grant = rig.grant();
  rig.tell(leave_atom_v);
  rig.enrol(job, rig.first);
  rig.tell(QueueChanged{job->id, some_work});
  CHECK(rig.first.take<TakeWork>().empty());
  rig.mesh.clear();
  rig.say(grant);
  CHECK(rig.sent<LeaseRefused>().lease == 7);
  CHECK(rig.node.take<OpenLeases>().empty());
}
