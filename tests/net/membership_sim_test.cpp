#include "tests/sim/mesh_world.hpp"

#include <doctest/doctest.h>

#include <numeric>

using namespace tessera;
using namespace tessera::sim;

namespace {

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

} // namespace

TEST_CASE("fifty nodes that join through one seed know each other within 5 s") {
  double slowest = 0, slowest_change = 0;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    CAPTURE(seed);
    MeshWorld world{seed};
    for (int i = 0; i < 50; ++i)
      world.add({0});
    const bool at_once = seed % 2 == 0;
    for (std::size_t i = 0; i < 50; ++i) {
      world.start(i);
      if (!at_once)
        world.run(Duration(world.roll(200'000'000)));
    }
    const auto all = world.living();
    const auto took = world.run_until([&] { return world.know_each_other(all); }, 5s);
    REQUIRE(took);
    slowest = std::max(slowest, seconds(*took));
    world.run(5s);
    world.set_free(7, 1);
    const auto told = world.run_until([&] { return world.know_each_other(all); }, 5s);
    REQUIRE(told);
    slowest_change = std::max(slowest_change, seconds(*told));
    REQUIRE(world.one_component(all));
  }
  MESSAGE("all known after " << slowest << " s, a change after " << slowest_change << " s");
}

TEST_CASE("below the active bound everybody is active with everybody") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    MeshWorld world{seed};
    const auto n = 2 + seed % 5;
    for (std::size_t i = 0; i < n; ++i)
      world.add({0});
    world.start_all();
    const auto all_active = [&] {
      for (std::size_t i = 0; i < n; ++i)
        if (world.machine(i).active().size() != n - 1)
          return false;
      return true;
    };
    REQUIRE(world.run_until(all_active, 15s));
    world.run(30s);
    REQUIRE(all_active());
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < i; ++j)
        REQUIRE(world.sessions_between(i, j) == 1);
  }
}

TEST_CASE("a dead seed among several does not matter") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    MeshWorld world{seed};
    world.dial_loss = 0.1;
    for (int i = 0; i < 20; ++i)
      world.add({0, 1, 2});
    for (std::size_t i = 0; i < 20; ++i)
      if (i != 1)
        world.start(i);
    const auto all = world.living();
    REQUIRE(world.run_until([&] { return world.know_each_other(all); }, 10s));
    REQUIRE(world.run_until([&] { return world.one_component(all); }, 5s));
  }
}

TEST_CASE("after half of the nodes died the rest is one component and forgets the dead") {
  double slowest = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    CAPTURE(seed);
    MeshWorld world{seed};
    for (int i = 0; i < 50; ++i)
      world.add({0});
    world.start_all();
    world.run(20s);
    std::set<std::size_t> dead;
    while (dead.size() < 25)
      dead.insert(world.roll(50)); // The seed may be among them.
    for (const auto i : dead)
      world.kill(i);
    const auto rest = world.living();
    const auto healed = world.run_until([&] { return world.one_component(rest); }, 20s);
    REQUIRE(healed);
    slowest = std::max(slowest, seconds(*healed));
    world.run(95s);
    REQUIRE(world.one_component(rest));
    REQUIRE(world.know_each_other(rest));
    for (const auto i : rest)
      REQUIRE(world.machine(i).records().size() == rest.size() - 1);
  }
  MESSAGE("one component again after " << slowest << " s");
}

