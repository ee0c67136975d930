#include "actors/mesh_actor.hpp"

#include "tests/support/actor_rig.hpp"

#include <doctest/doctest.h>

using namespace tessera;
using rig::Ear;

namespace {

Identity identity(std::uint8_t seed) {
  return Identity::from_seed(Secret<32>{{seed}});
}
const Identity us = identity(1), peer = identity(2), stranger = identity(3);
const auto mesh_id = digest_of(view("mesh actor's mesh"));
const Address seed_address{"127.0.0.1", 1}, peer_address{"127.0.0.1", 2};

SessionUp up_as(const Identity& who, std::uint64_t boot = 1) {
  PeerHello hello;
  hello.id = who.id();
  hello.boot = boot;
  return {hello};
}

// A mesh between dials and accepted links that the test plays.
class Rig {
public:
  struct Dialled {
    Address address;
    std::optional<NodeId> expect;
    caf::actor session;
    std::shared_ptr<rig::FakeLink> link = std::make_shared<rig::FakeLink>();
  };

  explicit Rig(std::vector<Address> seeds = {}, std::vector<PeerAddress> remembered = {},
               std::size_t sessions_max = 512) {
    MeshSetup setup;
    setup.config.sessions_max = sessions_max;
    setup.config.self = setup.own.subject = us.id();
    setup.config.seeds = std::move(seeds);
    setup.own.slots_free = 9;
    setup.remembered = std::move(remembered);
    setup.codec = codec;
    setup.ports = {
        [this](const Address& address, std::optional<NodeId> expect, const caf::actor& session) {
          dials.push_back({address, expect, session});
          return dials.back().link;
        },
        [this](const std::vector<PeerAddress>& peers) { saved = peers; },
        [this](const Address&, const std::string& why) { failures.push_back(why); }};
    mesh = stage.spawn(mesh_actor, std::move(setup), std::make_shared<const Wiring>(wiring()));
    stage.run();
    stage.tell(mesh, std::make_shared<const Wiring>(wiring()));
  }
  Rig(const Rig&) = delete;

  Wiring wiring() const {
    Wiring w;
    w.node = node.actor();
    w.mesh = mesh;
    w.scheduler = scheduler.actor();
    w.store = store.actor();
    w.api = api.actor();
    return w;
  }

  template<class News>
  void news(const caf::actor& session, News what) {
    stage.tell(session, SessionNews{std::move(what)});
  }
  void message(const caf::actor& session, const Message& what) {
    const Codec theirs{peer, mesh_id};
    news(session, MessageIn{theirs.encode(what), Lane::control});
  }
  // One that another node dialled.
  Dialled accepted() {
    Dialled in;
    in.session = stage.spawn(session_actor, codec, false, std::make_shared<const Wiring>(wiring()));
    stage.tell(in.session, LinkPtr{in.link});
    return in;
  }

  // What was sent over this link, of one kind.
  template<class M>
  std::vector<M> sent(const Dialled& d) const {
    std::vector<M> out;
    for (const auto& [bytes, lane] : d.link->sent) {
      const auto read = codec->decode(us.id(), bytes);
      if (const auto* m = std::get_if<M>(&std::get<Message>(read)))
        out.push_back(*m);
    }
    return out;
  }

  // What the three who care about peers heard: the same.
  std::vector<PeerNews> peer_news() {
    const auto heard = scheduler.take<PeerNews>();
    CHECK(store.take<PeerNews>().size() == heard.size());
    CHECK(api.take<PeerNews>().size() == heard.size());
    return heard;
  }

  const std::shared_ptr<const Codec> codec = std::make_shared<const Codec>(us, mesh_id);
  std::vector<Dialled> dials;
  std::vector<PeerAddress> saved;
  std::vector<std::string> failures;
  rig::Stage<> stage;
  Ear &node = stage.ear(), &scheduler = stage.ear(), &store = stage.ear(), &api = stage.ear();
  caf::actor mesh;
};

std::vector<PeerAddress> remembering_peer() {
  return {{peer.id(), {peer_address}}};
}

std::shared_ptr<const SignedRecord> record_of_peer() {
  Record record;
  record.subject = peer.id();
  record.boot = record.sequence = 1;
  record.expires_ms = 60'000;
  return Codec{peer, mesh_id}.seal_record(record);
}

} // namespace

TEST_CASE("a seed is dialled, the node hears of the session, all who care of the peer") {
  Rig rig{{seed_address}};
  REQUIRE(rig.dials.size() == 1);
  CHECK(rig.dials[0].address == seed_address);
  CHECK_FALSE(rig.dials[0].expect);
  CHECK(rig.node.take<caf::actor>() == std::vector{rig.dials[0].session});
  CHECK(rig.peer_news().empty());
  rig.news(rig.dials[0].session, up_as(peer, 7));
  const auto news = rig.peer_news();
  REQUIRE(news.size() == 1);
  CHECK(news[0].kind == PeerNews::Kind::up);
  CHECK(news[0].peer == peer.id());
  CHECK(news[0].boot == 7);
}

