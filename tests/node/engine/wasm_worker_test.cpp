#include "node/wasm/job.hpp"
#include "tests/node/worker_rig.hpp"
#include "tests/support/wat.hpp"

#include <map>

// Modules in real workers, behind their sandbox.

using namespace tessera;
using namespace tessera::rig;

namespace {

constexpr auto kernel_name = "wasm-64m";

Bytes settings(std::map<std::string, std::string> given = {}) {
  given.emplace("memory", "1048576");
  auto params = check_params(wasm::module_info(), given);
  REQUIRE(params.ok());
  return encode_params(*params);
}

Payload payload(ByteView bytes) {
  auto made = Payload::of(bytes);
  REQUIRE(made.ok());
  return std::move(*made);
}

class Rig {
public:
  explicit Rig(bool modules = true) {
    auto zygote = Zygote::start(find_kernel, modules_of_this_build());
    REQUIRE(zygote.ok());
    zygote_.emplace(std::move(*zygote));
    WorkerLimits limits;
    limits.modules = modules;
    auto worker = zygote_->spawn(limits);
    INFO((worker ? "" : to_text(worker.error())));
    REQUIRE(worker.ok());
    worker_ = std::move(*worker);
  }
  void open(std::uint64_t job, const Bytes& module, std::uint64_t items, const Bytes& params,
            std::string_view module_params = "", std::string_view data = "") {
    auto open = open_job(job, kernel_name, items);
    open.params = params;
    open.module = payload(module);
    open.module_params = payload(view(module_params));
    open.input = payload(view(data));
    REQUIRE(send(worker_.socket, WorkerRequest{std::move(open)}).ok());
  }
  void send_only(WorkerRequest request) { REQUIRE(send(worker_.socket, request).ok()); }
  Answer ask(WorkerRequest request) {
    REQUIRE(send(worker_.socket, request).ok());
    return answer(worker_.socket);
  }
  pid_t pid() const { return worker_.pid; }

private:
  std::optional<Zygote> zygote_;
  WorkerProcess worker_;
};

// run: writes params, then the input's bytes; merge: right, then left.
const auto echo = kernel(R"(
  (func $copy (param $slot i32)
    (call $write (i32.const 64)
      (call $read (local.get $slot) (i32.const 0) (i32.const 64) (call $len (local.get $slot)))))
  (func (export "run") (result i32) (call $copy (i32.const 0)) (call $copy (i32.const 2)) (i32.const 0))
  (func (export "merge") (result i32) (call $copy (i32.const 2)) (call $copy (i32.const 1)) (i32.const 0)))");
const auto growing = kernel(R"(
  (func (export "run") (result i32) (drop (memory.grow (i32.const 3))) (i32.const 0)))");
const auto trapping = kernel(R"((func (export "run") (result i32) (unreachable)))");

} // namespace

TEST_CASE("a module runs in a worker, with the inputs of its job by their roles") {
  Rig rig;
  rig.open(1, echo, 2, settings(), "P", "D");
  CHECK(rig.ask(OpenedCall{1, 1}).error.code == "");
  CHECK(text_of(output_of(rig.ask(RunCall{2, 1, {0, 0}}))) == "PD");
  CHECK(text_of(output_of(rig.ask(MergeCall{3, 1, payload(view("l")), payload(view("r"))}))) ==
        "rl");
  CHECK(text_of(output_of(rig.ask(FinishCall{4, 1, payload(view("end"))}))) == "end");
}

TEST_CASE("a round steps at its finish, from its state, and says when it is the last") {
  const auto rounds = kernel(R"(
    (func $copy (param $slot i32)
      (call $write (i32.const 64)
        (call $read (local.get $slot) (i32.const 0) (i32.const 64) (call $len (local.get $slot)))))
    (func (export "run") (result i32) (call $copy (i32.const 2)) (i32.const 0))
    (func (export "step") (result i32)
      (call $copy (i32.const 2)) (call $copy (i32.const 1))
      (i32.eq (call $len (i32.const 1)) (i32.const 4))))");
  Rig rig;
  const auto finished = [&](std::uint64_t job, std::string_view state,
                            std::map<std::string, std::string> more) {
    auto open = open_job(job, kernel_name, 2);
    open.params = settings(std::move(more));
    open.module = payload(rounds);
    open.state = payload(view(state));
    open.round = true;
    rig.send_only(std::move(open));
    auto ran = rig.ask(RunCall{1, job, {1, 0}});
    return rig.ask(FinishCall{2, job, std::move(ran.done.output)});
  };
  auto one = finished(1, "S", {});
  CHECK_FALSE(one.done.over);
  CHECK(text_of(output_of(std::move(one))) == "SSS");
  auto last = finished(2, "last", {});
  CHECK(last.done.over);
  CHECK(text_of(output_of(std::move(last))) == "lastlastlast");
  auto metered = finished(3, "last", {{"fuel", "1000"}});
  CHECK(metered.done.over);
  CHECK(metered.done.fuel > 0);
  CHECK(text_of(output_of(std::move(metered))) == "lastlastlast");
}

