#include "tests/node/engine/hostile_rig.hpp"

#include <array>
#include <set>
#include <sys/mman.h>

using namespace tessera;
using namespace tessera::rig;
using namespace tessera::wasm;

namespace {

constexpr Limits small{
    .memory_bytes = 1 << 20, .table_elements = 100, .output_bytes = 10'000, .fuel = 100'000};

// One of every section, and an instruction of most sorts.
const char* const every_section = R"(
  (type $unary (func (param f64) (result f64)))
  (table $t 4 8 funcref)
  (elem (i32.const 1) $root $half)
  (global $count (mut i32) (i32.const 3))
  (data (i32.const 64) "\01\02\03\04 some bytes of data")
  (data $late "more")
  (func $root (param f64) (result f64) (f64.sqrt (local.get 0)))
  (func $half (param f64) (result f64) (f64.div (local.get 0) (f64.const 2)))
  (func $begin (global.set $count (i32.const 4)) (memory.init $late (i32.const 96) (i32.const 0) (i32.const 4)))
  (start $begin)
  (func $swap (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
  (func (export "_initialize") (i32.store (i32.const 0) (i32.const 7)))
  (func (export "run") (result i32) (local $i i32) (local $x f64) (local $v v128)
    (local.set $x (f64.convert_i32_u (call $len (i32.const 1))))
    (block $out
      (loop $more
        (local.set $x (call_indirect $t (type $unary) (local.get $x)
          (i32.add (i32.const 1) (i32.and (local.get $i) (i32.const 1)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_table $more $out (i32.ge_u (local.get $i) (global.get $count)))))
    (local.set $v (f32x4.add (f32x4.splat (f32.demote_f64 (local.get $x))) (v128.load (i32.const 64))))
    (v128.store offset=4 (i32.const 4) (local.get $v))
    (drop (drop (call $swap (i32.const 1) (i64.extend_i32_s (local.get $i)))))
    (memory.copy (i32.const 32) (i32.const 4) (i32.const 16))
    (drop (memory.grow (i32.const 1)))
    (call $write (i32.const 32) (select (i32.const 8) (i32.const 16) (local.get $i)))
    (i32.const 0))
  (func (export "merge") (result i32)
    (drop (call $read (i32.const 1) (i32.const 0) (i32.const 128) (i32.const 8)))
    (call $write (i32.const 128) (i32.const 8))
    (i32.const 0)))";

// What the parent sees of a child that is at it, or that died.
struct Progress {
  std::uint32_t at = 0, way = 0; // Of the damage under way.
  std::uint32_t refused = 0, failed = 0, ran = 0, odd = 0;
  std::uint64_t slowest_ns = 0;
};

std::uint64_t cpu_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return std::uint64_t(t.tv_sec) * 1'000'000'000 + std::uint64_t(t.tv_nsec);
}

void one(const Bytes& bytes, Progress& progress) {
  static const std::set<std::string> refusals{"E501", "E502", "E503", "E512"},
      failures{"E720", "E721", "E722", "E723", "E724", "E726", "E727", "E728"};
  const auto start = cpu_ns();
  const auto module = Module::compile(engine(), "task.wasm", bytes, small, {false, true});
  if (!module) {
    ++(refusals.contains(module.error().code) ? progress.refused : progress.odd);
  } else {
    ModuleRun run{*module, {}};
    Bytes out;
    const auto ran = run.run(0, 1, out);
    const bool known = ran || (out.empty() && failures.contains(ran.error().code));
    ++(ran ? progress.ran : known ? progress.failed : progress.odd);
  }
  progress.slowest_ns = std::max(progress.slowest_ns, cpu_ns() - start);
}

// Each byte in turn: each of its bits the other way, all of them, and the module cut off before it.
constexpr std::array<std::uint8_t, 9> flips{1, 2, 4, 8, 16, 32, 64, 128, 255};

int damage_all(const Bytes& good, Progress& progress) {
  for (progress.at = 0; progress.at != good.size(); ++progress.at) {
    auto bytes = good;
    for (progress.way = 0; progress.way != flips.size(); ++progress.way) {
      bytes[progress.at] = good[progress.at] ^ flips[progress.way];
      one(bytes, progress);
    }
    bytes.resize(progress.at);
    one(bytes, progress);
  }
  return 0;
}

struct Shared {
  Progress& it = *new (::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Progress;
  ~Shared() { ::munmap(&it, sizeof it); }
};

void check_all_damage(const Bytes& good) {
  const Shared shared;
  const auto& progress = shared.it;
  const Pair line;
  const auto child = shut_in(
      hostile_worker, line.theirs.get(), [&] { return damage_all(good, shared.it); }, warm);
  const auto gone = watch(child);
  CHECK(readable(gone.get()));
  ::kill(child, SIGKILL);
  int status = 0;
  rusage used{};
  ::wait4(child, &status, 0, &used);
  INFO("at byte " << progress.at << ", by way " << progress.way << ": " << fate(status));
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  CHECK(progress.odd == 0);
  CHECK(progress.refused > good.size());
  CHECK(progress.ran > 0);
  CHECK(progress.slowest_ns < 1'000'000'000);
  CHECK((sanitized || used.ru_maxrss < 64 * 1024));
  MESSAGE(good.size() << " bytes: " << progress.refused << " refused, " << progress.failed
                      << " failed, " << progress.ran << " ran; the slowest took "
                      << progress.slowest_ns / 1000 << " us, all of it " << used.ru_maxrss / 1024
                      << " MiB");
}

} // namespace

TEST_CASE("a module of every section, damaged at each byte, ends no worker and takes no more than "
          "it may") {
  check_all_damage(kernel(every_section, ""));
}

TEST_CASE("a module with names for its functions, damaged at each byte, does so neither") {
  check_all_damage(kernel(R"((func $deeper (param i32) (result i32)
      (if (local.get 0) (then (unreachable))) (i32.const 0))
    (func $middle (param i32) (result i32) (call $deeper (local.get 0)))
    (func (export "run") (result i32) (call $middle (call $len (i32.const 0)))))"));
}