TEST_CASE("a session that another node dialled counts as one that we did") {
  Rig rig;
  const auto in = rig.accepted();
  rig.news(in.session, up_as(peer));
  CHECK(rig.peer_news().size() == 1);
  rig.stage.tell(rig.mesh, ToPeer{peer.id(), rig::letter(BlobMissing{})});
  CHECK(rig.sent<BlobMissing>(in).size() == 1);
}

TEST_CASE("letters wait for a session that is being dialled, 64 at most, and then go in order") {
  Rig rig{{}, remembering_peer()};
  REQUIRE(rig.dials.size() == 1);
  CHECK(rig.dials[0].expect == peer.id());
  for (std::uint64_t i = 0; i < 100; ++i)
    rig.stage.tell(rig.mesh, ToPeer{peer.id(), rig::letter(BlobAsk{{}, i, 1})});
  CHECK(rig.dials[0].link->sent.empty());
  rig.news(rig.dials[0].session, up_as(peer));
  rig.stage.tell(rig.mesh, ToPeer{peer.id(), rig::letter(BlobAsk{{}, 100, 1})});
  const auto asks = rig.sent<BlobAsk>(rig.dials[0]);
  REQUIRE(asks.size() == 65);
  for (std::uint64_t i = 0; i < 64; ++i)
    CHECK(asks[i].first_chunk == i);
  CHECK(asks[64].first_chunk == 100);
}

TEST_CASE("letters to one who cannot be reached are lost, and all hear that") {
  Rig rig;
  rig.stage.tell(rig.mesh, ToPeer{peer.id(), rig::letter(BlobMissing{})});
  const auto news = rig.peer_news();
  REQUIRE(news.size() == 1);
  CHECK(news[0].kind == PeerNews::Kind::unreachable);
  CHECK(news[0].peer == peer.id());
  const auto in = rig.accepted();
  rig.news(in.session, up_as(peer));
  CHECK(rig.sent<BlobMissing>(in).empty());
}

TEST_CASE("who wants a session gets one dialled, or hears that there is no way") {
  Rig rig{{seed_address}};
  rig.news(rig.dials[0].session, up_as(stranger));
  rig.stage.tell(rig.mesh, ConnectTo{peer.id()});
  CHECK(rig.peer_news().back().kind == PeerNews::Kind::unreachable);
  Shuffle shuffle; // Somebody knows its address.
  shuffle.origin = peer.id();
  shuffle.addresses = {peer_address};
  const Codec theirs{stranger, mesh_id};
  rig.news(rig.dials[0].session, MessageIn{theirs.encode(shuffle), Lane::control});
  rig.stage.tell(rig.mesh, ConnectTo{peer.id()});
  REQUIRE(rig.dials.size() == 2);
  CHECK(rig.dials[1].address == peer_address);
}

TEST_CASE("a peer is down when its session says so, and when its actor dies") {
  for (const bool dies : {false, true}) {
    Rig rig;
    const auto in = rig.accepted();
    rig.news(in.session, up_as(peer));
    rig.peer_news();
    if (dies)
      rig.stage.end(in.session);
    else
      rig.news(in.session, SessionDown{"gone"});
    const auto news = rig.peer_news();
    REQUIRE(news.size() == 1);
    CHECK(news[0].kind == PeerNews::Kind::down);
    CHECK(news[0].peer == peer.id());
    rig.stage.tell(rig.mesh, std::make_shared<const Wiring>(Wiring{}));
    rig.stage.tell(rig.mesh, std::make_shared<const Wiring>(rig.wiring()));
    CHECK(rig.peer_news().empty()); // Nobody is introduced who is gone.
  }
}

TEST_CASE("who is new hears who is there, and where it cares what is known of them") {
  Rig rig;
  const auto in = rig.accepted();
  rig.news(in.session, up_as(peer, 7));
  rig.message(in.session, Records{{record_of_peer()}});
  CHECK(rig.scheduler.take<RecordNews>().size() == 1);
  CHECK(rig.api.take<RecordNews>().size() == 1);
  rig.peer_news();
  CHECK(rig.store.size() == 0);
  const auto replaced = [&](caf::actor Wiring::*who) {
    auto& successor = rig.stage.ear();
    auto wiring = rig.wiring();
    wiring.*who = successor.actor();
    rig.stage.tell(rig.mesh, std::make_shared<const Wiring>(wiring));
    const auto news = successor.take<PeerNews>();
    REQUIRE(news.size() == 1);
    CHECK(news[0].kind == PeerNews::Kind::up);
    CHECK(news[0].boot == 7);
    const auto records = successor.take<RecordNews>().size();
    CHECK(successor.take<ReachNews>().size() == (who == &Wiring::api ? 1 : 0));
    rig.scheduler.clear();
    rig.store.clear();
    rig.api.clear();
    rig.stage.tell(rig.mesh, std::make_shared<const Wiring>(wiring));
    CHECK(successor.size() + rig.scheduler.size() + rig.store.size() + rig.api.size() == 0);
    return records;
  };
  CHECK(replaced(&Wiring::scheduler) == 1);
  CHECK(replaced(&Wiring::store) == 0);
  CHECK(replaced(&Wiring::api) == 1);
}

