#include "tests/node/slot_rig.hpp"

using namespace tessera;
using rig::SlotRig, rig::gate;
using namespace std::chrono_literals;

// A slot whose jobs are modules: their inputs, and their time. What a module does stands in its
// bytes: the name of one of the rig's kernels, or "compiling", which never is done with that.
namespace {

class NamedModules : public Modules {
public:
  Status warm_up() override { return Nothing{}; }
  bool runs(const std::string& kernel) const override { return wasm::is_module_kernel(kernel); }
  Result<std::unique_ptr<KernelRun>> open(const std::string& kernel, ByteView params,
                                          const JobInputs& inputs) override {
    if (auto compiled = check(kernel, params, inputs.module); !compiled)
      return compiled.error();
    name_ = text_of(inputs.module);
    return rig::find_slot_kernel(name_)->open({}, inputs.params, 8);
  }
  Status check(const std::string&, ByteView, ByteView module) override {
    Bytes never;
    if (text_of(module) == "compiling")
      return rig::spin_for_ever(0, 0, never);
    return Nothing{};
  }

private:
  std::string name_;
};

Zygote zygote() {
  auto made = Zygote::start(rig::find_slot_kernel, [] {
    return std::unique_ptr<Modules>(std::make_unique<NamedModules>());
  });
  REQUIRE(made.ok());
  return std::move(*made);
}

Bytes settings() {
  return encode_params(*check_params(
      wasm::module_info(), {{"name", "m.wasm"}, {"time", "1000"}, {"compile_time", "2000"}}));
}

SpecPtr job_of(SlotRig& rig, const std::string& module, const std::string& params = "") {
  auto job = *rig.job_of("wasm");
  job.spec.params = settings();
  job.spec.inputs.clear();
  for (const auto& [text, role] :
       {std::pair{module, Input::Role::module}, {params, Input::Role::params}}) {
    const auto bytes = to_bytes(view(text));
    rig.shelf.files[blob_id(bytes)] = bytes;
    job.spec.inputs.push_back({blob_id(bytes), bytes.size(), role});
  }
  return std::make_shared<const SignedSpec>(std::move(job));
}

} // namespace

TEST_CASE("a module's inputs reach it by their roles") {
  SlotRig rig{zygote()};
  const auto job = job_of(rig, "range", "params");
  CHECK(rig.text_done(rig.start(job)) == "0-1 ");
  CHECK(rig.text_done(rig.start(job, FinishWork{SlotRig::inlined("end ")})) == "end params");
  CHECK(rig.shelf.asked.size() == 1);
}

TEST_CASE("a microtask past its time ends with its worker, by name; others are no worse for it") {
  SlotRig rig{zygote()};
  const auto job = job_of(rig, "gated"), other = job_of(rig, "range");
  CHECK(rig.text_done(rig.start(job)) == "0-1 "); // It is open.
  const auto before = rig.worker();
  gate.shut();
  const auto late = rig.start(job, RunWork{{0, 5}}), behind = rig.start(other);
  rig.stage.pass(990ms);
  CHECK(rig.job.size() == 0);
  rig.stage.pass(10ms);
  const auto failures = rig.failures(2);
  CHECK(failures[0].id == late);
  CHECK(failures[0].why.code == "E732");
  CHECK(failures[0].why.what == "m.wasm takes too long, at item 5");
  CHECK(failures[1].id == behind);
  CHECK(failures[1].why.code == "E709");
  CHECK(rig.frees() == 2);
  CHECK(rig.worker() != before);
  gate.open();
  CHECK(rig.text_done(rig.start(other)) == "0-1 ");
  CHECK(rig.text_done(rig.start(job)) == "0-1 ");
}

TEST_CASE("a module that compiles for too long fails all that its job has there") {
  SlotRig rig{zygote()};
  const auto job = job_of(rig, "compiling"), other = job_of(rig, "range");
  rig.start(job);
  rig.start(job, RunWork{{0, 1}});
  rig.start(other);
  rig.stage.pass(1s);
  CHECK(rig.failures(1)[0].why.code == "E709");
  rig.stage.pass(990ms);
  CHECK(rig.job.size() == 0);
  rig.stage.pass(10ms);
  const auto failures = rig.failures(2);
  CHECK(failures[0].why.code == "E731");
  CHECK(failures[1].why.code == "E731");
  CHECK(rig.text_done((rig.frees(), rig.start(other))) == "0-1 ");
}

TEST_CASE("a submission whose module compiles for too long is refused") {
  SlotRig rig{zygote()};
  auto& api = rig.stage.ear();
  const auto job = job_of(rig, "compiling");
  rig.stage.tell_as(api.actor(), rig.slot,
                    PrepareFor{"wasm", settings(), job->spec.inputs[0].blob});
  rig.stage.pass(2s);
  rig.until([&] { return api.size() > 0; });
  const auto answers = api.take<Prepared>();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].why.code == "E731");
  CHECK(answers[0].why.what == "m.wasm takes too long to compile");
}

TEST_CASE("a module that finds no memory beside others has a worker to itself, and then fails") {
  SlotRig rig{zygote()};
  const auto greedy = job_of(rig, "greedy");
  CHECK(rig.text_done(rig.start(job_of(rig, "range"))) == "0-1 ");
  const auto before = rig.worker();
  CHECK(rig.failed(rig.start(greedy)) == "E709");
  CHECK(rig.worker() != before);
  CHECK(rig.failed(rig.start(greedy)) == "E712");
  CHECK(rig.text_done(rig.start(job_of(rig, "range"))) == "0-1 ");
}
