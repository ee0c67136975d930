#include "actors/session_actor.hpp"

#include "tests/net/random_message.hpp"
#include "tests/support/actor_rig.hpp"

#include <doctest/doctest.h>

using namespace tessera;
using rig::Ear;

namespace {

const Identity& self() {
  static const auto it = Identity::from_seed(Secret<32>{{1}});
  return it;
}

// A session between a link and those that hear of it.
class Rig {
public:
  explicit Rig(bool dialled = true) {
    session_ = stage.spawn(session_actor, std::make_shared<const Codec>(codec), dialled,
                           std::make_shared<const Wiring>(wiring()));
  }
  Rig(const Rig&) = delete;

  Wiring wiring() const {
    Wiring w;
    w.node = node.actor();
    w.mesh = mesh.actor();
    w.scheduler = scheduler.actor();
    w.store = store.actor();
    w.api = api.actor();
    return w;
  }
  void rewire(const Wiring& w) { tell(std::make_shared<const Wiring>(w)); }

  template<class News>
  void tell(News news) {
    stage.tell(session_, std::move(news));
  }
  void hear(SessionNews news) { tell(std::move(news)); }
  void link_up() { tell(LinkPtr{link}); }
  void peer_up() {
    PeerHello peer;
    peer.id = self().id();
    peer.boot = 7;
    hear(SessionUp{peer});
  }
  void up() {
    link_up();
    peer_up();
  }
  void hear_message(const Message& message, Lane lane = Lane::control) {
    hear(MessageIn{codec.encode(message), lane});
  }
  void end() { stage.end(session_); }
  const caf::actor& session() const { return session_; }

  const Codec codec{self(), digest_of(view("session actor's mesh"))};
  const std::shared_ptr<rig::FakeLink> link = std::make_shared<rig::FakeLink>();
  rig::Stage<> stage;
  Ear &node = stage.ear(), &mesh = stage.ear(), &scheduler = stage.ear(), &store = stage.ear(),
      &api = stage.ear();

private:
  caf::actor session_;
};

} // namespace

TEST_CASE("each kind of message goes to the one actor that it is for") {
  Rig rig;
  rig.up();
  rig.mesh.clear();
  RandomMessage random{self(), rig.codec, 1};
  constexpr auto kinds = std::variant_size_v<Message>;
  for (std::size_t kind = 0; kind < kinds; ++kind) {
    CAPTURE(kind);
    const auto message = random.of_kind(kind);
    const auto is = [&]<class... M>(std::variant<M...>*) {
      return (std::holds_alternative<M>(message) || ...);
    };
    auto& home = is((std::variant<Records, Join, ForwardJoin, Neighbor, NeighborReply, Disconnect,
                                  Shuffle, ShuffleReply, DialBackAsk, DialBackAnswer>*)nullptr)
                     ? rig.mesh
                 : is((std::variant<BlobAsk, BlobChunk, BlobMissing>*)nullptr) ? rig.store
                 : is((std::variant<JobQuery, JobAnswer, DetailAsk, Detail>*)nullptr)
                     ? rig.api
                     : rig.scheduler;
    rig.hear_message(message);
    const auto heard = home.take<FromPeer>();
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].from == self().id());
    CHECK(heard[0].message->index() == kind);
    CHECK(rig.mesh.size() + rig.scheduler.size() + rig.store.size() + rig.api.size() == 0);
  }
  CHECK(rig.link->closes.empty());
}

TEST_CASE("what comes before the link itself waits for it, in order") {
  Rig rig;
  rig.peer_up();
  rig.hear_message(BlobMissing{});
  CHECK(rig.mesh.size() + rig.store.size() == 0);
  rig.link_up();
  CHECK(rig.mesh.take<SessionOpened>().size() == 1);
  CHECK(rig.store.take<FromPeer>().size() == 1);
}

TEST_CASE("a message counts as held until the last who shares it lets go") {
  Rig rig;
  rig.up();
  for (const auto lane : {Lane::control, Lane::bulk}) {
    const auto bytes = rig.codec.encode(BlobMissing{});
    rig.hear(MessageIn{bytes, lane});
    auto shared = rig.store.take<FromPeer>();
    REQUIRE(shared.size() == 1);
    CHECK(rig.link->returned.empty());
    shared.clear();
    CHECK(rig.link->returned == std::vector{std::pair{bytes.size(), lane}});
    rig.link->returned.clear();
  }
}

