#include "tests/node/engine/hostile_rig.hpp"

using namespace tessera;
using namespace tessera::rig;
using namespace tessera::wasm;

namespace {

constexpr double MiB = 1 << 20;
constexpr Milliseconds loop_time{300}; // Of what has no end.

const Corpus& corpus() {
  static const Corpus one;
  return one;
}

bool among(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

Times times_of(const Expected& expected) {
  Times times;
  if (among(expected.seen, "time"))
    times.run = loop_time;
  return times;
}

void print(const Expected& expected, const Ending& e) {
  std::printf("%-25s %-7s %-22.22s %7.0f ms %5.0f MiB\n", expected.name.c_str(),
              outcome_of(e.seen).c_str(), e.seen.c_str(), e.ms, double(e.peak_bytes) / MiB);
  std::fflush(stdout);
}

bool printable(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c == '\n' || std::uint8_t(c) >= 0x20; });
}

void check_error(const std::string& error) {
  INFO(error);
  CHECK(std::count(error.begin(), error.end(), '\n') == 2);
  CHECK(error.size() < 2000);
  CHECK(printable(error));
}

void check(const Expected& expected, const Ending& e) {
  CAPTURE(expected.name);
  CAPTURE(e.seen.substr(0, 100));
  CHECK(among(expected.outcomes, outcome_of(e.seen)));
  CHECK(
      (among(expected.seen, e.seen) || (e.seen.starts_with('=') && among(expected.seen, "=any"))));
  if (!e.error.empty())
    check_error(e.error);
  CHECK(e.late_ms < 1000);
  CHECK((sanitized || double(e.peak_bytes) < 1.1 * double(Limits{}.memory_bytes)));
}

} // namespace

TEST_CASE("each hostile module ends as EXPECT says, in its time and its memory") {
  const auto all = expectations();
  REQUIRE(all.size() > 100);
  for (const auto& expected : all) {
    const auto e = run_hostile(corpus().module(expected.name), expected.as, {}, times_of(expected));
    print(expected, e);
    check(expected, e);
  }
}

TEST_CASE("NaNs of a module's own making have the same bits in strict code, and those that it "
          "brings one pattern") {
  const auto seen = [](const std::string& name, bool strict) {
    return run_hostile(corpus().module(name), "range", {.strict_nans = strict}, {}).seen;
  };
  for (const auto* name : {"nan_made", "nan_simd", "nan_signalling", "nan_traps"})
    CHECK(seen(name, true) == seen(name, false));
  CHECK(seen("nan_loops", true) ==
        in_full("=0000000000000000")); // Which plain code never comes to.
  CHECK(seen("nan_quiet", true) == in_full("=000000000000f87f"));
}

TEST_CASE(
    "how far a memory grows is the job's word alone: a machine that has less fails the call") {
  if (sanitized) {
    MESSAGE("skipped: sanitizers need the address space that this limit takes");
    return;
  }
  const auto grows = kernel(R"((func (export "run") (result i32)
    (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    (i32.store (i32.const 0) (memory.size))
    (call $write (i32.const 0) (i32.const 4))
    (i32.const 0)))");
  const auto seen = [&](std::uint64_t worker_bytes) {
    return run_hostile(grows, "range", {}, {}, {.memory_bytes = worker_bytes, .modules = true})
        .seen;
  };
  // From 1 page by 16 to 4081: the next step is past the 4096 of the limit.
  CHECK(seen(768 << 20) == in_full("=f10f0000"));
  CHECK(seen(1536 << 20) == in_full("=f10f0000"));
  CHECK(seen(200 << 20) == "E712");
}
