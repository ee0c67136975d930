#include "node/local_run.hpp"
#include "node/wasm/job.hpp"
#include "tests/support/wat.hpp"

#include <doctest/doctest.h>

#include <map>

using namespace tessera;

namespace {

LocalTask task_of(const std::string& body, std::uint64_t items, std::uint64_t leaf,
                  std::map<std::string, std::string> settings = {}) {
  settings.emplace("name", "task.wasm");
  LocalTask task;
  task.module = rig::kernel(body);
  task.spec.kernel = "wasm";
  task.spec.params = encode_params(*check_params(wasm::module_info(), settings));
  task.spec.items = items;
  task.spec.leaf_items = leaf;
  return task;
}

Result<LocalReport> run(const LocalTask& task) {
  return run_local(task, {});
}
std::string text_of_result(const LocalTask& task) {
  const auto report = run(task);
  INFO((report ? "" : to_text(report.error())));
  REQUIRE(report.ok());
  return std::string{text_of(report->result)};
}
Error error_of(const LocalTask& task) {
  const auto report = run(task);
  REQUIRE_FALSE(report.ok());
  return report.error();
}
bool has(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

// Writes 'a' + the range's first item, then the params.
constexpr auto letters = R"(
  (func (export "run") (result i32)
    (drop (call $read (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 16)))
    (i32.store8 (i32.const 32) (i32.add (i32.const 97) (i32.load (i32.const 0))))
    (call $write (i32.const 32) (i32.add (i32.const 1)
      (call $read (i32.const 0) (i32.const 0) (i32.const 33) (i32.const 99))))
    (i32.const 0)))";

// Writes how often it was called.
constexpr auto counting = R"((global $calls (mut i32) (i32.const 0))
  (func (export "run") (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.store (i32.const 0) (global.get $calls))
    (call $write (i32.const 0) (i32.const 4))
    (i32.const 0)))";

} // namespace

TEST_CASE("a pure module gives its result, and what it costs") {
  auto task = task_of(letters, 11, 2);
  CHECK(text_of_result(task) == "acegik");
  task.module_params = to_bytes(view("-"));
  CHECK(text_of_result(task) == "a-c-e-g-i-k-");
  std::uint64_t seen = 0, whole = 0;
  const auto report = run_local(task, [&](std::uint64_t done, std::uint64_t total) {
    seen = done;
    whole = total;
  });
  REQUIRE(report.ok());
  CHECK(report->microtasks == 6);
  CHECK(report->memory_bytes == wasm::page_bytes);
  CHECK(report->leaf_items == 11); // All of it is less than a millisecond.
  CHECK(report->fuel == 0);
  CHECK(seen == 18);
  CHECK(whole == 18);
}

TEST_CASE("fuel is that of the job, whatever was run beside it") {
  const auto fuel = [](std::uint64_t leaf) {
    return run(task_of(letters, 8, leaf, {{"fuel", "100000"}}))->fuel;
  };
  CHECK(fuel(8) > 0);
  CHECK(fuel(1) == 8 * fuel(8));
}

TEST_CASE("calls that ran again for a NaN are counted, and none under --nan strict") {
  // Every second item divides nothing by nothing.
  constexpr auto half = R"((func (export "run") (result i32)
    (drop (call $read (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 8)))
    (i32.store (i32.const 8) (i32.and (i32.load (i32.const 0)) (i32.const 1)))
    (f64.store (i32.const 16)
      (f64.div (f64.convert_i32_u (i32.load (i32.const 8)))
               (f64.convert_i32_u (i32.load (i32.const 8)))))
    (call $write (i32.const 16) (i32.const 8))
    (i32.const 0)))";
  const auto plain = run(task_of(half, 16, 1));
  REQUIRE(plain.ok());
  CHECK(plain->calls == 16);
  CHECK(plain->calls_again == 8);
  const auto strict = run(task_of(half, 16, 1, {{"nan", "strict"}}));
  REQUIRE(strict.ok());
  CHECK(strict->calls == 16);
  CHECK(strict->calls_again == 0);
  CHECK(strict->result == plain->result);
}

TEST_CASE("records of an input are its items") {
  auto task = task_of(R"((func (export "run") (result i32)
      (call $write (i32.const 0)
        (call $read (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 3)))
      (i32.const 0)))",
                      4, 2, {{"record", "2"}});
  task.data = to_bytes(view("abcdefg"));
  CHECK(text_of_result(task) == "abcefg");
}

TEST_CASE("a module that carries something from run to run is found out, by its first microtask") {
  const auto error = error_of(task_of(counting, 16, 2));
  CHECK(error.code == "E740");
  CHECK(has(error.what, "task.wasm"));
  CHECK(has(error.what, "microtask 0, items 0 to 1"));
  CHECK(has(error.why, "downwards"));
}

