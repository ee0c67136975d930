#include "actors/session_actor.hpp"

#include <doctest/doctest.h>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>

using namespace tessera;

namespace {

struct Config : caf::actor_system_config {
  Config() {
    add_message_types<caf::id_block::tessera>();
    set("scheduler.policy", caf::atom("testing"));
  }
};

// What its owner asks of it.
struct FakeLink final : Link {
  std::vector<std::pair<std::size_t, Lane>> returned;
  std::vector<std::string> closes;

  bool send(Bytes, Lane) override { return true; }
  void consumed(std::size_t bytes, Lane lane) override { returned.emplace_back(bytes, lane); }
  void close(std::string why) override { closes.push_back(std::move(why)); }
  std::optional<Duration> rtt() const override { return {}; }
  Session::Counters counters() const override { return {}; }
  std::string remote() const override { return "127.0.0.1:1"; }
};

const Identity& self() {
  static const auto it = Identity::from_seed(Secret<32>{{1}});
  return it;
}

using Letters = std::vector<MessagePtr>;

caf::behavior keeper(caf::event_based_actor*, Letters* letters) {
  return {
      [=](const FromPeer& letter) { letters->push_back(letter.message); },
      [](const SessionOpened&) {},
  };
}

// A session that is up, between a link and actors that keep what they get.
class Rig {
public:
  Rig() {
    auto wiring = std::make_shared<Wiring>();
    wiring->mesh = wiring->scheduler = wiring->store = wiring->api = keeper_;
    session_ = system_.spawn(session_actor, std::make_shared<const Codec>(codec), true, wiring);
    caf::anon_send(session_, LinkPtr{link});
    PeerHello peer;
    peer.id = self().id();
    tell(SessionUp{peer});
  }
  ~Rig() {
    end();
    caf::anon_send_exit(keeper_, caf::exit_reason::kill);
    run();
  }

  void tell(SessionNews news) {
    caf::anon_send(session_, std::move(news));
    run();
  }
  void end() {
    caf::anon_send_exit(session_, caf::exit_reason::kill);
    run();
  }

  const Codec codec{self(), digest_of(view("session actor's mesh"))};
  const std::shared_ptr<FakeLink> link = std::make_shared<FakeLink>();
  Letters letters;

private:
  void run() { dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler()).run(); }

  Config config_;
  caf::actor_system system_{config_};
  caf::actor keeper_ = system_.spawn(keeper, &letters);
  caf::actor session_;
};

} // namespace

TEST_CASE("a message counts as held until the last who shares it lets go") {
  Rig rig;
  for (const auto lane : {Lane::control, Lane::bulk}) {
    const auto bytes = rig.codec.encode(BlobMissing{});
    rig.tell(MessageIn{bytes, lane});
    REQUIRE(rig.letters.size() == 1);
    auto shared = rig.letters.front();
    rig.letters.clear();
    CHECK(rig.link->returned.empty());
    shared.reset();
    CHECK(rig.link->returned == std::vector{std::pair{bytes.size(), lane}});
    rig.link->returned.clear();
  }
}

TEST_CASE("a message that cannot be read closes the session, and none after it is heeded") {
  Rig rig;
  rig.tell(MessageIn{Bytes(5, 0xff), Lane::control});
  rig.tell(MessageIn{rig.codec.encode(BlobMissing{}), Lane::control});
  CHECK(rig.link->closes.size() == 1);
  CHECK(rig.letters.empty());
}

TEST_CASE("a session's actor that dies takes its link along") {
  Rig rig;
  CHECK(rig.link->closes.empty());
  rig.end();
  CHECK(rig.link->closes == std::vector<std::string>{"its actor ended"});
}
