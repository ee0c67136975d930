#include "actors/mesh_actor.hpp"

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

struct SilentLink final : Link {
  bool send(Bytes, Lane) override { return true; }
  void consumed(std::size_t, Lane) override {}
  void close(std::string) override {}
  std::optional<Duration> rtt() const override { return {}; }
  Session::Counters counters() const override { return {}; }
  std::string remote() const override { return "127.0.0.1:1"; }
};

const Identity& self() {
  static const auto it = Identity::from_seed(Secret<32>{{1}});
  return it;
}

// A mesh that dials its one seed.
class Rig {
public:
  Rig() {
    MeshSetup setup;
    setup.config.self = setup.own.subject = self().id();
    setup.config.seeds = {{"127.0.0.1", 1}};
    setup.codec = std::make_shared<const Codec>(self(), digest_of(view("mesh actor's mesh")));
    setup.ports = {[this](const Address&, std::optional<NodeId>, const caf::actor& session) {
                     dialled = session;
                     return std::make_shared<SilentLink>();
                   },
                   [](const std::vector<PeerAddress>&) {},
                   [this](const Address&, const std::string& why) { failures.push_back(why); }};
    mesh_ = system_.spawn(mesh_actor, std::move(setup), std::make_shared<Wiring>());
    run();
  }
  ~Rig() {
    caf::anon_send_exit(mesh_, caf::exit_reason::kill);
    caf::anon_send_exit(dialled, caf::exit_reason::kill);
    run();
  }

  void run() { dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler()).run(); }

private:
  Config config_;
  caf::actor_system system_{config_};
  caf::actor mesh_;

public:
  caf::actor dialled;
  std::vector<std::string> failures;
};

} // namespace

TEST_CASE("why a seed does not answer is told, however soon") {
  Rig rig;
  caf::anon_send(rig.dialled, SessionNews{SessionDown{"it belongs to another mesh"}});
  rig.run();
  REQUIRE(rig.failures.size() == 1);
  CHECK(rig.failures.front() == "it belongs to another mesh");
}

TEST_CASE("a session that dies without a word counts as failed") {
  Rig rig;
  caf::anon_send_exit(rig.dialled, caf::exit_reason::kill);
  rig.run();
  REQUIRE(rig.failures.size() == 1);
  CHECK(rig.failures.front() == "the session's actor died");
}
