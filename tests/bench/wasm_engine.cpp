#include "node/kernels/block_run.hpp"
#include "node/worker/wasm/module_run.hpp"
#include "tests/support/wat.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <limits>

// What the WebAssembly engine costs, the best of several rounds on one core: wasm_engine_bench.
// Needs wat2wasm.
namespace {

using namespace tessera;
using namespace tessera::wasm;

double now_ns() { // Of this thread's CPU time: others may be busy.
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) * 1e9 + double(t.tv_nsec);
}

void must(bool holds, const char* what) {
  if (holds)
    return;
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}

// Nanoseconds for each of `times` in the fastest of five rounds.
template<class Work>
double best_ns(double times, Work work) {
  auto best = std::numeric_limits<double>::max();
  for (int round = 0; round != 5; ++round) {
    const auto start = now_ns();
    work();
    best = std::min(best, now_ns() - start);
  }
  return best / times;
}

std::shared_ptr<Module> compiled(Engine& engine, const Bytes& bytes, Mode mode = {},
                                 const Limits& limits = {}) {
  auto module = Module::compile(engine, "bench.wasm", bytes, limits, mode);
  must(module.ok(), module ? "" : to_text(module.error()).c_str());
  return *module;
}

const char* const empty_run = "(func (export \"run\") (result i32) (i32.const 0))";

const char* const microtask = R"((func (export "run") (result i32)
  (drop (call $read (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 16)))
  (call $write (i32.const 0) (i32.const 8))
  (i32.const 0)))";

const char* const asks = R"((func (export "run") (result i32) (local $i i32)
  (loop $more
    (drop (call $len (i32.const 1)))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $i) (i32.const 1000000))))
  (i32.const 0)))";

const char* const makes_nan = R"((global $zero (mut f64) (f64.const 0))
  (func (export "run") (result i32)
    (f64.store (i32.const 0) (f64.div (global.get $zero) (global.get $zero)))
    (call $write (i32.const 0) (i32.const 8))
    (i32.const 0)))";

double call_ns(const std::shared_ptr<Module>& module, const ModuleJob& job, int calls) {
  ModuleRun run{module, job};
  Bytes out;
  return best_ns(calls, [&] {
    for (int i = 0; i != calls; ++i) {
      out.clear();
      must(run.run(std::uint64_t(i), std::uint64_t(i) + 1, out).ok(), "a call failed");
    }
  });
}

double block_ns(const std::shared_ptr<Module>& module, std::uint64_t leaves) {
  ModuleRun run{module, {.merge = *Merge::named("sum_i64")}};
  BlockRun blocks;
  const auto cut = *Leaves::of(leaves, 1);
  return best_ns(double(leaves), [&] {
    must(blocks.run(run, cut, cut.tree.root(), false).ok(), "a block failed");
  });
}

// Many middling functions, for the compiler.
Bytes bulky(int functions) {
  std::string text;
  for (int i = 0; i != functions; ++i)
    text += R"((func (param i32 i64) (result i64) (local $s i64)
      (loop $more
        (local.set $s (i64.add (i64.mul (local.get $s) (i64.const 31)) (i64.load (local.get 0))))
        (i64.store offset=8 (local.get 0) (i64.xor (local.get $s) (local.get 1)))
        (local.set 0 (i32.add (local.get 0) (i32.const 16)))
        (if (i64.eqz (i64.and (local.get $s) (i64.const 1023)))
          (then (local.set 1 (i64.rotl (local.get $s) (local.get 1)))))
        (br_if $more (i32.lt_u (local.get 0) (i32.const 60000))))
      (i64.add (local.get $s) (local.get 1))))";
  return rig::kernel(text + empty_run, "");
}

void report_compile(Engine& engine) {
  for (const int functions : {10, 100, 1000}) {
    const auto bytes = bulky(functions);
    for (const bool canonical : {false, true}) {
      const auto ns = best_ns(1, [&] { compiled(engine, bytes, {canonical, false}); });
      std::printf("compile %-10s %8.1f KB %8.2f ms %6.2f ms/KB\n",
                  canonical ? "canonical" : "plain", double(bytes.size()) / 1024, ns / 1e6,
                  ns / 1e6 / (double(bytes.size()) / 1024));
    }
  }
}

void report_start(Engine& engine) {
  const auto module = compiled(engine, rig::kernel(microtask));
  std::printf("engine warm-up      %8.2f ms\n", best_ns(1, [] {
                                                  Engine fresh;
                                                  must(fresh.warm_up().ok(), "no engine");
                                                }) / 1e6);
  std::printf("instance            %8.2f us\n", best_ns(1000, [&] {
                                                  for (int i = 0; i != 1000; ++i)
                                                    must(Instance::make(*module, {}).ok(), "none");
                                                }) / 1e3);
}

void report_calls(Engine& engine) {
  constexpr int many = 1'000'000;
  const auto task = rig::kernel(microtask);
  std::printf("empty call          %8.1f ns\n",
              call_ns(compiled(engine, rig::kernel(empty_run)), {}, many));
  std::printf("host call           %8.1f ns\n",
              call_ns(compiled(engine, rig::kernel(asks)), {}, 1) / 1e6);
  std::printf("empty microtask     %8.1f ns\n", call_ns(compiled(engine, task), {}, many));
  std::printf("  with its merge    %8.1f ns\n", block_ns(compiled(engine, task), many));
  std::printf("  with nan=strict   %8.1f ns\n",
              call_ns(compiled(engine, task), {.strict_nans = true}, many));
  std::printf("  with fuel         %8.1f ns\n",
              call_ns(compiled(engine, task, {false, true}, {.fuel = 1000}), {}, many));
  std::printf("  run again for NaN %8.1f ns\n",
              call_ns(compiled(engine, rig::kernel(makes_nan)), {}, many));
}

} // namespace

int main() {
  Engine engine;
  must(engine.warm_up().ok(), "no engine on this machine");
  report_calls(engine);
  report_start(engine);
  report_compile(engine);
}
