#include "tests/node/job_book_world.hpp"

#include <doctest/doctest.h>

using namespace tessera;
using namespace tessera::sim;

namespace {

JobBookConfig far_reaching() { // A path of forty nodes is wider than any mesh.
  JobBookConfig config;
  config.hops = 40;
  return config;
}

std::string prefix_of(const JobId& job, std::size_t digits) {
  return to_hex(job).substr(0, digits);
}

// How many of the jobs rooted at living nodes begin so.
std::size_t matching(const BookWorld& world, const std::string& prefix) {
  return std::size_t(std::count_if(world.roots.begin(), world.roots.end(), [&](const auto& root) {
    return world.alive(root.second) && to_hex(root.first).starts_with(prefix);
  }));
}

} // namespace

TEST_CASE("without faults an ask finds each matching job once, at two messages each way a link") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    BookWorld world{seed, far_reaching()};
    const auto count = 3 + world.roll(38);
    world.build(count, world.roll(3 * count));
    std::vector<JobId> jobs;
    for (auto n = world.roll(60); n; --n)
      jobs.push_back(world.root_at(world.roll(count)));
    for (std::uint64_t ticket = 1; ticket <= 4; ++ticket) {
      const bool all = jobs.empty() || world.roll(2) == 0;
      const auto prefix = all ? "" : prefix_of(jobs[world.roll(jobs.size())], world.roll(4));
      CAPTURE(prefix);
      world.queries = world.answers = 0;
      world.ask(world.roll(count), ticket, prefix);
      world.run();
      REQUIRE(world.found.contains(ticket));
      CHECK(world.found[ticket].size() == matching(world, prefix));
      CHECK(world.queries <= 2 * world.edges());
      CHECK(world.queries >= count - 1);
      CHECK(world.answers == world.queries);
    }
  }
}

TEST_CASE("a whole id is found wherever it is rooted") {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    BookWorld world{seed, far_reaching()};
    const auto count = 3 + world.roll(38);
    world.build(count, world.roll(3 * count));
    const auto job = world.root_at(world.roll(count));
    world.root_at(world.roll(count));
    world.ask(world.roll(count), 1, to_hex(job));
    world.run();
    REQUIRE(world.found[1].size() == 1);
    CHECK(world.found[1].front().spec->id == job);
  }
}

TEST_CASE("under loss, doubling, delay and deaths every ask ends within its patience") {
  std::size_t hits = 0, asks = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    CAPTURE(seed);
    BookWorld world{seed, seed % 2 ? far_reaching() : JobBookConfig{}};
    world.loss = world.roll(4) * 70;
    world.doubling = world.roll(3) * 100;
    world.silent_deaths = world.roll(2) * 500;
    world.latency_max = std::chrono::milliseconds(1 + world.roll(300));
    const auto count = 3 + world.roll(38);
    world.build(count, world.roll(3 * count));
    for (std::size_t i = 0; i < count; ++i)
      world.root_at(i);
    std::uint64_t tickets = 0;
    std::set<std::uint64_t> lost; // Their askers died.
    for (auto n = 3 + world.roll(10); n; --n) {
      const auto who = world.roll(count);
      world.later(world.roll(std::chrono::seconds(5)), [&, who] {
        if (!world.alive(who))
          return;
        const auto job = std::next(world.roots.begin(), std::ptrdiff_t(world.roll(count)));
        const std::size_t digits[] = {0, 1, 2, 64};
        const auto prefix = prefix_of(job->first, digits[world.roll(4)]);
        const auto root = world.roll(3) ? std::nullopt : std::optional{world.id(job->second)};
        world.ask(who, ++tickets, prefix, root);
      });
    }
    for (auto n = world.roll(count); n; --n)
      world.later(world.roll(std::chrono::seconds(5)), [&] {
        const auto who = world.roll(count);
        if (world.alive(who))
          world.kill(who);
      });
    CHECK_NOTHROW(world.run());
    for (std::size_t n = 0; n < count; ++n)
      if (world.alive(n))
        CHECK(world.book(n).held().questions == 0);
    asks += tickets;
    hits += std::size_t(std::count_if(world.found.begin(), world.found.end(),
                                      [](const auto& f) { return !f.second.empty(); }));
  }
  CHECK(asks > 1000);
  CHECK(hits * 2 > asks);
}

TEST_CASE("one silent node does not hide those who answer beside it") {
  for (const auto latency : {10, 70}) { // One way, at most twice that.
    BookWorld world{1, JobBookConfig{}};
    world.latency_max = std::chrono::milliseconds(latency);
    for (int i = 0; i < 8; ++i) // A path, and at its far end a node that went silent.
      if (const auto n = world.add())
        world.join(n - 1, n);
    for (std::size_t i = 0; i < 8; ++i)
      world.root_at(i);
    world.silent_deaths = 1000;
    world.kill(7);
    world.ask(0, 1, "");
    world.run();
    CHECK(world.found[1].size() == 7);
  }
}

TEST_CASE("the usual hops reach a mesh of a thousand, each with five active peers") {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    CAPTURE(seed);
    BookWorld world{seed, JobBookConfig{}};
    world.latency_max = std::chrono::milliseconds(100);
    world.build_views(1000);
    for (Index n = 0; n < 1000; n += 5)
      world.root_at(n);
    world.ask(world.roll(1000), 1, "");
    world.run();
    CHECK(world.found[1].size() == world.roots.size());
    CHECK(world.depth_max > 8); // So half of the hops would not do.
  }
}

TEST_CASE("a hostile peer's flood is answered empty, and holds no more than is named") {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    CAPTURE(seed);
    JobBookConfig config;
    config.questions_max = 64;
    config.seen_max = 256;
    config.ended_max = 16;
    config.found_bytes_max = 20'000;
    BookWorld world{seed, config};
    world.floods_once = false; // The flood makes them forget what they have seen.
    world.build(6, 6);
    for (std::size_t i = 0; i < 40; ++i)
      world.root_at(i % 6);
    const auto hostile = world.add();
    world.join(hostile, 0);
    world.join(hostile, 1);
    const auto lies = [&](JobAnswer& answer) {
      for (auto n = world.roll(20); n; --n)
        answer.jobs.push_back(
            job_status(world.roll(2) ? world.random_job()
                                     : std::next(world.roots.begin(), std::ptrdiff_t(n))->first,
                       JobState(world.roll(5))));
    };
    for (int i = 0; i < 3000; ++i)
      world.later(world.roll(std::chrono::seconds(3)), [&] {
        const auto victim = world.roll(2);
        if (world.roll(3) == 0) {
          JobAnswer answer{world.roll(3000), world.id(world.roll(7)), {}};
          lies(answer);
          world.deliver(victim, hostile, answer);
        } else {
          const auto hops = std::uint8_t(world.roll(256));
          const JobQuery query{world.roll(3000), world.id(world.roll(7)), world.roll(2) ? "" : "7f",
                               hops};
          world.deliver(victim, hostile, query);
        }
      });
    // In the midst of it the others' asks end, with the truth: nobody listens to who was not asked.
    for (std::uint64_t ticket = 1; ticket <= 5; ++ticket)
      world.later(std::chrono::milliseconds(400 * ticket),
                  [&, ticket] { world.ask(2 + ticket % 4, ticket, ""); });
    CHECK_NOTHROW(world.run());
    CHECK(world.found.size() == 5);
  }
}