TEST_CASE("our load is told to the mesh") {
  Rig rig{{seed_address}};
  rig.news(rig.dials[0].session, up_as(peer));
  rig.message(rig.dials[0].session, NeighborReply{true});
  rig.stage.tell(rig.mesh, OwnLoad{3, 1 << 20});
  rig.stage.pass(std::chrono::seconds(1));
  const auto told = rig.sent<Records>(rig.dials[0]);
  REQUIRE_FALSE(told.empty());
  REQUIRE(told.back().records.size() == 1);
  const auto& record = told.back().records[0]->record;
  CHECK(record.subject == us.id());
  CHECK(record.slots_free == 3);
  CHECK(record.stealable_ns == 1 << 20);
}

TEST_CASE("who leaves says so to its peers") {
  Rig rig;
  const auto in = rig.accepted();
  rig.news(in.session, up_as(peer));
  rig.stage.tell(rig.mesh, leave_atom_v);
  const auto farewells = rig.sent<Disconnect>(in);
  REQUIRE(farewells.size() == 1);
  CHECK(farewells[0].leaving);
}

TEST_CASE("of several sessions to one peer those too many are closed") {
  Rig rig;
  const auto first = rig.accepted(), second = rig.accepted();
  rig.news(first.session, up_as(peer));
  rig.news(second.session, up_as(peer));
  rig.stage.pass(std::chrono::seconds(10));
  CHECK(first.link->closes.size() == 1);
  CHECK(second.link->closes.empty());
  rig.peer_news();
  rig.news(first.session, SessionDown{"closed"});
  CHECK(rig.peer_news().empty());
}

TEST_CASE("where there are too many peers, one with whom nobody talks goes") {
  Rig rig{{}, {}, 2};
  for (const auto& who : {peer, stranger}) {
    rig.news(rig.accepted().session, up_as(who));
    rig.stage.pass(std::chrono::seconds(1));
  }
  rig.stage.tell(rig.mesh, ToPeer{peer.id(), rig::letter(BlobMissing{})});
  rig.peer_news();
  rig.news(rig.accepted().session, up_as(identity(4)));
  const auto news = rig.peer_news();
  REQUIRE(news.size() == 2);
  CHECK(news[1].kind == PeerNews::Kind::down);
  CHECK(news[1].peer == stranger.id());
}

TEST_CASE("why a seed does not answer is told once, until it has answered") {
  Rig rig{{seed_address}};
  // Ends the last dial; whoever else is dialled then does not answer, until it is the seed's turn.
  const auto fail = [&](std::string why) {
    do {
      const auto before = rig.dials.size();
      rig.news(rig.dials.back().session, SessionDown{std::exchange(why, "nobody there")});
      rig.stage.pass(std::chrono::minutes(1));
      REQUIRE(rig.dials.size() > before);
    } while (rig.dials.back().expect);
  };
  fail("it belongs to another mesh");
  CHECK(rig.failures == std::vector<std::string>{"it belongs to another mesh"});
  fail("it still does");
  CHECK(rig.failures.size() == 1);
  rig.news(rig.dials.back().session, up_as(peer));
  fail("it went"); // No failure: it had answered.
  CHECK(rig.failures.size() == 1);
  fail("it does not answer");
  CHECK(rig.failures.size() == 2);
}

TEST_CASE("a session that dies without a word counts as failed") {
  Rig rig{{seed_address}};
  rig.stage.end(rig.dials[0].session);
  CHECK(rig.failures == std::vector<std::string>{"the session's actor died"});
}

TEST_CASE("peers worth remembering are saved") {
  Rig rig{{seed_address}};
  rig.news(rig.dials[0].session, up_as(peer));
  rig.stage.pass(std::chrono::minutes(1));
  REQUIRE(rig.saved.size() == 1);
  CHECK(rig.saved[0].id == peer.id());
  CHECK(rig.saved[0].addresses == std::vector{seed_address});
}

TEST_CASE("who is no session of ours is not heeded") {
  Rig rig;
  rig.stage.tell_as(rig.node.actor(), rig.mesh, FromPeer{peer.id(), rig::letter(Join{})});
  rig.stage.tell_as(rig.node.actor(), rig.mesh, SessionEnded{"what?"});
  CHECK(rig.peer_news().empty());
}
