#include "crypto/little_endian.hpp"
#include "node/kernels/block_run.hpp"
#include "tests/node/engine/engine_rig.hpp"

using namespace tessera;
using namespace tessera::wasm;
using rig::compiled;
using rig::engine;
using rig::kernel;
using rig::wat;

namespace {

// What one leaf yields, or why it fails.
Result<Bytes> leaf(const Bytes& bytes, const Limits& limits = {}, const ModuleJob& job = {}) {
  ModuleRun run{compiled(bytes, limits), job};
  Bytes out;
  if (auto ran = run.run(3, 7, out); !ran) {
    CHECK(out.empty());
    return ran.error();
  }
  return out;
}

// The sum of i * i over the range, with its own merge.
const char* const squares = R"(
  (func (export "run") (result i32) (local $i i64) (local $end i64) (local $s i64)
    (if (i32.ne (call $read (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 16))
                (i32.const 16)) (then (return (i32.const 2))))
    (local.set $i (i64.load (i32.const 0)))
    (local.set $end (i64.load (i32.const 8)))
    (block $done (loop $more
      (br_if $done (i64.ge_u (local.get $i) (local.get $end)))
      (local.set $s (i64.add (local.get $s) (i64.mul (local.get $i) (local.get $i))))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br $more)))
    (i64.store (i32.const 0) (local.get $s))
    (call $write (i32.const 0) (i32.const 8))
    (i32.const 0))
  (func (export "merge") (result i32)
    (drop (call $read (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 8)))
    (drop (call $read (i32.const 2) (i32.const 0) (i32.const 8) (i32.const 8)))
    (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.load (i32.const 8))))
    (call $write (i32.const 0) (i32.const 8))
    (i32.const 0)))";

std::uint64_t sum_of_squares(std::uint64_t end) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i != end; ++i)
    sum += i * i;
  return sum;
}

// A run of nothing but this; its result is 0 unless it returns.
Bytes runs(const std::string& body, const std::string& more = "") {
  return kernel(more + "(func (export \"run\") (result i32)" + body + "(i32.const 0))");
}

std::string code_of(const Result<Bytes>& result) {
  return result ? "" : result.error().code;
}

} // namespace

TEST_CASE("a block's leaves run and merge as those of a native kernel do") {
  const auto module = compiled(kernel(squares));
  for (const std::uint64_t leaf_items : {1, 7, 64, 1000}) {
    CAPTURE(leaf_items);
    ModuleRun run{module, {}};
    BlockRun blocks;
    const auto leaves = *Leaves::of(1000, leaf_items);
    REQUIRE(blocks.run(run, leaves, leaves.tree.root(), false).ok());
    REQUIRE(blocks.partial().size() == 8);
    CHECK(get<std::uint64_t>(blocks.partial(), 0) == sum_of_squares(1000));
    CHECK(run.totals().calls == 2 * leaves.tree.leaves() - 1);
    CHECK(run.totals().calls_again == 0);
    CHECK(run.totals().memory_bytes_max == page_bytes);
  }
}

TEST_CASE("without a merge of its own a module gets the job's") {
  const auto only_run =
      std::string{squares}.substr(0, std::string{squares}.find("(func (export \"merge\")"));
  ModuleRun run{compiled(kernel(only_run)), {.merge = *Merge::named("sum_i64")}};
  BlockRun blocks;
  const auto leaves = *Leaves::of(1000, 13);
  REQUIRE(blocks.run(run, leaves, leaves.tree.root(), false).ok());
  Bytes result;
  REQUIRE(run.finish(blocks.partial(), result).ok());
  CHECK(get<std::uint64_t>(result, 0) == sum_of_squares(1000));
  CHECK(run.merge(Bytes(8), Bytes(7), result).error().code == "E711");
}

