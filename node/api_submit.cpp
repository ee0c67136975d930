#include "node/api_shell.hpp"
#include "node/eligible.hpp"
#include "node/kernels/each_input.hpp"
#include "node/kernels/native.hpp"

#include <cmath>

namespace tessera::api {

namespace {

constexpr auto calibration_aim_ns = 1e6; // Between 0.1 and 10 ms, architecture 4.1.
constexpr std::uint64_t calibration_enough_ns = 400'000;
constexpr std::uint64_t ttl_ms = 24 * 3600 * 1000ull; // Without any ancestor.

// Its key, if any, is written with it, and what it is answered.
std::optional<Submission> submission_of(Self self, const Caller& caller, const std::string& told) {
  if (!caller.submission)
    return std::nullopt;
  auto submission = *caller.submission;
  submission.answer = told;
  submission.since_ms = unix_ms(self);
  return submission;
}

void accept(Self self, const JobSpec& spec, const Caller& caller) {
  auto& s = self->state;
  JobStatus status;
  const auto sealed = status.spec = s.setup.codec->seal_spec(spec);
  status.root = s.setup.own.subject;
  const auto told = line_of(shown(self, status));
  const AcceptJob job{sealed, submission_of(self, caller, told)};
  s.store_asks.ask<Kept>(self, job, [=](const Kept& kept) {
    if (!kept.ok)
      return refuse(caller, kept.why);
    self->state.book->learned(status, now(self));
    tell(self->state.wiring->node, OpenRoot{sealed, {}, {}});
    caller.respond(json_reply(201, told));
  });
}

void try_leaf(Self self, ApiShell::Calibration calibration) {
  auto& s = self->state;
  calibration.trial = s.setup.codec->seal_spec(calibration.spec);
  const auto id = s.next_ticket++;
  tell(s.wiring->slots.front(), StartFor{caf::actor_cast<caf::actor>(self), calibration.trial, id,
                                         RunWork{Block{0, 0}}, false});
  s.calibrations[id] = std::move(calibration);
}

} // namespace

void tried_leaf(Self self, WorkId id, std::uint64_t cpu_ns, const Error* why) {
  auto& s = self->state;
  auto over = s.calibrations.extract(id);
  if (over.empty())
    return;
  auto& calibration = over.mapped();
  tell(s.wiring->slots.front(), DropJob{calibration.trial->id});
  if (why)
    return refuse(calibration.caller, *why);
  auto& spec = calibration.spec;
  if (cpu_ns >= calibration_enough_ns || spec.leaf_items >= spec.items)
    return accept(self, spec, calibration.caller);
  const auto growth =
      std::clamp(calibration_aim_ns / double(std::max<std::uint64_t>(1, cpu_ns)), 2.0, 64.0);
  const auto step = std::uint64_t{1} << int(std::log2(growth));
  spec.leaf_items = spec.leaf_items > spec.items / step ? spec.items : spec.leaf_items * step;
  try_leaf(self, std::move(calibration));
}

namespace {

JobSpec new_spec(Self self, const JobRequest& request, const KernelInfo& info, const Plan& plan) {
  JobSpec spec;
  spec.submitter = self->state.setup.own.subject;
  fill_random(spec.nonce);
  spec.submitted_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  spec.kernel = info.name;
  spec.kernel_version = info.version;
  spec.params = encode_params(request.params);
  spec.items = plan.items;
  spec.leaf_items = std::min(request.leaf ? request.leaf : plan.leaf_items, plan.items);
  spec.ttl_ms = ttl_ms;
  apply(request.wishes, spec);
  return spec;
}

std::vector<Record> nodes(Self self) {
  std::vector<Record> all{own_record(self)};
  for (const auto& [id, record] : self->state.records)
    all.push_back(record->record);
  return all;
}

void begin(Self self, const JobRequest& request, JobSpec spec, const Caller& caller) {
  if (spec.params.size() > params_bytes_max)
    return refuse(caller, {"E420", "these parameters are too long",
                           "a job carries at most 64 KiB of them", "shorten them"});
  if (!request.wishes.wait_for_peers)
    if (const auto nobody = nobody_can(spec, eligible_of(spec, nodes(self))))
      return refuse(caller, *nobody);
  if (!request.auto_leaf)
    return accept(self, spec, caller);
  spec.leaf_items = 1;
  try_leaf(self, {request, spec, {}, caller});
}

void plan(Self self, const JobRequest& request, const Prepared& input, const Caller& caller) {
  const auto planned = request.kernel->plan(request.params, request.items, input.head);
  if (!planned)
    return refuse(caller, planned.error());
  auto spec = new_spec(self, request, request.kernel->info(), *planned);
  if (request.input)
    spec.inputs.push_back({input.input, input.size});
  begin(self, request, std::move(spec), caller);
}

// In the first slot's worker.
void prepare(Self self, PrepareFor what, const Caller& caller,
             std::function<void(const Prepared&)> then) {
  auto& s = self->state;
  const auto number = s.next_ticket++;
  s.preparing[number] = caller;
  self->request(s.wiring->slots.front(), caf::infinite, std::move(what))
      .then(
          [=](const Prepared& prepared) {
            if (!self->state.preparing.erase(number))
              return;
            if (!prepared.why.code.empty())
              return refuse(caller, prepared.why);
            then(prepared);
          },
          [](const caf::error&) {}); // The slot died: see slot_died().
}

// Why this node would not run it.
std::optional<Error> unwelcome(Self self, const wasm::Settings& module) {
  const auto& offered = self->state.setup.own.kernels;
  const auto version = "@" + std::to_string(wasm::module_info().version);
  const auto offers = [&](const wasm::Class& c) {
    return std::ranges::find(offered, c.kernel + version) != offered.end();
  };
  if (std::ranges::none_of(wasm::classes(), offers))
    return Error{"E513", "this node runs no modules",
                 "its owner said so (--no-wasm), or its build has no engine, or a worker has less "
                 "than 384 MiB",
                 "submit it at another node; native kernels run here: tessera kernels"};
  if (offers(wasm::class_for(module.limits)))
    return std::nullopt;
  return Error{"E514", module.name + " wants more memory than this node gives",
               std::to_string(module.limits.memory_bytes) +
                   " bytes do not fit twice into one of its workers, with 256 MiB beside",
               "lower --memory, or give workers more: tessera start --memory SIZE"};
}

std::vector<Input> inputs_of(const JobRequest& request) { // Their sizes are not known yet.
  std::vector<Input> inputs;
  if (request.input)
    inputs.push_back({*request.input, 0, Input::Role::data});
  inputs.push_back({request.module, 0, Input::Role::module});
  if (request.module_params)
    inputs.push_back({*request.module_params, 0, Input::Role::params});
  if (request.state)
    inputs.push_back({*request.state, 0, Input::Role::state});
  return inputs;
}

// What is wrong with these files, which are those of spec.inputs; else their sizes are noted.
Status read_inputs(const JobRequest& request, const std::vector<FdPtr>& files, JobSpec& spec) {
  for (std::size_t i = 0; i != files.size(); ++i) {
    const auto bytes = Mapping::of(*files[i]);
    if (!bytes)
      return bytes.error();
    auto& input = spec.inputs[i];
    input.size = bytes->bytes().size();
    if (input.role != Input::Role::module)
      continue;
    const auto& settings = request.settings;
    const auto abi = wasm::check_module(settings.name, bytes->bytes(), settings.limits);
    if (!abi)
      return abi.error();
    const bool has_input = request.input.has_value();
    if (auto fits = wasm::check_rounds(settings, *abi, has_input); request.rounds && !fits)
      return fits;
    if (auto fits = wasm::check_tree(settings, *abi, request.budget); request.tree && !fits)
      return fits;
  }
  return Nothing{};
}

// Its outline is looked at here, its code compiled in a worker; then it is a job like any other.
void submit_files(Self self, const JobRequest& request, JobSpec spec, const FilesAnswer& answer,
                  const Caller& caller) {
  if (answer.files.size() != spec.inputs.size())
    return refuse(caller, answer.why);
  if (auto sound = read_inputs(request, answer.files, spec); !sound)
    return refuse(caller, sound.error());
  const auto* data = spec.input(Input::Role::data);
  const auto planned = request.tree ? wasm::tree_plan()
                                    : wasm::plan(request.settings, request.items,
                                                 data ? std::optional{data->size} : std::nullopt);
  if (!planned)
    return refuse(caller, planned.error());
  auto planned_spec = new_spec(self, request, wasm::module_info(), *planned);
  planned_spec.kernel = wasm::class_for(request.settings.limits).kernel;
  planned_spec.inputs = spec.inputs;
  wasm::set_shape(planned_spec, request.rounds, request.tree, request.budget);
  prepare(self, PrepareFor{planned_spec.kernel, planned_spec.params, request.module}, caller,
          [=](const Prepared&) { begin(self, request, planned_spec, caller); });
}

void submit_checked(Self self, const JobRequest& request, const Caller& caller) {
  JobSpec spec;
  spec.inputs = inputs_of(request);
  FilesAsk ask;
  for (const auto& input : spec.inputs)
    ask.blobs.push_back(input.blob);
  self->state.store_asks.ask<FilesAnswer>(self, ask, [=](const FilesAnswer& answer) {
    submit_files(self, request, spec, answer, caller);
  });
}

// A list of tasks gets its index first, as that of a native kernel does.
void submit_module(Self self, const JobRequest& request, const Caller& caller) {
  if (const auto why = unwelcome(self, request.settings))
    return refuse(caller, *why);
  if (!request.each)
    return submit_checked(self, request, caller);
  const auto record = std::int64_t(request.settings.record_bytes);
  const auto params = check_params(each_kernel().info(), {{"record", std::to_string(record)}});
  prepare(self, PrepareFor{each_kernel().info().name, encode_params(*params), *request.input},
          caller, [=](const Prepared& indexed) {
            auto each = request;
            each.input = indexed.input;
            each.items = EachInput::tasks(indexed.head);
            submit_checked(self, each, caller);
          });
}

} // namespace

void submit(Self self, const HttpRequest& http, const Caller& caller) {
  auto& s = self->state;
  const auto request = job_request(http.body);
  if (!request)
    return refuse(caller, request.error());
  if (s.wiring->slots.empty())
    return refuse(caller, {"E305", "this node is not ready", "it is still starting", "try again"});
  if (s.book->unended() >= unended_max)
    return refuse(caller, {"E511", "this node has too many unfinished jobs",
                           "at most " + std::to_string(unended_max) + " are taken at a time",
                           "wait for some, or submit at another node"});
  if (!request->kernel)
    return submit_module(self, *request, caller);
  if (!request->input)
    return plan(self, *request, {}, caller);
  prepare(self,
          PrepareFor{request->kernel->info().name, encode_params(request->params), *request->input},
          caller, [=, request = *request](const Prepared& prepared) {
            plan(self, request, prepared, caller);
          });
}

// What the first slot took along is not tried again: it may have died of it.
void slot_died(Self self) {
  auto& s = self->state;
  const Error why{"E710", "a worker process died", "it read this input",
                  "is the file what it seems to be? try again"};
  for (const auto& [number, caller] : std::exchange(s.preparing, {}))
    refuse(caller, why);
  for (const auto& [id, calibration] : std::exchange(s.calibrations, {}))
    refuse(calibration.caller, why);
}

} // namespace tessera::api
