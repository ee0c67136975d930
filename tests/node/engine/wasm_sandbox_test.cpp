#include "tests/node/engine/engine_rig.hpp"
#include "tests/node/sandbox_rig.hpp"

using namespace tessera;
using namespace tessera::rig;
using namespace tessera::wasm;

namespace {

constexpr WorkerLimits for_modules{.memory_bytes = 256 << 20, .modules = true};

void warm() {
  if (!engine().warm_up())
    ::_exit(98);
}

// What a call into this module yields in the sandbox: "" or an error's code.
std::string outcome(const Bytes& bytes, const ModuleJob& job = {}) {
  const auto module = Module::compile(engine(), "task.wasm", bytes, {.memory_bytes = 4ull << 30});
  if (!module)
    return module.error().code;
  ModuleRun run{*module, job};
  Bytes out;
  const auto ran = run.run(0, 1, out);
  return ran ? text_of(out).substr(0, 4) == "done" ? "" : "other bytes" : ran.error().code;
}

Bytes ends_well(const std::string& body) {
  return kernel("(data (i32.const 0) \"done\") (global $zero (mut f64) (f64.const 0))"
                "(func $deep (result i32) (i32.add (i32.const 1) (call $deep)))"
                "(func (export \"run\") (result i32)" +
                body + "(call $write (i32.const 0) (i32.const 4)) (i32.const 0))");
}

// Made outside, since wat2wasm is another program.
const Bytes plain = ends_well("");

} // namespace

TEST_CASE("under the filter a module compiles and runs, traps and all") {
  const auto grows = ends_well("(drop (memory.grow (i32.const 1000)))"
                               "(i64.store (i32.const 65000000) (i64.const 1))");
  const auto makes_nan =
      ends_well("(f64.store (i32.const 100) (f64.div (global.get $zero) (global.get $zero)))");
  const auto traps = ends_well("(unreachable)"), recurses = ends_well("(drop (call $deep))"),
             reaches = ends_well("(drop (i32.load (i32.const -4)))"),
             divides = ends_well("(drop (i32.div_u (i32.const 1) (i32.load (i32.const 100))))");
  const auto status = fate_of(
      [&](int) {
        for (int i = 0; i != 3; ++i) {
          if (outcome(plain) != "" || outcome(grows) != "" || outcome(makes_nan) != "")
            return 1;
          if (outcome(plain, {.strict_nans = true}) != "")
            return 2;
          if (outcome(traps) != "E720" || outcome(reaches) != "E720" || outcome(divides) != "E720")
            return 3;
          if (outcome(recurses) != "E721")
            return 4;
        }
        return 0;
      },
      for_modules, warm);
  INFO("status " << status);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("where modules are not to run, making code kills the process") {
  const auto status = fate_of([&](int) { return outcome(plain) == "" ? 0 : 1; }, {}, warm);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGSYS);
}

TEST_CASE("an engine that is not warm is killed, and not let to set signal handlers") {
  const auto status = fate_of([&](int) { return outcome(plain) == "" ? 0 : 1; }, for_modules);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGSYS);
}

TEST_CASE("memory that the machine refuses fails the call, and the worker lives") {
  if (sanitized) {
    MESSAGE("skipped: sanitizers need the address space that this limit takes");
    return;
  }
  // A worker that may have 256 MiB, and a module of 300 that would carry on with less: its bytes
  // would be others than those of a machine that has them.
  const auto greedy = ends_well("(drop (memory.grow (i32.const 4800)))");
  const auto from_start = wat("(module (memory (export \"memory\") 4800)"
                              "(func (export \"run\") (result i32) (i32.const 0)))");
  const auto modest = ends_well("(if (i32.eq (memory.grow (i32.const 1600)) (i32.const -1))"
                                " (then (return (i32.const 8))))"
                                "(i64.store (i32.const 100000000) (i64.const 1))");
  const auto status = fate_of(
      [&](int) {
        for (int i = 0; i != 5; ++i)
          if (outcome(greedy) != "E712" || outcome(from_start) != "E712" || outcome(modest) != "")
            return 1;
        return 0;
      },
      for_modules, warm);
  INFO("status " << status);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("as many modules as a worker may have open find room") {
  const auto status = fate_of(
      [&](int) {
        const auto module = *Module::compile(engine(), "task.wasm", plain, {});
        std::vector<std::unique_ptr<Instance>> open;
        for (std::size_t i = 0; i != 2 * open_jobs_max; ++i) {
          auto instance = Instance::make(*module, {i % 2 == 0, false});
          Bytes out;
          if (!instance || !(*instance)->call(Entry::run, {}, out))
            return 1;
          open.push_back(std::move(*instance));
        }
        return 0;
      },
      for_modules, warm);
  INFO("status " << status);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