TEST_CASE("a module that cannot be opened fails the call that waits for it, and all others") {
  Rig rig;
  rig.open(1, to_bytes(view("no module")), 2, settings());
  CHECK(rig.ask(OpenedCall{1, 1}).error.code == "E502");
  CHECK(rig.ask(RunCall{2, 1, {0, 0}}).error.code == "E502");
  rig.open(2, echo, 2, settings({{"memory", "268435456"}}));
  CHECK(rig.ask(OpenedCall{3, 2}).error.code == "E420"); // Another class.
}

TEST_CASE("a submission's module is compiled in the worker") {
  Rig rig;
  CHECK(output_of(rig.ask(PrepareCall{1, kernel_name, settings(), payload(echo)})).empty());
  const auto bad = wat("(module (memory (export \"memory\") 1)"
                       " (func (export \"run\") (result i32) (f32.const 1)))",
                       "--no-check");
  const auto refused =
      rig.ask(PrepareCall{2, kernel_name, settings({{"name", "bad.wasm"}}), payload(bad)});
  CHECK(refused.error.code == "E502");
  CHECK(refused.error.what.find("bad.wasm") != std::string::npos);
}

TEST_CASE("fuel is merged as the bytes are, and told at the end") {
  Rig rig;
  const auto fuel = settings({{"fuel", "1000"}});
  rig.open(1, echo, 2, fuel);
  auto left = rig.ask(RunCall{1, 1, {0, 0}}), right = rig.ask(RunCall{2, 1, {0, 1}});
  const auto used = left.done.fuel + right.done.fuel;
  CHECK(left.done.fuel > 0);
  auto merged = rig.ask(MergeCall{3, 1, std::move(left.done.output), std::move(right.done.output)});
  CHECK(merged.done.fuel > 0);
  const auto whole = used + merged.done.fuel;
  auto finished = rig.ask(FinishCall{4, 1, std::move(merged.done.output)});
  CHECK(finished.done.fuel == whole);
  CHECK(output_of(std::move(finished)).empty());

  rig.open(2, echo, 2, fuel); // All in one call: the same.
  auto block = rig.ask(RunCall{5, 2, {1, 0}});
  CHECK(rig.ask(FinishCall{6, 2, std::move(block.done.output)}).done.fuel == whole);
  CHECK(rig.ask(FinishCall{7, 2, payload(view("short"))}).error.code == "E711");
}

TEST_CASE("a module's memory is told, and a job that counts no fuel tells none") {
  Rig rig;
  rig.open(1, growing, 2, settings());
  const auto ran = rig.ask(RunCall{1, 1, {0, 0}});
  CHECK(ran.error.code == "");
  CHECK(ran.done.fuel == 0);
  CHECK(ran.done.memory_bytes == 4 * wasm::page_bytes);
}

TEST_CASE("a trap is told with its items and calls, and the worker lives") {
  Rig rig;
  rig.open(1, trapping, 8, settings());
  const auto failed = rig.ask(RunCall{1, 1, {0, 5}});
  CHECK(failed.error.code == "E720");
  CHECK(failed.error.what.find("at item 5") != std::string::npos);
  rig.open(2, echo, 2, settings(), "P");
  CHECK(text_of(output_of(rig.ask(RunCall{2, 2, {0, 0}}))) == "P");
}

TEST_CASE("a worker whose owner wants no modules knows no such kernel") {
  Rig rig{false};
  rig.open(1, echo, 2, settings());
  CHECK(rig.ask(OpenedCall{1, 1}).error.code == "E710");
}