TEST_CASE("slots hold what the ABI says, and a read past an end answers what is there") {
  const auto echo = runs(R"(
    (local $slot i32) (local $n i32)
    (loop $next
      (local.set $n (call $read (local.get $slot) (i32.const 1) (i32.const 0) (i32.const 100)))
      (i32.store8 (i32.const 200) (call $len (local.get $slot)))
      (call $write (i32.const 200) (i32.const 1))
      (call $write (i32.const 0) (local.get $n))
      (local.set $slot (i32.add (local.get $slot) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $slot) (i32.const 3)))))");
  const auto params = view("abc"), input = view("record");
  const auto range = leaf(echo, {}, {.params = params, .input = input});
  REQUIRE(range.ok());
  CHECK(text_of(*range) == std::string("\3bc\x10\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\6ecord", 25));
  const auto records =
      leaf(echo, {}, {.params = params, .input = view("0011223344556"), .record_bytes = 2});
  REQUIRE(records.ok());
  CHECK(text_of(*records) == std::string("\3bc\7"
                                         "344556\0",
                                         11)); // Records 3 ... 6.
}

TEST_CASE("what a host call is passed is never believed") {
  const struct {
    const char *call, *says;
  } bad[] = {
      {"(drop (call $len (i32.const 3)))", "misused len"},
      {"(drop (call $len (i32.const -1)))", "slot -1"},
      {"(drop (call $read (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1)))", "slot 3"},
      {"(drop (call $read (i32.const 0) (i32.const 0) (i32.const 65535) (i32.const 2)))",
       "bytes 65535 to 65537 of a memory of 65536"},
      {"(drop (call $read (i32.const 0) (i32.const -1) (i32.const -1) (i32.const -1)))", "read"},
      {"(drop (call $read (i32.const 1) (i32.const 0) (i32.const 65536) (i32.const 1)))", "read"},
      {"(call $write (i32.const 65536) (i32.const 1))", "misused write"},
      {"(call $write (i32.const 0) (i32.const 65537))", "misused write"},
      {"(call $write (i32.const -1) (i32.const -1))", "bytes 4294967295 to 8589934590"},
      {"(call $spawn (i32.const -1) (i32.const 2))", "misused spawn"},
      {"(call $spawn (i32.const 0) (i32.const 1))", "only run in a tree job may"},
      {"(call $fail (i32.const 1) (i32.const -1))", "misused fail"},
  };
  for (const auto& b : bad) {
    CAPTURE(b.call);
    const auto result =
        leaf(runs(std::string{"(call $write (i32.const 0) (i32.const 4))"} + b.call));
    REQUIRE(code_of(result) == "E728");
    CHECK(to_text(result.error()).find(b.says) != std::string::npos);
    CHECK(result.error().what.find("at items 3 to 6") != std::string::npos);
  }
  const auto edges = leaf(runs(R"(
    (drop (call $read (i32.const 0) (i32.const -1) (i32.const 65536) (i32.const 0)))
    (call $write (i32.const 65536) (i32.const 0))
    (call $write (i32.const 0) (i32.const 65536)))"));
  REQUIRE(edges.ok());
  CHECK(edges->size() == 65536);
}

TEST_CASE("a slot that 32 bits cannot count is refused before the call") {
  const auto module = compiled(runs(""));
  const auto instance = *Instance::make(*module, {});
  const std::uint8_t byte = 0;
  Bytes out; // The view is not looked into.
  const auto called = instance->call(Entry::run, {{}, {&byte, std::size_t{1} << 32}, {}}, out);
  REQUIRE_FALSE(called.ok());
  CHECK(called.error().code == "E730");
}

TEST_CASE("output and children stop at their limits") {
  const auto flood = runs("(loop $l (call $write (i32.const 0) (i32.const 1000)) (br $l))");
  Limits limits;
  limits.output_bytes = 10'500;
  CHECK(code_of(leaf(flood, limits)) == "E724");
  limits.spawned_tasks = 5;
  limits.spawned_bytes = 100;
  const struct {
    int times, size;
    const char* code;
  } cases[] = {{5, 20, ""}, {6, 1, "E725"}, {2, 51, "E725"}, {5, 0, ""}, {6, 0, "E725"}};
  for (const auto& c : cases) {
    CAPTURE(c.times);
    CAPTURE(c.size);
    std::string body;
    for (int i = 0; i != c.times; ++i)
      body += "(call $spawn (i32.const 0) (i32.const " + std::to_string(c.size) + "))";
    ModuleRun run{compiled(runs(body), limits), {}};
    std::vector<Bytes> children(1);
    Bytes out;
    const auto ran = run.task(view("task"), out, children);
    CHECK((ran ? "" : ran.error().code) == c.code);
    CHECK(children.size() == 1 + (ran ? std::size_t(c.times) : 0));
    // What one call spawned does not count for the next.
    CHECK(run.task(view("task"), out, children).ok() == ran.ok());
  }
}

TEST_CASE("a module's own words reach the submitter, in one plain line") {
  const auto says = [](const std::string& text, int size) {
    return leaf(runs("(call $fail (i32.const 16) (i32.const " + std::to_string(size) + "))",
                     "(data (i32.const 16) \"" + text + "\")"));
  };
  const auto plain = says("row 7 is odd", 12);
  REQUIRE(code_of(plain) == "E726");
  CHECK(plain.error().why.starts_with("it says: row 7 is odd; in run (at 0x"));
  CHECK(
      says("a\\n\\1b[31mb\\ff\\c3\\a9", 11).error().why.starts_with("it says: a  [31mb?\xc3\xa9;"));
  CHECK(says("", 60'000).error().why.size() < 700);
  CHECK(says("", 0).error().why.starts_with("it gave no reason"));
  CHECK(code_of(leaf(runs("(return (i32.const 5))"))) == "E727");
  CHECK(leaf(runs("(return (i32.const -5))")).error().what.find("run failed with -5") !=
        std::string::npos);
}

TEST_CASE("a trap tells where it was, by names") {
  const std::string body = R"(
    (func $divide (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
    (func $middle (result i32) (i32.add (i32.const 1) (call $divide (i32.const 0))))
    (func (export "run") (result i32) (call $middle)))";
  const auto named = leaf(kernel(body));
  REQUIRE(code_of(named) == "E720");
  CHECK(named.error().what.starts_with("the module trapped in run: an integer division by zero"));
  CHECK(named.error().why.starts_with("in divide (at 0x"));
  CHECK(named.error().why.find(" < middle (at 0x") != std::string::npos);
  CHECK(named.error().why.find(" < function 7 (at 0x") == std::string::npos);
  const auto stripped = leaf(kernel(body, ""));
  CHECK(stripped.error().why.starts_with("in function 5 (at 0x"));
  CHECK(stripped.error().why.find(" < run (at 0x") != std::string::npos);
}

TEST_CASE("each kind of trap has its words") {
  const struct {
    const char *body, *words;
  } cases[] = {
      {"(unreachable)", "unreachable"},
      {"(drop (i32.load (i32.const 65533)))", "outside of its memory"},
      {"(drop (i64.load offset=0xffffffff (i32.const -1)))", "outside of its memory"},
      {"(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))", "overflow"},
      {"(drop (i32.trunc_f64_s (f64.const nan)))", "conversion to integer"},
      {"(call_indirect (i32.const 9))", "outside of a table"},
      {"(call_indirect (i32.const 0))", "null function pointer"},
      {"(call_indirect (i32.const 1))", "of another type"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.body);
    const auto result = leaf(runs(c.body, "(table 2 2 funcref) (elem (i32.const 1) $len)"));
    REQUIRE(code_of(result) == "E720");
    CHECK(result.error().what.find(c.words) != std::string::npos);
  }
}

TEST_CASE("a stack that is full is told apart, and the process lives") {
  const auto result = leaf(kernel(R"(
    (func $down (param i32) (result i32) (i32.add (i32.const 1) (call $down (local.get 0))))
    (func (export "run") (result i32) (call $down (i32.const 1))))"));
  REQUIRE(code_of(result) == "E721");
  CHECK(result.error().why.find(" < ...") != std::string::npos);
}

TEST_CASE("fuel is counted only when asked for, and ends a loop") {
  const auto bytes = kernel(squares);
  Limits limits;
  limits.fuel = 10'000;
  CHECK(code_of(leaf(runs("(loop $l (br $l))"), limits)) == "E722");
  ModuleRun counted{compiled(bytes, limits), {}},
      strict{compiled(bytes, limits), {.strict_nans = true}}, free{compiled(bytes), {}};
  Bytes out;
  for (auto* run : {&counted, &strict, &free})
    for (const std::uint64_t begin : {0, 10, 20})
      REQUIRE(run->run(begin, begin + 10, out).ok());
  CHECK(free.totals().fuel == 0);
  CHECK(counted.totals().fuel > 300);
  CHECK(counted.totals().fuel < 900);
  CHECK(counted.totals().fuel == strict.totals().fuel);
}

TEST_CASE("memory and tables grow to their limits, and the module hears where they end") {
  Limits limits;
  limits.memory_bytes = 4 * page_bytes;
  limits.table_elements = 10;
  const auto grows = leaf(runs(R"(
    (i32.store (i32.const 0) (memory.grow (i32.const 3)))
    (i32.store (i32.const 4) (memory.grow (i32.const 1)))
    (i32.store (i32.const 8) (table.grow 0 (ref.null func) (i32.const 8)))
    (i32.store (i32.const 12) (table.grow 0 (ref.null func) (i32.const 1)))
    (call $write (i32.const 0) (i32.const 16)))",
                               "(table 2 funcref)"),
                          limits);
  REQUIRE(grows.ok());
  CHECK(to_hex(*grows) == "01000000ffffffff02000000ffffffff");
  limits.memory_bytes = page_bytes - 1;
  CHECK(Module::compile(engine(), "task.wasm", runs(""), limits).error().code == "E512");
}

TEST_CASE("an instance is initialised once, before its first call") {
  ModuleRun run{compiled(kernel(R"(
    (global $n (mut i32) (i32.const 0))
    (func (export "_initialize") (global.set $n (i32.add (global.get $n) (i32.const 40))))
    (func (export "run") (result i32)
      (i32.store8 (i32.const 0) (global.get $n)) (call $write (i32.const 0) (i32.const 1)) (i32.const 0)))")),
                {}};
  Bytes out;
  REQUIRE(run.run(0, 1, out).ok());
  REQUIRE(run.run(1, 2, out).ok());
  CHECK(text_of(out) == "((");
}

TEST_CASE("a start function may fail, and may not write") {
  const auto starts = [](const std::string& body) {
    return code_of(leaf(runs("", "(func $s " + body + ") (start $s)")));
  };
  CHECK(starts("(unreachable)") == "E720");
  CHECK(starts("(call $fail (i32.const 0) (i32.const 4))") == "E726");
  CHECK(starts("(call $write (i32.const 0) (i32.const 4))") == "E728");
  CHECK(starts("(call $spawn (i32.const 0) (i32.const 4))") == "E728");
  CHECK(starts("(call $fail (i32.const 65536) (i32.const 4))") == "E728");
  CHECK(starts("(drop (call $len (i32.const 1)))") == "");
}

TEST_CASE("after a failure the next call finds a fresh instance") {
  ModuleRun run{compiled(kernel(R"(
    (global $n (mut i32) (i32.const 0))
    (func (export "run") (result i32)
      (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (if (i32.eq (global.get $n) (i32.const 3)) (then (unreachable)))
      (i32.store8 (i32.const 0) (i32.add (global.get $n) (i32.const 0x30)))
      (call $write (i32.const 0) (i32.const 1)) (i32.const 0)))")),
                {}};
  Bytes out;
  std::string fates;
  for (std::uint64_t i = 0; i != 5; ++i)
    if (const auto ran = run.run(i, i + 1, out); ran)
      fates += '.';
    else
      fates += ran.error().what.ends_with(", at item 2") ? 'x' : '?';
  CHECK(fates == "..x..");
  CHECK(text_of(out) == "1212");
}

TEST_CASE("rounds step from state and merged to the next state") {
  ModuleRun run{compiled(runs("", R"((func (export "step") (result i32)
      (drop (call $read (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 9)))
      (call $write (i32.const 0) (call $len (i32.const 2)))
      (drop (call $read (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 9)))
      (call $write (i32.const 0) (call $len (i32.const 1)))
      (i32.const 0)))")),
                {}};
  Bytes out;
  REQUIRE(run.step(view("state"), view("merged"), out).ok());
  CHECK(text_of(out) == "mergedstate");
  CHECK_FALSE(run.over());
  ModuleRun none{compiled(runs("")), {}};
  CHECK(none.step(view("state"), view("merged"), out).error().code == "E503");
}

TEST_CASE("a step that answers 1 is the last, and one that answers 2 has failed") {
  for (const auto* fuel : {"", "1000"}) {
    wasm::Limits limits;
    limits.fuel = *fuel ? 1000 : 0;
    // Answers its state's first byte, and writes it.
    ModuleRun run{compiled(runs("", R"((func (export "step") (result i32)
        (drop (call $read (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 1)))
        (call $write (i32.const 0) (i32.const 1))
        (i32.load8_u (i32.const 0))))"),
                           limits),
                  {}};
    const auto step = [&](const char* state, Bytes& out) {
      return run.step(ByteView{reinterpret_cast<const std::uint8_t*>(state), 1}, {}, out);
    };
    Bytes out;
    REQUIRE(step("\1", out).ok());
    CHECK(run.over());
    CHECK(out == Bytes{1});
    REQUIRE(step("\0", out).ok());
    CHECK_FALSE(run.over());
    const auto failed = step("\2", out);
    REQUIRE_FALSE(failed.ok());
    CHECK(failed.error().code == "E727");
    CHECK_FALSE(run.over());
    REQUIRE(run.run(0, 1, out).ok());
    CHECK_FALSE(run.over());
  }
}

TEST_CASE("1 is no success but of step") {
  ModuleRun run{compiled(rig::kernel(R"((func (export "run") (result i32) (i32.const 1))
      (func (export "merge") (result i32) (i32.const 1)))")),
                {}};
  Bytes out;
  CHECK(run.run(0, 1, out).error().code == "E727");
  CHECK(run.merge({}, {}, out).error().code == "E727");
}

TEST_CASE("in a round, leaves read the state beside range or record, and finish steps from it") {
  const auto module = compiled(rig::kernel(R"(
    (func $copy (param $slot i32)
      (call $write (i32.const 64)
        (call $read (local.get $slot) (i32.const 0) (i32.const 64) (call $len (local.get $slot)))))
    (func (export "run") (result i32) (call $copy (i32.const 1)) (call $copy (i32.const 2)) (i32.const 0))
    (func (export "step") (result i32) (call $copy (i32.const 2)) (call $copy (i32.const 1)) (i32.const 1)))"));
  wasm::ModuleJob job;
  job.round = true;
  job.state = view("-state");
  Bytes out;
  ModuleRun ranges{module, job};
  REQUIRE(ranges.run(3, 5, out).ok());
  CHECK(out.size() == 16 + 6);
  CHECK(text_of(ByteView{out}.subspan(16)) == "-state");
  job.record_bytes = 2;
  job.input = view("abcdef");
  job.merge = *wasm::Merge::named("concat");
  ModuleRun records{module, job};
  out.clear();
  REQUIRE(records.run(1, 2, out).ok());
  CHECK(text_of(out) == "cd-state");
  out.clear();
  REQUIRE(records.finish(view("merged"), out).ok());
  CHECK(text_of(out) == "merged-state");
  CHECK(records.over());
  CHECK(records.usage().over);
}

TEST_CASE("proposals that are off are refused, by the outline or the engine") {
  const struct {
    const char *name, *module, *flags;
  } off[] = {
      {"threads", R"((module (memory (export "memory") 1 1 shared) (func (export "run") (result i32)
          (i32.atomic.load (i32.const 0)))))",
       "--enable-threads"},
      {"atomics", R"((module (memory (export "memory") 1 1) (func (export "run") (result i32)
          (i32.atomic.load (i32.const 0)))))",
       "--enable-threads"},
      {"tail calls", R"((module (memory (export "memory") 1) (func $f (export "run") (result i32)
          (return_call $f))))",
       "--enable-tail-call"},
      {"relaxed SIMD", R"((module (memory (export "memory") 1) (func (export "run") (result i32)
          (i32x4.extract_lane 0 (f32x4.relaxed_madd (v128.load (i32.const 0))
            (v128.load (i32.const 0)) (v128.load (i32.const 0)))))))",
       "--enable-relaxed-simd"},
      {"64-bit memory", R"((module (memory (export "memory") i64 1)
          (func (export "run") (result i32) (i32.const 0))))",
       "--enable-memory64"},
      {"two memories", R"((module (memory (export "memory") 1) (memory 1)
          (func (export "run") (result i32) (i32.const 0))))",
       "--enable-multi-memory"},
      {"exceptions", R"((module (memory (export "memory") 1) (tag $t)
          (func (export "run") (result i32) (throw $t))))",
       "--enable-exceptions"},
      {"GC types", R"((module (memory (export "memory") 1) (type $s (struct (field i32)))
          (func (export "run") (result i32) (i32.const 0))))",
       "--enable-gc"},
  };
  for (const auto& o : off) {
    CAPTURE(o.name);
    const auto made = Module::compile(engine(), "task.wasm", wat(o.module, o.flags), {});
    REQUIRE_FALSE(made.ok());
    CHECK((made.error().code == "E502" || made.error().code == "E503"));
  }
}

