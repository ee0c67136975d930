#include "tests/sim/world.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

using namespace tessera;
using namespace tessera::sim;
using namespace std::chrono_literals;

namespace {

volatile std::uint64_t current_seed = 0; // For who reads the story of an abort.

void say_seed_and_abort(int) {
  char text[64];
  const int length =
      std::snprintf(text, sizeof text, "aborted in seed %llu\n", (unsigned long long)current_seed);
  [[maybe_unused]] const auto written = ::write(2, text, std::size_t(length));
  std::signal(SIGABRT, SIG_DFL);
  std::raise(SIGABRT);
}

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// What one seed plays: who is there, what is to do, and what goes wrong.
class Play {
public:
  explicit Play(std::uint64_t seed) : world(seed), seed_(seed), dice_(mixed(seed)) {
    calm_ = roll(8) == 0 && seed % 3; // A pause may have what a thief was at run again.
    rough_ = !calm_ && roll(3) > 0;
    deadly_ = !calm_ && (!rough_ || roll(2));
    set_up_network();
    set_up_nodes();
    set_up_jobs();
    if (rough_)
      plan_cuts();
    if (deadly_)
      plan_deaths();
    if (seed % 3 == 0)
      plan_pauses();
    world.later(trouble_ + 1s, [this] { heal(); });
  }