TEST_CASE(
    "one whose item 5 knows a fresh instance is found out, upwards and downwards alike as it is") {
  const auto error = error_of(task_of(R"((global $calls (mut i32) (i32.const 0))
    (func (export "run") (result i32)
      (drop (call $read (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 16)))
      (if (i32.and (i32.eqz (global.get $calls)) (i32.eq (i32.load (i32.const 0)) (i32.const 5)))
        (then (call $write (i32.const 0) (i32.const 1))))
      (global.set $calls (i32.const 1))
      (i32.const 0)))",
                                      16, 1));
  CHECK(error.code == "E740");
  CHECK(has(error.what, "microtask 5, item 5"));
  CHECK(has(error.why, "instance of its own"));
}

TEST_CASE("a merge that depends on the microtasks before it is found out") {
  // In one block it follows runs of its own instance; by itself it does not.
  const auto error = error_of(task_of(R"((global $runs (mut i32) (i32.const 0))
    (func (export "run") (result i32)
      (global.set $runs (i32.add (global.get $runs) (i32.const 1)))
      (i32.const 0))
    (func (export "merge") (result i32)
      (i32.store (i32.const 0) (global.get $runs))
      (call $write (i32.const 0) (i32.const 4))
      (i32.const 0)))",
                                      3, 1));
  CHECK(error.code == "E740");
  CHECK(has(error.what, "merges"));
}

namespace {

// Each round's leaves write their first item's digit, the merge concatenates; step appends that to
// the state, and is over when it has 12 bytes.
constexpr auto rounds = R"(
  (func (export "run") (result i32)
    (drop (call $read (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 16)))
    (i32.store8 (i32.const 32) (i32.add (i32.const 48) (i32.load (i32.const 0))))
    (call $write (i32.const 32) (i32.const 1))
    (i32.const 0))
  (func $copy (param $slot i32)
    (call $write (i32.const 64)
      (call $read (local.get $slot) (i32.const 0) (i32.const 64) (call $len (local.get $slot)))))
  (func (export "step") (result i32)
    (call $copy (i32.const 1)) (call $copy (i32.const 2))
    (i32.eq (call $len (i32.const 1)) (i32.const 8))))";

LocalTask in_rounds(LocalTask task, std::uint32_t most) {
  task.spec.shape = Shape::rounds;
  task.spec.rounds = most;
  return task;
}

} // namespace

TEST_CASE(
    "rounds run one on the other, until step says so or there are as many as were asked for") {
  auto task = in_rounds(task_of(rounds, 4, 2, {{"fuel", "1000"}}), 100);
  task.state = to_bytes(view("ab"));
  const auto report = run(in_rounds(task, 3));
  REQUIRE(report.ok());
  CHECK(text_of(report->result) == "ab020202");
  CHECK(report->rounds == 3);
  CHECK(report->microtasks == 6);
  const auto over = run(task);
  REQUIRE(over.ok());
  CHECK(text_of(over->result) == "ab02020202");
  CHECK(over->rounds == 4);
  CHECK(over->fuel > report->fuel);
}

TEST_CASE("a step that carries something from round to round, or from run, is found out") {
  const auto error = error_of(in_rounds(task_of(R"((global $calls (mut i32) (i32.const 0))
        (func (export "run") (result i32) (global.set $calls (i32.const 1)) (i32.const 0))
        (func (export "step") (result i32)
          (i32.store (i32.const 0) (global.get $calls))
          (call $write (i32.const 0) (i32.const 4))
          (i32.const 0)))",
                                                4, 1),
                                        5));
  CHECK(error.code == "E740");
  CHECK(has(error.what, "steps"));
  CHECK(has(error.why, "round 1"));
}

TEST_CASE("a step that never ends is stopped, and said to be one") {
  const auto error = error_of(in_rounds(task_of(R"((func (export "run") (result i32) (i32.const 0))
        (func (export "step") (result i32) (loop $l (br $l)) (i32.const 0)))",
                                                4, 1, {{"time", "100"}}),
                                        5));
  CHECK(error.code == "E732");
  CHECK(has(error.what, "in step"));
}

TEST_CASE("a loop ends by its time, and is named") {
  const auto error =
      error_of(task_of(R"((func (export "run") (result i32) (loop $l (br $l)) (i32.const 0)))", 8,
                       1, {{"time", "100"}}));
  CHECK(error.code == "E732");
  CHECK(has(error.what, "microtask 0, item 0"));
}

TEST_CASE("what a worker says of a module is what is said") {
  CHECK(error_of(task_of(R"((func (export "run") (result i32) (unreachable)))", 8, 1)).code ==
        "E720");
  CHECK(error_of(task_of(letters, 8, 1, {{"output", "0"}})).code == "E724");
  CHECK(error_of(task_of(letters, std::uint64_t{1} << 40, 1)).code == "E421");
}