namespace {

std::string command(const std::string& body) {
  return R"((module
    (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_seek" (func $fd_seek (param i32 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $fd_fdstat_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
    (memory (export "memory") 1)
    ;; Two buffers, of 4 and 60 bytes, at 1000.
    (data (i32.const 0) "\e8\03\00\00\04\00\00\00\ec\03\00\00\3c\00\00\00")
    (func $copy (param $to i32) (local $n i32)
      (loop $more
        (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 100)))
        (if (i32.load (i32.const 100)) (then
          (i32.store (i32.const 32) (i32.const 1000))
          (i32.store (i32.const 36) (i32.load (i32.const 100)))
          (drop (call $fd_write (local.get $to) (i32.const 32) (i32.const 1) (i32.const 104)))
          (br $more)))))
    (func (export "_start") )" +
         body + "))";
}

Result<Bytes> commanded(const std::string& body, const ModuleJob& job = {}) {
  return leaf(wat(command(body)), {}, job);
}

} // namespace

TEST_CASE("a WASI command reads its input slot and writes its output") {
  std::string text(1000, 'x');
  for (std::size_t i = 0; i != text.size(); ++i)
    text[i] = char('a' + i % 26);
  const ModuleJob job{.input = view(text), .record_bytes = 100};
  const auto copied = commanded("(call $copy (i32.const 1))", job);
  REQUIRE(copied.ok());
  CHECK(text_of(*copied) == text.substr(300, 400));
  // Each call is a fresh instance, so a command runs for many leaves.
  ModuleRun run{
      compiled(wat(command("(call $copy (i32.const 1)) (call $proc_exit (i32.const 0))"))), job};
  Bytes out;
  for (std::uint64_t i = 0; i != 10; ++i)
    REQUIRE(run.run(i, i + 1, out).ok());
  CHECK(text_of(out) == text);
}