TEST_CASE("a restarted node is back in the mesh within 5 s, the seed too") {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    MeshWorld world{seed};
    world.add({});
    for (int i = 1; i < 12; ++i)
      world.add({0});
    world.start_all();
    world.run(25s);
    const auto all = world.living();
    const auto i = seed % 2 ? world.roll(12) : 0; // Node 0 has no seed, only remembered peers.
    world.restart(i);
    REQUIRE(world.run_until([&] { return world.know_each_other(all); }, 5s));
    REQUIRE(world.run_until([&] { return world.one_component(all); }, 5s));
    world.kill(i);
    world.run(Duration(world.roll(200'000'000'000)));
    world.start(i);
    REQUIRE(world.run_until([&] { return world.know_each_other(all); }, 40s));
  }
}

TEST_CASE("two islands with a common seed become one") {
  double slowest = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    MeshWorld world{seed};
    for (int i = 0; i < 20; ++i)
      world.add({0});
    world.start_all();
    world.run(10s);
    std::set<std::size_t> island;
    while (island.size() < 10)
      island.insert(1 + world.roll(19));
    world.part(island);
    world.run(30s + Duration(world.roll(270'000'000'000)));
    const auto all = world.living();
    REQUIRE(!world.one_component(all));
    world.heal();
    const auto healed = world.run_until([&] { return world.know_each_other(all); }, 70s);
    REQUIRE(healed);
    slowest = std::max(slowest, seconds(*healed));
    REQUIRE(world.run_until([&] { return world.one_component(all); }, 10s));
  }
  MESSAGE("one mesh again after " << slowest << " s");
}

TEST_CASE("two islands that never met become one when their common seed starts") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    MeshWorld world{seed};
    world.add({});
    for (std::size_t i = 1; i < 17; ++i)
      world.add({0, i <= 8 ? 1u : 9u});
    for (std::size_t i = 1; i < 17; ++i)
      world.start(i);
    world.run(120s);
    REQUIRE(!world.one_component(world.living()));
    world.start(0);
    const auto all = world.living();
    REQUIRE(world.run_until([&] { return world.know_each_other(all); }, 70s));
  }
}

TEST_CASE("crossed dials end with one and the same session on both ends") {
  std::uint64_t moved = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    MeshWorld world{seed};
    world.latency_max = Duration(2ms + std::chrono::milliseconds(world.roll(300)));
    world.add({1});
    world.add({0});
    world.start(0);
    world.run(Duration(world.roll(400'000'000)));
    world.start(1);
    REQUIRE(world.run_until([&] { return world.same_session(0, 1); }, 2s));
    world.run(8s);
    REQUIRE(world.same_session(0, 1));
    REQUIRE(world.sessions_between(0, 1) == 1);
    REQUIRE(world.know_each_other({0, 1}));
    moved += world.moved;
  }
  MESSAGE(moved << " moved");
  CHECK(moved > 50);
}

TEST_CASE("a node that left is dropped, not dialled, and welcome when it starts again") {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    CAPTURE(seed);
    MeshWorld world{seed};
    for (int i = 0; i < 12; ++i)
      world.add({0, 1});
    world.start_all();
    world.run(10s);
    const auto gone = 2 + world.roll(10);
    world.leave(gone);
    world.run(2s);
    for (const auto i : world.living()) {
      const auto passive = world.machine(i).passive();
      REQUIRE(!world.has_active(i, gone));
      REQUIRE(std::find(passive.begin(), passive.end(), node_id(gone)) == passive.end());
      world.connect(i, node_id(gone));
      REQUIRE(world.node(i).unreachable.at(node_id(gone)) == "it left the mesh");
    }
    const auto dialled = world.dialled_to[gone];
    world.run(60s);
    REQUIRE(world.dialled_to[gone] == dialled);
    for (const auto i : world.living())
      if (const auto& all = world.machine(i).records(); all.contains(node_id(gone)))
        REQUIRE(all.at(node_id(gone))->record.leaving);
    world.start(gone);
    const auto all = world.living();
    REQUIRE(world.run_until([&] { return world.know_each_other(all); }, 5s));
    world.connect(3, node_id(gone));
    REQUIRE(
        world.run_until([&] { return gone == 3 || world.node(3).up.contains(node_id(gone)); }, 2s));
  }
}

TEST_CASE("work sessions are made to whom the work wants, and made again after a cut") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    MeshWorld world{seed};
    for (int i = 0; i < 20; ++i)
      world.add({0});
    world.start_all();
    world.run(10s);
    const auto i = world.roll(20);
    const auto j = (i + 1 + world.roll(19)) % 20;
    world.connect(i, node_id(j));
    REQUIRE(world.run_until([&] { return world.node(i).up.contains(node_id(j)); }, 1s));
    world.cut_between(i, j);
    world.run(60ms);
    REQUIRE(world.run_until([&] { return world.same_session(i, j); }, 1s));
    world.kill(j);
    world.run(10s);
    REQUIRE(!world.node(i).up.contains(node_id(j)));
    world.connect(i, node_id(j));
    REQUIRE(world.run_until([&] { return world.node(i).unreachable.contains(node_id(j)); }, 6s));
  }
}