  void run() {
    if (!world.run(trouble_ + 900s, [this] { return healed_ && world.all_ended(); }))
      throw Broken("not all jobs end:" + world.story());
    // Whoever was out of touch hears that it is over, or gives up waiting.
    const auto events = world.totals.events;
    if (!world.run(180s, [this] { return world.quiet(); }))
      throw Broken("something is left behind:" + world.story());
    if (world.totals.events - events > 100'000)
      throw Broken("much ado after the end");
    world.run(5s, [] { return false; });
    world.check_ends();
    if (calm_)
      check_calm();
  }

  World world;

private:
  std::uint64_t roll(std::uint64_t n) { return dice_() % n; }
  Duration roll(Duration span) { return Duration(roll(std::uint64_t(span.count()))); } // span > 0
  std::uint64_t maybe(std::uint64_t n) { return roll(2) ? roll(n) : 0; }
  Index some_node() { return roll(world.size()); }

  void set_up_network() {
    const auto far = !calm_ && roll(4) == 0 ? 300'000 : 20'000;
    world.latency_max = std::chrono::microseconds(200 + roll(far));
    world.jitter_max = world.latency_max;
    if (!rough_)
      return;
    world.loss = maybe(200);
    world.grant_loss = roll(300);
    world.doubling = roll(200);
    world.worker_crashes = maybe(30);
    world.silent_deaths = roll(400);
  }

  void set_up_nodes() {
    const auto few = roll(2) ? 4 : 11;
    const auto size = roll(64) == 0 ? 13 + roll(52) : 2 + roll(few);
    for (std::uint64_t n = 0; n < size; ++n) {
      JobConfig config;
      config.slots = n == 1 ? 1 : roll(6) == 0 ? 0 : std::uint32_t(1 + roll(3));
      config.speed = double(1 + roll(16)) / 4;
      config.block_target = std::chrono::milliseconds(20 + roll(80));
      power_ += config.speed * config.slots;
      world.add(config);
    }
    if (seed_ % 4 == 2) // Else they meet as they steal; then few lifelines are laid in time.
      world.acquaint();
  }

  void set_up_jobs() {
    const std::uint64_t some_leaves[] = {1, 2, 3, 5, 7, 64, 100, 1000, 1023, 1024, 4097};
    const auto count = 1 + roll(4);
    const auto roots = 1 + roll(std::min<std::uint64_t>(3, world.size()));
    const double seconds = double(1 + roll(60)) / 10; // Of all nodes, without any loss.
    for (std::uint64_t j = 0; j < count; ++j) {
      const auto leaves = roll(200) == 0 ? (1 << 16) + 1 : some_leaves[roll(11)];
      const auto leaf_ns = std::min(2e9, seconds * 1e9 * power_ / double(count * leaves));
      std::optional<std::uint64_t> poison;
      if (!calm_ && roll(16) == 0)
        poison = roll(leaves);
      const auto form = roll(2) ? roll(3) ? Form::big : Form::ordered : Form::small;
      const auto root = roll(roots);
      const Duration within = roll(2) ? 1ms : 2s;
      const auto at = roll(within);
      const bool cancelled = !calm_ && roll(16) == 0;
      world.later(at, [=, this] {
        const auto id = world.submit(root, leaves, leaf_ns, form, poison);
        if (cancelled)
          world.later(roll(3s), [=, this] { world.cancel(id); });
      });
    }
    trouble_ = std::chrono::milliseconds(2500 + std::int64_t(seconds * 1500));
  }

  void plan_cuts() {
    for (std::uint64_t i = roll(5); i > 0; --i)
      world.later(roll(trouble_), [this] {
        const auto a = some_node();
        world.flap(a, some_node());
      });
    for (std::uint64_t i = roll(3); i > 0; --i)
      world.later(roll(trouble_), [this] { // One way, or both.
        const auto a = some_node();
        const auto b = some_node();
        world.cut(a, b);
        if (roll(2))
          world.cut(b, a);
      });
    if (roll(3) == 0) {
      world.later(roll(trouble_), [this] { part(1 + roll(world.size() - 1)); });
      if (roll(2))
        trouble_ += 20s; // Long enough for reclaims on both sides.
    }
    if (roll(2))
      world.later(roll(trouble_), [this] { world.heal(); });
  }

  void part(Index at) {
    for (Index a = 0; a < world.size(); ++a)
      for (Index b = 0; b < world.size(); ++b)
        if ((a < at) != (b < at))
          world.cut(a, b);
  }

  void plan_deaths() {
    for (std::uint64_t i = 1 + roll(6); i > 0; --i) {
      const auto n = some_node();
      world.later(roll(trouble_), [=, this] { die(n, roll(4) == 0); });
    }
  }

  void plan_pauses() {
    for (std::uint64_t i = 1 + roll(4); i > 0; --i) {
      const auto n = some_node();
      world.later(roll(trouble_), [=, this] {
        world.pause(n);
        world.later(roll(2) ? roll(3s) : roll(trouble_), [=, this] { world.resume(n); });
      });
    }
  }

  void die(Index n, bool orderly) {
    if (!world.alive(n))
      return;
    if (orderly && !world.roots_unfinished(n)) {
      world.leave(n);
      world.later(3s, [=, this] { // Others may have come to need it since.
        world.kill(n);
        if (healed_)
          wake_if_missed(n);
      });
    } else {
      world.kill(n);
    }
    // In the end the dead wake, or at least those that the rest cannot do without.
    const Duration gone = roll(2) ? 2s : 30s;
    if (roll(4))
      world.later(3s + roll(gone), [=, this] { world.restart(n); });
  }

  void heal() {
    world.loss = world.loss ? 20 : 0;
    world.grant_loss = world.worker_crashes = 0;
    world.heal();
    for (Index n = 0; n < world.size(); ++n)
      if (world.alive(n))
        world.resume(n);
      else
        wake_if_missed(n);
    healed_ = true;
  }
  void wake_if_missed(Index n) {
    if (n == 1 || world.roots_unfinished(n) || roll(2))
      world.restart(n);
  }

  // Without any fault nothing is run twice, or refused.
  void check_calm() const {
    const auto& t = world.totals;
    if (t.jobs.leases_reclaimed || t.jobs.leaves_rerun || t.refusals)
      throw Broken("nothing went wrong, yet leases were reclaimed: " +
                   std::to_string(t.jobs.leases_reclaimed) +
                   ", leaves run again: " + std::to_string(t.jobs.leaves_rerun) +
                   ", leases refused: " + std::to_string(t.refusals));
  }

  std::uint64_t seed_;
  std::mt19937_64 dice_;
  bool calm_ = false, rough_ = false, deadly_ = false, healed_ = false;
  double power_ = 0;
  Duration trouble_{};
};

void add(Totals& all, const Totals& one) {
  all.events += one.events;
  all.kills += one.kills;
  all.restarts += one.restarts;
  all.root_restarts += one.root_restarts;
  all.leaves += one.leaves;
  all.cuts += one.cuts;
  all.lost_messages += one.lost_messages;
  all.lost_grants += one.lost_grants;
  all.doubled += one.doubled;
  all.refusals += one.refusals;
  all.crashes += one.crashes;
  all.pulls += one.pulls;
  all.blobs_gone += one.blobs_gone;
  all.ended += one.ended;
  all.outputs_excused += one.outputs_excused;
  all.pauses += one.pauses;
  all.add(one.jobs);
}

void print(std::uint64_t seeds, const Totals& t) {
  const auto& j = t.jobs;
  std::printf("%llu seeds: %llu jobs, %llu events\n", (unsigned long long)seeds,
              (unsigned long long)t.ended, (unsigned long long)t.events);
  const std::pair<const char*, std::uint64_t> rows[] = {
      {"kills", t.kills},
      {"restarts", t.restarts},
      {"root restarts", t.root_restarts},
      {"orderly leaves", t.leaves},
      {"pauses", t.pauses},
      {"one-way cuts", t.cuts},
      {"lost messages", t.lost_messages},
      {"lost grants", t.lost_grants},
      {"doubled messages", t.doubled},
      {"refusals", t.refusals},
      {"worker crashes", t.crashes},
      {"blob pulls", t.pulls},
      {"blobs gone", t.blobs_gone},
      {"copies asked", j.copies_asked},
      {"outputs lost", j.outputs_lost},
      {"lost unnoticed", t.outputs_excused},
      {"steals", j.steals},
      {"leases given", j.leases_given},
      {"leases returned", j.leases_returned},
      {"reclaims", j.leases_reclaimed},
      {"voids", j.leases_void},
      {"hand-backs", j.hand_backs},
      {"merges", j.merges},
      {"duplicates", j.duplicates},
      {"overlaps", j.overlaps},
      {"reruns", j.leaves_rerun},
  };
  for (const auto& [name, count] : rows)
    std::printf("  %-18s%llu\n", name, (unsigned long long)count);
  std::fflush(stdout);
}

} // namespace

TEST_CASE("whatever goes wrong, each job ends once, with the bytes of the serial run") {
  std::signal(SIGABRT, say_seed_and_abort);
  const auto first = number_from("TESSERA_SEED", 1); // One seed, or the first of TESSERA_SEEDS.
  const auto seeds = number_from("TESSERA_SEEDS", std::getenv("TESSERA_SEED") ? 1 : 2000);
  std::uint64_t failures_left = number_from("TESSERA_FAILURES", 10);
  Totals all;
  for (std::uint64_t seed = first; seed < first + seeds && failures_left > 0; ++seed) {
    current_seed = seed;
    Play play(seed);
    play.world.trace = std::getenv("TESSERA_TRACE") != nullptr;
    try {
      play.run();
    } catch (const Broken& broken) {
      --failures_left;
      const std::string story = broken.what();
      FAIL_CHECK("seed " << seed << ": " << story);
    }
    add(all, play.world.totals);
  }
  print(seeds, all);
  if (seeds < 200)
    return;
  for (const auto count :
       {all.kills, all.restarts, all.root_restarts, all.leaves, all.pauses, all.cuts,
        all.lost_grants, all.doubled, all.crashes, all.blobs_gone, all.jobs.steals,
        all.jobs.hand_backs, all.jobs.leases_reclaimed, all.jobs.leases_void, all.jobs.duplicates,
        all.jobs.overlaps, all.jobs.leaves_rerun, all.jobs.copies_asked, all.jobs.outputs_lost})
    CHECK(count > 0);
}

// 4444: a merged block whose bytes were gone had replaced what an earlier result told. 4625, 6859:
// a root, and the only worker, left in good order and died when all else was healed already.
TEST_CASE("seeds that once failed") {
  for (const std::uint64_t seed : {4444, 4625, 6859}) {
    CAPTURE(seed);
    CHECK_NOTHROW(Play(seed).run());
  }
}

TEST_CASE("one seed is one history") {
  for (const std::uint64_t seed : {11, 12, 13, 14}) {
    Play a(seed), b(seed);
    a.run();
    b.run();
    CHECK(a.world.totals.events == b.world.totals.events);
    CHECK(a.world.leaves_by_node() == b.world.leaves_by_node());
  }
}
