#include "crypto/little_endian.hpp"
#include "node/worker/wasm/module_run.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/support/wat.hpp"

#include <set>

// A module under somebody else's control. Input: 0 (a module behind its preamble, which is compiled
// and run), 1 (damage to a good one), else host calls with any arguments, checked against a model
// of what they do.
namespace {

using namespace tessera;
using namespace tessera::wasm;
using fuzz::must;

// Does what its parameters say: records of a function's number and four arguments.
const char* const obeys = R"(
  (func (export "run") (result i32) (local $pc i32) (local $f i32) (local $a i32)
    (loop $next
      (if (i32.ne (call $read (i32.const 0) (local.get $pc) (i32.const 0) (i32.const 20))
                  (i32.const 20)) (then (return (i32.const 0))))
      (local.set $pc (i32.add (local.get $pc) (i32.const 20)))
      (local.set $f (i32.load8_u (i32.const 0)))
      (if (i32.eq (local.get $f) (i32.const 0)) (then
        (local.set $a (call $len (i32.load (i32.const 4))))))
      (if (i32.eq (local.get $f) (i32.const 1)) (then
        (local.set $a (call $read (i32.load (i32.const 4)) (i32.load (i32.const 8))
                                  (i32.load (i32.const 12)) (i32.load (i32.const 16))))))
      (if (i32.eq (local.get $f) (i32.const 2)) (then
        (call $write (i32.load (i32.const 4)) (i32.load (i32.const 8)))))
      (if (i32.eq (local.get $f) (i32.const 3)) (then
        (call $spawn (i32.load (i32.const 4)) (i32.load (i32.const 8)))))
      (if (i32.eq (local.get $f) (i32.const 4)) (then
        (call $fail (i32.load (i32.const 4)) (i32.load (i32.const 8)))))
      (i32.store (i32.const 24) (local.get $a))
      (br $next))
    (i32.const 0)))";