TEST_CASE(
    "through cuts, losses, deaths, restarts and leaves the mesh stays sound, and calms down") {
  std::uint64_t deaths = 0, cuts = 0, moved = 0, connects = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    MeshWorld world{seed};
    world.dial_loss = 0.15;
    const std::size_t n = 4 + world.roll(9);
    for (std::size_t i = 0; i < n; ++i)
      world.add({0, 1}, {.active_max = 3, .passive_max = 6, .records_max = 64, .sessions_max = 8});
    world.start_all();
    for (int step = 0; step < 60; ++step) {
      world.run(Duration(world.roll(1'000'000'000)));
      const auto i = world.roll(n), j = world.roll(n);
      const bool lives = world.node(i).machine.has_value();
      switch (world.roll(10)) {
      case 0:
        deaths += lives;
        lives ? world.kill(i) : world.start(i);
        break;
      case 1:
        deaths += lives;
        world.restart(i);
        break;
      case 2:
        if (lives && world.roll(3) == 0)
          world.leave(i);
        break;
      case 3:
      case 4:
      case 5:
        world.cut_one();
        break;
      case 6:
      case 7:
        if (lives && i != j)
          world.connect(i, node_id(j));
        ++connects;
        break;
      case 8:
        world.part({i, j});
        break;
      default:
        if (lives)
          world.set_free(i, world.roll(5));
      }
    }
    cuts += world.cuts;
    moved += world.moved;
    world.heal();
    world.dial_loss = 0;
    world.run(1s);
    for (std::size_t i = 0; i < n; ++i)
      if (!world.node(i).machine)
        world.start(i);
    const auto all = world.living();
    REQUIRE(world.run_until([&] { return world.know_each_other(all) && world.one_component(all); },
                            80s));
    REQUIRE(world.run_until(
        [&] {
          for (const auto i : all)
            for (const auto& [peer, key] : world.node(i).up)
              if (!world.same_session(i, index_of(peer)))
                return false;
          return world.views_agree(all);
        },
        40s));
  }
  MESSAGE(deaths << " deaths, " << cuts << " cuts, " << moved << " moved, " << connects
                 << " connects");
  CHECK(deaths > 1000);
  CHECK(cuts > 1000);
  CHECK(moved > 50);
}

TEST_CASE("what the gossip costs is bounded, idle and busy, in small and larger meshes") {
  for (const std::size_t n : {3, 50, 100}) {
    MeshWorld world{n};
    for (std::size_t i = 0; i < n; ++i)
      world.add({0}, {.records_max = 64}); // 100 nodes are more than are remembered.
    world.start_all();
    world.run(30s);
    const auto cost = [&](Duration span, auto meanwhile) {
      std::uint64_t messages = 0, bytes = 0, dials = 0;
      for (auto& node : world.nodes())
        node.messages = node.bytes = node.dials = 0;
      meanwhile(span);
      for (auto& node : world.nodes()) {
        messages += node.messages;
        bytes += node.bytes;
        dials += node.dials;
      }
      const double per = 1 / seconds(span) / double(n);
      MESSAGE(n << " nodes: " << messages * per << " messages, " << bytes * per << " bytes, "
                << dials * per << " dials a node a second");
      CHECK(dials * per < 0.2);
      return std::pair{messages * per, bytes * per};
    };
    const auto idle = cost(40s, [&](Duration span) { world.run(span); });
    CHECK(idle.first < 40);
    CHECK(idle.second < 16'000);
    const auto busy = cost(10s, [&](Duration span) {
      for (int step = 0; step < 100; ++step) {
        for (std::size_t i = 0; i < n; ++i)
          world.set_free(i, world.roll(5));
        world.run(span / 100);
      }
    });
    CHECK(busy.first < 200);
    CHECK(busy.second < 400'000);
    CHECK(world.one_component(world.living()));
  }
}
