#include "node/policy_actor.hpp"

#include "tests/support/actor_rig.hpp"

#include <doctest/doctest.h>

using namespace tessera;
using namespace std::chrono_literals;

namespace {

struct Config : rig::TestingConfig {
  Config() { add_message_types<caf::id_block::tessera_node>(); }
};

// A machine whose readings are set by hand, and a node that listens.
struct World {
  rig::Stage<Config> stage;
  rig::Ear& node = stage.ear();
  Readings readings;
  std::int64_t unix_ms = 1'000'000;
  int looks = 0;

  void start(PolicySettings settings) {
    stage.spawn(policy_actor,
                PolicySetup{std::move(settings),
                            [this](std::int64_t, Time) {
                              ++looks;
                              return readings;
                            },
                            [this] { return unix_ms; }},
                node.actor());
    stage.run();
  }
  void pass(std::chrono::seconds time) {
    for (; time > 0s; time -= 1s) {
      unix_ms += 1000;
      stage.leap(1s);
    }
  }
  PolicySays last() {
    const auto said = node.take<PolicySays>();
    REQUIRE(said.size() == 1);
    return said.front();
  }
};

} // namespace

TEST_CASE("the node hears at once, and then only of what is another verdict") {
  World w;
  w.readings.on_mains = true;
  w.start({.idle = {}, .mains = true, .hours = {}});
  auto said = w.last();
  CHECK_FALSE(said.pause);
  CHECK(said.sources == "mains by the power supply");
  w.pass(60s);
  CHECK(w.node.take<PolicySays>().empty());
  CHECK(w.looks >= 20);

  w.readings.on_mains = false;
  w.pass(4s);
  said = w.last();
  REQUIRE(said.pause);
  CHECK(said.pause->why == "on battery");
  CHECK_FALSE(said.pause->until_ms);
  CHECK(said.pause->since_ms >= 1'060'000);
  w.pass(60s);
  CHECK(w.node.take<PolicySays>().empty());

  w.readings.on_mains = true;
  w.pass(15s);
  CHECK_FALSE(w.last().pause);
}

TEST_CASE("who goes on using the machine moves the forecast, and not the beginning") {
  World w;
  w.readings.since_input = 0s;
  w.start({.idle = 60s, .mains = false, .hours = {}});
  const auto since = w.last().pause->since_ms;
  w.pass(3s);
  const auto said = w.last();
  CHECK(said.pause->since_ms == since);
  CHECK(*said.pause->until_ms == 1'063'000);
  w.readings.since_input.reset(); // Nobody any more: the forecast holds.
  w.pass(57s);
  CHECK(w.node.take<PolicySays>().empty());
  w.pass(6s);
  CHECK_FALSE(w.last().pause);
}