TEST_CASE("a command finds its memory as at its first start, each time") {
  ModuleRun run{compiled(wat(command(R"(
      (i32.store8 (i32.const 500) (i32.add (i32.load8_u (i32.const 500)) (i32.const 65)))
      (i32.store (i32.const 32) (i32.const 500)) (i32.store (i32.const 36) (i32.const 1))
      (drop (call $fd_write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 104))))"))),
                {}};
  Bytes out;
  for (std::uint64_t i = 0; i != 3; ++i)
    REQUIRE(run.run(i, i + 1, out).ok());
  CHECK(text_of(out) == "AAA");
}

TEST_CASE("a command's exit code and stderr tell why it failed") {
  const ModuleJob job{.input = view("no such row"), .record_bytes = 1};
  const auto failed = commanded("(call $copy (i32.const 2)) (call $proc_exit (i32.const 3))", job);
  REQUIRE(code_of(failed) == "E727");
  CHECK(failed.error().what.find("failed with 3") != std::string::npos);
  CHECK(failed.error().why == "its stderr ends: such");
  CHECK(code_of(commanded("(unreachable)")) == "E720");
}

TEST_CASE("nothing but stdin, stdout and stderr exists for a command") {
  const auto answers = [](const std::string& call) {
    const auto out = commanded("(i32.store8 (i32.const 2000) " + call + R"()
      (i32.store (i32.const 32) (i32.const 2000)) (i32.store (i32.const 36) (i32.const 1))
      (drop (call $fd_write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 104))))");
    REQUIRE(out.ok());
    return int(out->at(0));
  };
  constexpr int bad = 8, no_seek = 70;
  CHECK(answers("(call $fd_read (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 100))") ==
        bad);
  CHECK(answers("(call $fd_read (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100))") ==
        bad);
  CHECK(answers("(call $fd_write (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 100))") ==
        bad);
  CHECK(answers("(call $fd_close (i32.const -1))") == bad);
  CHECK(answers("(call $fd_close (i32.const 2))") == 0);
  CHECK(answers("(call $fd_seek (i32.const 1) (i64.const 0) (i32.const 0) (i32.const 100))") ==
        no_seek);
  CHECK(answers("(call $fd_seek (i32.const 4) (i64.const 0) (i32.const 0) (i32.const 100))") ==
        bad);
  CHECK(answers("(call $fd_fdstat_get (i32.const 1) (i32.const 100))") == 0);
  CHECK(answers("(call $fd_fdstat_get (i32.const 9) (i32.const 100))") == bad);
  CHECK(answers("(call $args_sizes_get (i32.const 100) (i32.const 104))") == 0);
}

TEST_CASE("what a command passes is never believed either") {
  for (const auto* call : {
           "(drop (call $fd_read (i32.const 0) (i32.const 65532) (i32.const 1) (i32.const 0)))",
           "(drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 0)))",
           "(drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 65533)))",
           "(drop (call $fd_write (i32.const 1) (i32.const -8) (i32.const 1) (i32.const 0)))",
           "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 0x20000000) (i32.const "
           "0)))",
           "(i32.store (i32.const 0) (i32.const -1)) (drop (call $fd_write (i32.const 1) "
           "(i32.const 0) (i32.const 1) (i32.const 100)))",
           "(drop (call $fd_fdstat_get (i32.const 0) (i32.const 65513)))",
           "(drop (call $args_sizes_get (i32.const 65533) (i32.const 0)))",
       }) {
    CAPTURE(call);
    CHECK(code_of(commanded(call)) == "E728");
  }
}
