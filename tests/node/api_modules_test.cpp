#include "node/kernels/each_input.hpp"
#include "tests/node/api_rig.hpp"
#include "tests/support/wat.hpp"

using namespace tessera;
using namespace tessera::rig;

namespace {

const std::vector<std::string> usual{"sumsq@1", "wasm-64m@2", "wasm@2"};
const auto good = rig::kernel(R"((func (export "run") (result i32) (i32.const 0)))");
const auto aborting = rig::wat(R"((module (import "env" "abort" (func)) (memory (export "memory") 1)
  (func (export "run") (result i32) (i32.const 0))))");

class ModuleApi : public Api {
public:
  explicit ModuleApi(std::vector<std::string> kernels = usual)
      : Api(found_mesh(), true, std::move(kernels)) {}

  std::string put(const Bytes& bytes) {
    script.files[blob_id(bytes)] = bytes;
    return to_hex(blob_id(bytes));
  }
  Json body(const Bytes& module, Json params = Json::object()) {
    params["name"] = "task.wasm";
    return {{"kernel", "wasm"}, {"items", 100'000}, {"params", params}, {"module", put(module)}};
  }
  std::string submitted(const Json& body) { return post("/v1/jobs", body.dump())->code(); }
};

} // namespace

TEST_CASE("a module is checked here, compiled in a worker, and becomes a job like any other") {
  ModuleApi api;
  auto body = api.body(good);
  body["input"] = api.put(to_bytes(view("data")));
  body["module_params"] = api.put(to_bytes(view("params")));
  const auto answer = api.post("/v1/jobs", body.dump());
  CHECK(answer->status() == 201);
  CHECK(answer->json().at("kernel") == "wasm@2");
  CHECK(answer->json().at("leaf") == 2);
  REQUIRE(api.told.prepared.size() == 1);
  CHECK(api.told.prepared[0].kernel == "wasm");
  CHECK(api.told.prepared[0].input == blob_id(good));
  REQUIRE(api.told.accepted.size() == 1);
  using Role = Input::Role;
  CHECK(api.told.accepted[0]->spec.inputs ==
        std::vector<Input>{{blob_id(view("data")), 4, Role::data},
                           {blob_id(good), good.size(), Role::module},
                           {blob_id(view("params")), 6, Role::params}});
  CHECK(api.told.accepted[0]->spec.params == api.told.prepared[0].params);
  CHECK(api.told.opened.size() == 1);
}

TEST_CASE("a module of little memory is a kernel that small nodes run as well") {
  ModuleApi api;
  CHECK(api.submitted(api.body(good, {{"memory", 65536}})) == "");
  CHECK(api.told.accepted.at(0)->spec.kernel == "wasm-64m");
}

TEST_CASE("what is no good is refused, and no worker sees it") {
  ModuleApi api;
  CHECK(api.submitted(api.body(aborting)) == "E501");
  CHECK(api.submitted(api.body(to_bytes(view("no module")))) == "E502");
  CHECK(api.submitted(api.body(good, {{"memory", 1 << 30}})) == "E514");
  auto body = api.body(good);
  body.erase("items");
  CHECK(api.submitted(body) == "E421");
  body["module"] = to_hex(blob_id(view("not here")));
  CHECK(api.submitted(body) == "E112");
  CHECK(api.told.prepared.empty());
  CHECK(api.told.accepted.empty());
  ModuleApi without{{"sumsq@1"}};
  CHECK(without.submitted(without.body(good)) == "E513");
}

TEST_CASE("what the worker says of a module's code is the answer") {
  ModuleApi api;
  api.script.input.why = {"E731", "task.wasm takes too long to compile", "why", "fix"};
  api.refused(api.post("/v1/jobs", api.body(good).dump()), 422, "E731", "/v1/jobs");
  CHECK(api.told.accepted.empty());
}

TEST_CASE("a map of single tasks is indexed first, and then a job of as many items") {
  ModuleApi api;
  Bytes index;
  REQUIRE(EachInput::index(view("one\ntwo\nthree\n"), 0, index).ok());
  const auto indexed = api.put(index);
  api.script.input = {blob_id(index), index.size(), to_bytes(ByteView{index}.first(16)), {}};
  auto body = api.body(good);
  body.erase("items");
  body["each"] = api.put(to_bytes(view("one\ntwo\nthree\n")));
  CHECK(api.submitted(body) == "");
  REQUIRE(api.told.prepared.size() == 2);
  CHECK(api.told.prepared[0].kernel == "each");
  CHECK(api.told.prepared[0].input == blob_id(view("one\ntwo\nthree\n")));
  const auto& spec = api.told.accepted.at(0)->spec;
  CHECK(spec.items == 3);
  CHECK(spec.leaf_items == 1);
  CHECK(to_hex(spec.input(Input::Role::data)->blob) == indexed);
  CHECK(wasm::settings_of(spec.kernel, spec.params)->each);
}

TEST_CASE("a map of single tasks has no shape or input of another kind") {
  ModuleApi api;
  const auto file = api.put(to_bytes(view("one\n")));
  for (const auto& [key, value] : {std::pair{"input", Json(file)},
                                   {"rounds", Json(2)},
                                   {"tree", Json(true)},
                                   {"items", Json(1)}}) {
    auto body = api.body(good);
    body.erase("items");
    body["each"] = file;
    body[key] = value;
    CAPTURE(key);
    CHECK(api.submitted(body) == "E422");
  }
  CHECK(api.told.accepted.empty());
}

TEST_CASE("a job of rounds is one of a module that steps, and none of its rounds is listed") {
  ModuleApi api;
  const auto steps = rig::kernel(R"((func (export "run") (result i32) (i32.const 0))
    (func (export "step") (result i32) (i32.const 0)))");
  auto body = api.body(steps);
  body["rounds"] = 5;
  body["state"] = api.put(to_bytes(view("first")));
  const auto answer = api.post("/v1/jobs", body.dump());
  CHECK(answer->status() == 201);
  CHECK(answer->json().at("rounds") == 5);
  REQUIRE(api.told.accepted.size() == 1);
  const auto& job = *api.told.accepted[0];
  CHECK(job.spec.shape == Shape::rounds);
  CHECK(job.spec.rounds == 5);
  CHECK(*job.spec.input(Input::Role::state) ==
        Input{blob_id(view("first")), 5, Input::Role::state});

  const auto& ours = *api.codec;
  JobStatus round;
  round.spec = ours.seal_spec(round_spec(job, 2, {}, 0));
  round.state = JobState::running;
  round.root = api.self.id();
  api.tell(Roots{{{round, {}}}});
  CHECK(api.get("/v1/jobs")->json().at("jobs").size() == 1);
  api.tell(JobNews{round, false}); // As if it were another's.
  CHECK(api.get("/v1/jobs")->json().at("jobs").size() == 1);
  const auto working = api.get("/v1/status")->json().at("working");
  REQUIRE(working.size() == 1);
  CHECK(working[0].at("parent") == to_hex(job.id));

  body["input"] = api.put(to_bytes(view("data")));
  CHECK(api.submitted(body) == "E422");
  body["params"]["record"] = 2;
  body.erase("items");
  CHECK(api.submitted(body) == "");
  body = api.body(good);
  CHECK(api.submitted(body) == "");
  body["rounds"] = 5;
  CHECK(api.submitted(body) == "E503");
}

TEST_CASE("--leaf auto tries the module's own leaves") {
  ModuleApi api;
  api.script.leaf_ns = [](std::uint64_t leaf) { return 10'000 * leaf; };
  auto body = api.body(good);
  body["leaf"] = "auto";
  const auto answer = api.post("/v1/jobs", body.dump());
  CHECK(answer->status() == 201);
  CHECK(answer->json().at("leaf") == 64);
  CHECK(api.told.started.at(0).spec->spec.input(Input::Role::module)->blob == blob_id(good));
}

TEST_CASE("modules that jobs brought are listed with who signed them, and the work with for whom") {
  ModuleApi api;
  api.put(good);
  const Codec theirs{api.other, Api::mesh_id()};
  JobSpec spec;
  spec.submitter = api.other.id();
  spec.kernel = "wasm";
  spec.items = 9;
  spec.params = encode_params(*check_params(wasm::module_info(), {{"name", "their.wasm"}}));
  spec.inputs = {{blob_id(good), good.size(), Input::Role::module}};
  JobStatus status;
  status.state = JobState::running;
  status.root = api.other.id();
  for (std::uint8_t nonce : {1, 2, 2}) {
    spec.nonce[0] = nonce;
    status.spec = theirs.seal_spec(spec);
    api.tell(JobNews{status, false});
  }
  const auto modules = api.get("/v1/kernels")->json().at("modules");
  REQUIRE(modules.size() == 1);
  CHECK(modules[0].at("module") == to_hex(blob_id(good)));
  CHECK(modules[0].at("name") == "their.wasm");
  CHECK(modules[0].at("jobs") == 2);
  CHECK(modules[0].at("exports") == Json{"memory", "run"});
  CHECK(modules[0].at("signed_by") == Json{to_text(api.other.id())});
  const auto working = api.get("/v1/status")->json().at("working");
  REQUIRE(working.size() == 2);
  CHECK(working[0].at("name") == "their.wasm");
  CHECK(working[0].at("submitter") == to_text(api.other.id()));
  CHECK(working[0].at("rooted") == false);
  api.tell(JobGone{status.spec->id});
  CHECK(api.get("/v1/status")->json().at("working").size() == 1);

  api.script.files.clear();
  ModuleApi gone;
  gone.tell(JobNews{status, false});
  CHECK(gone.get("/v1/kernels")->json().at("modules").at(0).at("exports") == nullptr);
}
