#include "crypto/little_endian.hpp"
#include "tests/node/engine/engine_rig.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

using namespace tessera;
using namespace tessera::wasm;
using rig::compiled;
using rig::kernel;

namespace {

// Each operation that can answer a float, as a function from the operands at 0 and 16 to 32.
struct Operation {
  std::string name;
  int lane_bytes;   // Of an operand's float.
  int result_bytes; // Of a result's.
  std::string body;
};

std::vector<Operation> operations() {
  std::vector<Operation> all;
  const auto load = [](const std::string& type, int at) {
    return "(" + type + ".load (i32.const " + std::to_string(at) + "))";
  };
  const auto add = [&](const std::string& shape, const std::string& name, int operands, int lane,
                       int result) {
    const std::string kept = shape == "f32" || shape == "f64" ? shape : "v128";
    const std::string from = name == "promote_f32" ? "f32" : name == "demote_f64" ? "f64" : kept;
    all.push_back({shape + "." + name, lane, result,
                   "(" + kept + ".store (i32.const 32) (" + shape + "." + name + load(from, 0) +
                       (operands == 2 ? load(from, 16) : "") + "))"});
  };
  for (const auto& [shape, lane] : {std::pair{"f32", 4}, {"f64", 8}, {"f32x4", 4}, {"f64x2", 8}}) {
    for (const auto* name : {"add", "sub", "mul", "div", "min", "max"})
      add(shape, name, 2, lane, lane);
    for (const auto* name : {"sqrt", "ceil", "floor", "trunc", "nearest", "abs", "neg"})
      add(shape, name, 1, lane, lane);
  }
  for (const auto* shape : {"f32", "f64"})
    add(shape, "copysign", 2, shape[1] == '3' ? 4 : 8, shape[1] == '3' ? 4 : 8);
  for (const auto* name : {"pmin", "pmax"}) {
    add("f32x4", name, 2, 4, 4);
    add("f64x2", name, 2, 8, 8);
  }
  add("f64", "promote_f32", 1, 4, 8);
  add("f32", "demote_f64", 1, 8, 4);
  add("f64x2", "promote_low_f32x4", 1, 4, 8);
  add("f32x4", "demote_f64x2_zero", 1, 8, 4);
  return all;
}

// Leaf i runs operation i on the operands that params hold, and shows all bits.
Bytes showing(const std::vector<Operation>& operations) {
  std::string functions, names;
  for (std::size_t i = 0; i != operations.size(); ++i) {
    functions += "(func $f" + std::to_string(i) + " " + operations[i].body + ")\n";
    names += " $f" + std::to_string(i);
  }
  return kernel("(type $silent (func)) (table funcref (elem" + names + "))" + functions + R"(
    (func (export "run") (result i32)
      (drop (call $read (i32.const 1) (i32.const 0) (i32.const 64) (i32.const 16)))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 32)))
      (v128.store (i32.const 32) (v128.const i64x2 0 0))
      (call_indirect (type $silent) (i32.load (i32.const 64)))
      (call $write (i32.const 32) (i32.const 16))
      (i32.const 0)))");
}

// The number in all lanes of sixteen bytes.
Bytes lanes(double number, int lane_bytes) {
  Bytes bytes;
  while (bytes.size() != 16)
    if (lane_bytes == 8)
      put(bytes, std::bit_cast<std::uint64_t>(number));
    else
      put(bytes, std::bit_cast<std::uint32_t>(float(number)));
  return bytes;
}

Bytes lanes_of_bits(std::uint64_t f64, std::uint32_t f32, int lane_bytes) {
  Bytes bytes;
  while (bytes.size() != 16)
    if (lane_bytes == 8)
      put(bytes, f64);
    else
      put(bytes, f32);
  return bytes;
}

// Whether the first lane is a NaN.
bool nan_in(const Bytes& result, int lane_bytes) {
  return lane_bytes == 8 ? std::isnan(std::bit_cast<double>(get<std::uint64_t>(result, 0)))
                         : std::isnan(std::bit_cast<float>(get<std::uint32_t>(result, 0)));
}