const Limits limits{.memory_bytes = 1 << 20,
                    .table_elements = 100,
                    .output_bytes = 100'000,
                    .spawned_bytes = 70'000,
                    .spawned_tasks = 10,
                    .fuel = 20'000};

Engine& engine() {
  static Engine one;
  return one;
}

struct Outcome {
  std::string code;
  Bytes out;
  std::vector<Bytes> tasks;
  bool operator==(const Outcome&) const = default;
};

// What the ABI says of these calls, for a memory of one page.
class Model {
public:
  explicit Model(ByteView params, ByteView task) : slots_{params, task, {}}, memory_(page_bytes) {}

  Outcome run() {
    Outcome o;
    std::uint32_t answer = 0;
    for (auto rest = slots_[0]; rest.size() >= 20 && o.code.empty(); rest = rest.subspan(20)) {
      std::copy_n(rest.begin(), 20, memory_.begin());
      const auto argument = [&](int i) { return get<std::uint32_t>(rest, std::size_t(4 * i)); };
      call(rest[0], argument(1), argument(2), argument(3), argument(4), answer, o);
      for (int i = 0; i != 4; ++i)
        memory_[std::size_t(24 + i)] = std::uint8_t(answer >> (8 * i));
    }
    if (!o.code.empty())
      return {o.code, {}, {}};
    return o;
  }

private:
  bool inside(std::uint32_t at, std::uint32_t size, Outcome& o) {
    if (std::uint64_t{at} + size > memory_.size())
      o.code = "E728";
    return o.code.empty();
  }
  Bytes cut(std::uint32_t at, std::uint32_t size) {
    return {memory_.begin() + at, memory_.begin() + at + size};
  }

  void call(int f, std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d,
            std::uint32_t& answer, Outcome& o) {
    if (f <= 1 && a > 2)
      o.code = "E728";
    else if (f == 0)
      answer = std::uint32_t(slots_[a].size());
    else if (f == 1 && inside(c, d, o)) {
      answer = 0;
      for (; answer < d && std::size_t{b} + answer < slots_[a].size(); ++answer)
        memory_[c + answer] = slots_[a][b + answer];
    } else if (f == 2 && inside(a, b, o)) {
      const auto bytes = cut(a, b);
      o.out.insert(o.out.end(), bytes.begin(), bytes.end());
      if (o.out.size() > limits.output_bytes)
        o.code = "E724";
    } else if (f == 3 && inside(a, b, o)) {
      o.tasks.push_back(cut(a, b));
      std::size_t all = 0;
      for (const auto& t : o.tasks)
        all += t.size();
      if (o.tasks.size() > limits.spawned_tasks || all > limits.spawned_bytes)
        o.code = "E725";
    } else if (f == 4 && inside(a, b, o))
      o.code = "E726";
  }

  std::array<ByteView, 3> slots_;
  Bytes memory_;
};

const Bytes& good() {
  static const auto it = rig::kernel(obeys, "");
  return it;
}

std::uint32_t argument(fuzz::Input& input) {
  switch (input.byte() % 6) {
  case 0:
    return input.byte() % 4;
  case 1:
    return input.byte() * 200u;
  case 2:
    return 65536u - input.byte() % 4;
  case 3:
    return 0u - input.byte() % 4;
  case 4:
    return 0x7fffffffu + input.byte() % 3;
  default:
    return std::uint32_t(input.byte()) << 24 | std::uint32_t(input.byte()) << 8 | input.byte();
  }
}

void calls(fuzz::Input input) {
  static const auto module = *Module::compile(engine(), "fuzz.wasm", good(), limits);
  Bytes params;
  for (int n = 0; n != 40 && !input.rest.empty(); ++n) {
    put(params, std::uint32_t(input.byte() % 6));
    for (int i = 0; i != 4; ++i)
      put(params, argument(input));
  }
  const auto task = to_bytes(input.rest);
  ModuleRun run{module, {.params = params}};
  Outcome is;
  if (const auto ran = run.task(task, is.out, is.tasks); !ran)
    is.code = ran.error().code;
  must(is == Model{params, task}.run());
}

void any_module(const Bytes& bytes, fuzz::Input input) {
  const auto module = Module::compile(engine(), "fuzz.wasm", bytes, limits, {false, true});
  static const std::set<std::string> refusals{"E501", "E502", "E503", "E512"},
      failures{"E720", "E721", "E722", "E723", "E724", "E726", "E727", "E728"};
  if (!module)
    return must(refusals.contains(module.error().code));
  ModuleRun run{*module, {.params = input.rest}};
  Bytes out;
  const auto ran = run.run(0, 1, out);
  must(ran.ok() || (out.empty() && failures.contains(ran.error().code)));
}

} // namespace

std::vector<Bytes> tessera::fuzz::seeds() {
  const std::string run = "(func (export \"run\") (result i32) ";
  std::vector<Bytes> all{seed({1}), seed({1, 2, 60, 0, 1, 90, 0, 2})};
  for (const auto& body :
       {run + "(call $write (i32.const 0) (i32.const 9)) (i32.const 0))",
        run + "(call $spawn (i32.const 0) (i32.const 9)) (i32.const 0))",
        run + "(memory.grow (i32.const 3)))", run + "(loop (br 0)) (unreachable))",
        run +
            "(call_indirect (result i32) (i32.const 1))) (table 3 funcref) (elem (i32.const 1) 5)",
        run + "(i32.div_s (i32.const 1) (call $len (i32.const 0))))"})
    all.push_back(seed({0}, ByteView{rig::kernel(body, "")}.subspan(8)));
  for (std::uint8_t f = 0; f != 5; ++f) // Each twice: inside its memory, and past it.
    all.push_back(seed({2, f, 0, 1, 0, 2, 0, 2, 1, 3, f, 0, 1, 1, 9, 2, 1, 3, 1, 'x'}));
  auto spawns = seed({2}); // As many tasks as may be; then as much output as fits.
  for (int n = 0; n != 10; ++n)
    put(spawns, Bytes{3, 0, 0, 0, 1, 0, 0, 0, 0});
  all.push_back(spawns);
  all.push_back(seed({2, 2, 0, 0, 2, 0, 0, 0, 0, 0}));
  return all;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{{data, size}};
  const auto kind = input.byte() % 4;
  if (kind > 1)
    return calls(input), 0;
  Bytes module{0, 'a', 's', 'm', 1, 0, 0, 0};
  put(module, input.rest);
  any_module(kind == 0 ? module : fuzz::damaged(good(), input), input);
  return 0;
}