TEST_CASE("a message that cannot be read closes the session, and none after it is heeded") {
  Rig rig;
  rig.up();
  rig.hear(MessageIn{Bytes(5, 0xff), Lane::control});
  rig.hear_message(BlobMissing{});
  CHECK(rig.link->closes.size() == 1);
  CHECK(rig.store.size() == 0);
}

TEST_CASE("the mesh hears who the peer is, and who dialled") {
  for (const bool dialled : {true, false}) {
    Rig rig{dialled};
    rig.up();
    const auto opened = rig.mesh.take<SessionOpened>();
    REQUIRE(opened.size() == 1);
    CHECK(opened[0].peer == self().id());
    CHECK(opened[0].boot == 7);
    CHECK(opened[0].dialled == dialled);
  }
}

TEST_CASE("a new mesh hears of the session, the old one not twice") {
  Rig rig;
  auto& successor = rig.stage.ear();
  auto next = rig.wiring();
  next.mesh = successor.actor();
  rig.rewire(next);
  CHECK(successor.size() == 0); // Nobody is there yet.
  rig.rewire(rig.wiring());
  rig.up();
  CHECK(rig.mesh.take<SessionOpened>().size() == 1);
  rig.rewire(rig.wiring());
  CHECK(rig.mesh.size() == 0);
  rig.rewire(next);
  CHECK(successor.take<SessionOpened>().size() == 1);
  rig.hear_message(Join{});
  CHECK(successor.take<FromPeer>().size() == 1);
}

TEST_CASE("messages go out as the codec writes them, chunks of blobs in the bulk lane") {
  Rig rig;
  rig.tell(rig::letter(Join{})); // There is no link yet: lost.
  rig.up();
  rig.tell(rig::letter(BlobMissing{}));
  const BlobChunk chunk{digest_of(view("blob")), 3, 0, {1, 2, 3}, {}};
  rig.tell(rig::letter(chunk));
  using Sent = std::vector<std::pair<Bytes, Lane>>;
  CHECK(rig.link->sent == Sent{{rig.codec.encode(BlobMissing{}), Lane::control},
                               {rig.codec.encode(chunk), Lane::bulk}});
}

TEST_CASE("scheduler and api hear the round trip each second, once it is measured") {
  Rig rig;
  rig.up();
  rig.stage.pass(std::chrono::milliseconds(100));
  CHECK(rig.scheduler.size() + rig.api.size() == 0); // Not measured yet.
  rig.link->measured = std::chrono::milliseconds(3);
  for (int i = 0; i < 2; ++i) {
    rig.stage.pass(std::chrono::seconds(1));
    for (auto* who : {&rig.scheduler, &rig.api}) {
      const auto news = who->take<RttNews>();
      REQUIRE(news.size() == 1);
      CHECK(news[0].peer == self().id());
      CHECK(news[0].rtt == std::chrono::milliseconds(3));
    }
  }
}

TEST_CASE("who is told to close hangs up") {
  Rig rig;
  rig.up();
  rig.stage.tell(rig.session(), close_atom_v, std::string{"enough"});
  CHECK(rig.link->closes == std::vector<std::string>{"enough"});
}

TEST_CASE("a session that is down tells the mesh why, and ends") {
  Rig rig;
  rig.up();
  rig.mesh.clear();
  rig.hear(SessionDown{"reset by peer"});
  const auto ended = rig.mesh.take<SessionEnded>();
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].why == "reset by peer");
  rig.hear_message(Join{});
  CHECK(rig.mesh.size() == 0);
}

TEST_CASE("a session's actor that dies takes its link along") {
  Rig rig;
  rig.up();
  CHECK(rig.link->closes.empty());
  rig.end();
  CHECK(rig.link->closes == std::vector<std::string>{"its actor ended"});
}

TEST_CASE("a session ends with the node's actor") {
  Rig rig;
  rig.up();
  rig.stage.end(rig.node.actor());
  CHECK(rig.link->closes == std::vector<std::string>{"its actor ended"});
}