// Operations one after the other, in one instance.
class Shower {
public:
  Shower(const std::shared_ptr<Module>& module, bool strict)
      : run_{module, {.params = operands_, .strict_nans = strict}} {}

  Bytes show(std::size_t i, const Bytes& operands) {
    std::copy(operands.begin(), operands.end(), operands_.begin());
    const auto before = run_.totals().calls_again;
    Bytes bits;
    REQUIRE(run_.run(i, i + 1, bits).ok());
    again = run_.totals().calls_again != before;
    return bits;
  }
  bool again = false; // Of the last one.

private:
  std::array<std::uint8_t, 32> operands_{};
  ModuleRun run_;
};

// One number for all bits that were shown, to be held against another CPU's (tests/e2e/aarch64);
// FNV-1a (Fowler, Noll, Vo).
class BitsSeen {
public:
  explicit BitsSeen(const char* of) : of_(of) {}
  void add(const Bytes& bits) {
    for (const auto byte : bits)
      hash_ = (hash_ ^ byte) * 0x100000001b3;
  }
  ~BitsSeen() { std::printf("bits of %s: %016llx\n", of_, (unsigned long long)hash_); }

private:
  const char* of_;
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

Bytes pair_of(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

constexpr double inf = std::numeric_limits<double>::infinity();

} // namespace

TEST_CASE(
    "every NaN that the instruction set can make from numbers has the same bits by either way") {
  const auto all = operations();
  const auto module = compiled(showing(all));
  const auto raw_code = *Instance::make(*module, {});
  Shower plain{module, false}, strict{module, true};
  BitsSeen seen{"NaNs made from numbers"};
  int nans = 0, differ = 0;
  for (std::size_t i = 0; i != all.size(); ++i)
    for (const double a : {0.0, -0.0, 1.0, -1.0, 1e-310, 3e38, 1e308, inf, -inf})
      for (const double b : {0.0, -0.0, -2.0, 1e-40, inf, -inf}) {
        const auto operands = pair_of(lanes(a, all[i].lane_bytes), lanes(b, all[i].lane_bytes));
        CAPTURE(all[i].name);
        CAPTURE(a);
        CAPTURE(b);
        const auto shown = plain.show(i, operands);
        CHECK(shown == strict.show(i, operands));
        seen.add(shown);
        Bytes range, raw;
        put(range, std::uint64_t(i));
        put(range, std::uint64_t(i + 1));
        REQUIRE(raw_code->call(Entry::run, {operands, range, {}}, raw).ok());
        if (nan_in(shown, all[i].result_bytes)) {
          ++nans;
          CHECK(plain.again);
        }
        differ += raw != shown;
      }
  CHECK(nans > 100);
#if defined(__x86_64__)
  CHECK(differ > 100); // Its own NaN is negative: so the test would see one that slips through.
#endif
}

TEST_CASE("signalling NaNs of the input are caught as well") {
  const auto all = operations();
  const auto module = compiled(showing(all));
  Shower plain{module, false}, strict{module, true};
  BitsSeen seen{"signalling NaNs"};
  for (std::size_t i = 0; i != all.size(); ++i) {
    const auto& name = all[i].name;
    // These move bits, and compute nothing.
    if (name.ends_with("abs") || name.ends_with("neg") || name.ends_with("copysign") ||
        name.find(".p") == name.find('.'))
      continue;
    CAPTURE(name);
    const auto operands = pair_of(lanes_of_bits(0x7ff0000000000001, 0x7f800001, all[i].lane_bytes),
                                  lanes(1, all[i].lane_bytes));
    const auto shown = plain.show(i, operands);
    CHECK(shown == strict.show(i, operands));
    seen.add(shown);
  }
}

TEST_CASE("quiet NaNs of the input raise no flag, and strict gives them one pattern") {
  const auto all = operations();
  const auto module = compiled(showing(all));
  for (std::size_t i = 0; i != all.size(); ++i)
    if (all[i].name == "f64.add") {
      const auto operands = pair_of(lanes_of_bits(0xfff8000000000123, 0, 8), lanes(1, 8));
      Shower plain{module, false}, strict{module, true};
      plain.show(i, operands);
      CHECK_FALSE(plain.again);
      CHECK(get<std::uint64_t>(strict.show(i, operands), 0) == 0x7ff8000000000000);
    }
}

TEST_CASE("a leaf that makes no NaN runs once") {
  const auto all = operations();
  Shower plain{compiled(showing(all)), false};
  for (std::size_t i = 0; i != all.size(); ++i)
    for (const double b : {1.0, 3.0, 1e300, 1e-300}) { // Inexact, overflow, underflow, subnormal.
      CAPTURE(all[i].name);
      plain.show(i, pair_of(lanes(7.1, all[i].lane_bytes), lanes(b, all[i].lane_bytes)));
      CHECK_FALSE(plain.again);
    }
}

namespace {

const std::string nan_bits = R"(
  (global $zero (mut f64) (f64.const 0))
  (func $nan (result f64) (f64.div (global.get $zero) (global.get $zero))))";

} // namespace

