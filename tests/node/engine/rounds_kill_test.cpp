#include "tests/support/node_process.hpp"
#include "tests/support/wat.hpp"

using namespace tessera;
using Json = nlohmann::json;

// Actors that die in the middle of a job of rounds.
namespace {

const auto killed = caf::exit_reason::kill;

// A leaf computes for a while and writes a number of its items; a merge is not commutative; step
// mixes the merged number into the state, which begins as nothing.
const auto module = rig::kernel(R"(
  (func $number (param $slot i32) (result i64)
    (i64.store (i32.const 0) (i64.const 0))
    (drop (call $read (local.get $slot) (i32.const 0) (i32.const 0) (i32.const 8)))
    (i64.load (i32.const 0)))
  (func $put (param $n i64) (result i32)
    (i64.store (i32.const 0) (local.get $n))
    (call $write (i32.const 0) (i32.const 8))
    (i32.const 0))
  (func $mix (param $a i64) (param $b i64) (result i64)
    (i64.xor (i64.mul (local.get $a) (i64.const 0x9e3779b97f4a7c15)) (i64.rotl (local.get $b) (i64.const 23))))
  (func (export "run") (result i32) (local $n i64) (local $i i32)
    (local.set $n (call $mix (call $number (i32.const 1)) (call $number (i32.const 2))))
    (loop $again
      (local.set $n (call $mix (local.get $n) (i64.extend_i32_u (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 2000000))))
    (call $put (local.get $n)))
  (func (export "merge") (result i32)
    (call $put (call $mix (call $number (i32.const 1)) (call $number (i32.const 2)))))
  (func (export "step") (result i32)
    (call $put (call $mix (call $number (i32.const 1)) (call $number (i32.const 2))))))");

struct Alone {
  Alone() : node(options()) {
    const auto hash = to_hex(blob_id(module));
    node.api().put("/v1/blobs/" + hash, module);
    job = node.api().post("/v1/jobs", Json{{"kernel", "wasm"},
                                           {"items", 64},
                                           {"leaf", 1},
                                           {"module", hash},
                                           {"rounds", 12}})["job"];
  }
  static StartOptions options() {
    StartOptions o;
    o.name = "alone";
    o.slots = 1;
    return o;
  }
  Json state() { return node.api().get("/v1/jobs/" + job); }
  // Its worker, frozen in a round past this one.
  rig::Frozen freeze(std::uint64_t round) {
    REQUIRE(rig::eventually([&] {
      const auto now = state();
      return now.at("round") != nullptr && now.at("round") > round;
    }));
    return rig::Frozen{node.workers()};
  }
  Bytes result() {
    Json now;
    do
      now = node.api().get("/v1/jobs/" + job + "?wait=1");
    while (now.at("state") == "queued" || now.at("state") == "running");
    REQUIRE(now.at("state") == "done");
    CHECK(now.at("round") == 12);
    Bytes bytes;
    node.api().download(
        "/v1/jobs/" + job + "/result", [](const std::string&) {},
        [&](std::string_view chunk) { bytes.insert(bytes.end(), chunk.begin(), chunk.end()); });
    return bytes;
  }

  rig::NodeProcess node;
  std::string job;
};

} // namespace

TEST_CASE("whichever actor dies in the middle of a job of rounds, it ends with the same bytes") {
  const auto undisturbed = Alone{}.result();
  CHECK(undisturbed.size() == 8);
  Alone alone;
  std::uint64_t round = 0;
  for (const std::string name : {"job", "round", "store", "scheduler", "slot 0", "api"}) {
    CAPTURE(name);
    const auto frozen = alone.freeze(round);
    round = alone.state().at("round");
    REQUIRE(alone.state().at("state") != "done");
    alone.node.strike(name == "job" ? "job " + alone.job.substr(0, 12) : name, killed);
    CHECK(alone.state().at("round") >= round); // It goes on where it was.
  }
  CHECK(alone.result() == undisturbed);
  CHECK(alone.node.stop() == 0);
}