TEST_CASE("what a NaN's sign decides is decided alike, be it a trap") {
  // Traps where the NaN is negative, as that of x86 is.
  ModuleRun run{compiled(kernel(nan_bits + R"(
    (func (export "run") (result i32)
      (call $write (i32.const 0) (i32.const 4))
      (if (i64.lt_s (i64.reinterpret_f64 (call $nan)) (i64.const 0)) (then (unreachable)))
      (i32.const 0)))")),
                {}};
  Bytes out{1, 2};
  for (std::uint64_t i = 0; i != 3; ++i)
    CHECK(run.run(i, i + 1, out).ok());
  CHECK(to_hex(out) == "0102000000000000000000000000");
  CHECK(run.totals().calls_again == 3);
}

TEST_CASE("a NaN that an instance starts with is canonical in every call") {
  ModuleRun run{compiled(kernel(nan_bits + R"(
    (func (export "_initialize") (f64.store (i32.const 8) (call $nan)))
    (func (export "run") (result i32) (call $write (i32.const 8) (i32.const 8)) (i32.const 0)))")),
                {}};
  Bytes out;
  for (std::uint64_t i = 0; i != 3; ++i)
    REQUIRE(run.run(i, i + 1, out).ok());
  CHECK(to_hex(out) == "000000000000f87f000000000000f87f000000000000f87f");
}

TEST_CASE("merges and spawned children run again as well") {
  ModuleRun run{compiled(kernel(nan_bits + R"(
    (func (export "run") (result i32)
      (f64.store (i32.const 8) (call $nan))
      (call $spawn (i32.const 8) (i32.const 8)) (i32.const 0))
    (func (export "merge") (result i32)
      (f64.store (i32.const 8) (call $nan))
      (call $write (i32.const 8) (i32.const 8)) (i32.const 0)))")),
                {}};
  Bytes out;
  std::vector<Bytes> children;
  REQUIRE(run.task(view("task"), out, children).ok());
  REQUIRE(run.merge(view("l"), view("r"), out).ok());
  REQUIRE(children.size() == 1);
  CHECK(to_hex(children[0]) == "000000000000f87f");
  CHECK(to_hex(out) == "000000000000f87f");
}

TEST_CASE("flags that the host has up, and its rounding, do not reach a call") {
  ModuleRun run{compiled(kernel(R"((func (export "run") (result i32)
    (f64.store (i32.const 8) (f64.div (f64.const 1) (f64.convert_i32_s (call $len (i32.const 0)))))
    (call $write (i32.const 8) (i32.const 8)) (i32.const 0)))")),
                {.params = view("0123456789")}};
  Bytes out;
  volatile double zero = 0;
  [[maybe_unused]] volatile double nan = zero / zero;
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x6000 | 0x8040); // Towards zero, and subnormals as zero.
#endif
  REQUIRE(run.run(0, 1, out).ok());
  CHECK(run.totals().calls_again == 0);
  CHECK(get<std::uint64_t>(out, 0) == 0x3fb999999999999a); // A tenth, rounded up.
}
