#include "node/api_actor.hpp"

#include <unistd.h>

#include <cmath>

namespace tessera {
namespace {

using Self = caf::stateful_actor<ApiShell>*;

constexpr auto wait_max = std::chrono::seconds(60);
constexpr auto poll_every = std::chrono::milliseconds(250); // A root elsewhere.
constexpr std::size_t polls_max = 8;     // At once: a root answers 50 a second (JobBookConfig).
constexpr auto calibration_aim_ns = 1e6; // Between 0.1 and 10 ms, architecture 4.1.
constexpr std::uint64_t calibration_enough_ns = 400'000;
constexpr std::uint64_t ttl_ms = 24 * 3600 * 1000ull; // Without any ancestor.
constexpr std::size_t waiters_max = 1024;
constexpr std::size_t unended_max = 1024; // Jobs rooted here at once.

int status_of(const std::string& code) {
  static const std::map<std::string, int> known{
      {"E400", 400}, {"E412", 409}, {"E414", 404}, {"E410", 409}, {"E112", 404},
      {"E111", 507}, {"E602", 409}, {"E510", 403}, {"E304", 404}, {"E404", 404},
      {"E305", 503}, {"E511", 503}, {"E110", 500}, {"E120", 500}, {"E306", 500}};
  const auto it = known.find(code);
  return it == known.end() ? 422 : it->second;
}
void refuse(const Caller& caller, const Error& why, std::optional<int> status = {}) {
  caller.respond(problem(status.value_or(status_of(why.code)), why, caller.path));
}
// What people typed, or a worker said, need not be UTF-8.
void answer(const Caller& caller, int status, const Json& body) {
  caller.respond(json_reply(status, body.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

std::string name_of(Self self, const NodeId& id) {
  const auto& s = self->state;
  if (id == s.setup.own.subject)
    return s.setup.own.name;
  const auto known = s.records.find(id);
  return known == s.records.end() ? "" : known->second->record.name;
}
Json shown(Self self, const JobStatus& status) {
  return job_json(status, [=](const NodeId& id) { return name_of(self, id); });
}
void answer_job(Self self, const Caller& caller, const JobStatus& status, int code = 200) {
  answer(caller, code, shown(self, status));
}

// --- Questions about jobs

void answer_waiters(Self self, const JobStatus& status);

void perform(Self self, JobBookEffects effects) {
  auto& s = self->state;
  for (auto& effect : effects) {
    if (auto* send = std::get_if<SendTo>(&effect)) {
      tell(s.wiring->mesh,
           ToPeer{send->to, std::make_shared<const Message>(std::move(send->message))});
      continue;
    }
    auto& found = std::get<JobsFound>(effect);
    auto ticket = s.tickets.extract(found.ticket);
    if (!ticket.empty())
      ticket.mapped()(std::move(found.jobs));
  }
  arm(self, s.armed, s.book->next_wake());
}

void ask(Self self, const std::string& prefix, std::optional<NodeId> root, ApiShell::Found found) {
  auto& s = self->state;
  const auto ticket = s.next_ticket++;
  s.tickets[ticket] = std::move(found);
  perform(self, s.book->ask(ticket, prefix, root, now(self)));
}

std::string list_of(const std::vector<JobStatus>& jobs) {
  std::string text;
  for (std::size_t i = 0; i < jobs.size() && i < 3; ++i)
    text += (i ? ", " : "") + to_hex(jobs[i].spec->id).substr(0, 12);
  return text + (jobs.size() > 3 ? " ..." : "");
}

// One job by a prefix of its id, or a refusal.
template<class Then>
void find_job(Self self, const std::string& prefix, const Caller& caller, Then then) {
  if (prefix.empty() || prefix.size() > 64 ||
      prefix.find_first_not_of("0123456789abcdef") != prefix.npos)
    return refuse(caller, {"E400", "\"" + prefix + "\" is no job's id",
                           "ids have digits 0-9 and a-f, from 1 to 64 of them",
                           "see them all: tessera jobs --mesh"});
  ask(self, prefix, {}, [=](std::vector<JobStatus> jobs) {
    if (jobs.empty())
      refuse(caller, {"E414", "there is no job " + prefix, "no node of this mesh roots one",
                      "see them all: tessera jobs --mesh"});
    else if (jobs.size() > 1)
      refuse(caller, {"E410", "job " + prefix + " matches " + std::to_string(jobs.size()) + " jobs",
                      list_of(jobs) + " are known here", "give more of its digits"});
    else
      then(jobs.front());
  });
}

void poll(Self self) {
  auto& s = self->state;
  if (!std::exchange(s.polling, true))
    self->delayed_send(self, poll_every, tick_atom_v);
}

void wait_for(Self self, const JobStatus& status, Duration patience, const Caller& caller) {
  auto& s = self->state;
  if (ended(status.state) || patience <= Duration::zero() || s.waiters.size() >= waiters_max) {
    answer_job(self, caller, status);
    return;
  }
  s.waiters.push_back({status, now(self) + patience, caller});
  poll(self);
}

// Answers whoever waits for this job, if it is over.
void answer_waiters(Self self, const JobStatus& status) {
  auto& waiters = self->state.waiters;
  for (auto& waiter : waiters)
    if (waiter.last.spec->id == status.spec->id)
      waiter.last = status;
  if (!ended(status.state))
    return;
  const auto over = std::stable_partition(waiters.begin(), waiters.end(), [&](const auto& waiter) {
    return waiter.last.spec->id != status.spec->id;
  });
  std::vector<ApiShell::Waiter> done{std::make_move_iterator(over),
                                     std::make_move_iterator(waiters.end())};
  waiters.erase(over, waiters.end());
  for (const auto& waiter : done)
    answer_job(self, waiter.caller, waiter.last);
}

void ticked(Self self) {
  auto& s = self->state;
  s.polling = false;
  const auto over = std::stable_partition(s.waiters.begin(), s.waiters.end(),
                                          [&](const auto& w) { return w.until > now(self); });
  for (auto w = over; w != s.waiters.end(); ++w)
    answer_job(self, w->caller, s.book->as_of(w->last, now(self)));
  s.waiters.erase(over, s.waiters.end());
  std::map<JobId, NodeId> elsewhere;
  for (const auto& w : s.waiters)
    if (!s.book->rooted(w.last.spec->id))
      elsewhere[w.last.spec->id] = w.last.root;
  auto next = elsewhere.upper_bound(s.polled);
  for (auto n = std::min(polls_max, elsewhere.size()); n; --n, ++next) {
    if (next == elsewhere.end())
      next = elsewhere.begin();
    s.polled = next->first;
    ask(self, to_hex(next->first), next->second, [=](std::vector<JobStatus> jobs) {
      for (const auto& status : jobs)
        answer_waiters(self, status);
    });
  }
  if (!s.waiters.empty())
    poll(self);
}

// --- Blobs

void send_blob(Self self, const BlobId& blob, const std::string& type, const Caller& caller) {
  self->state.store_asks.ask<FilesAnswer>(self, FilesAsk{{blob}}, [=](const FilesAnswer& answer) {
    const auto mapped =
        answer.files.empty() ? Result<Mapping>{answer.why} : Mapping::of(*answer.files.front());
    if (!mapped)
      return refuse(caller, mapped.error());
    HttpReply reply;
    reply.content_type = type;
    reply.body = std::make_shared<const Bytes>(to_bytes(mapped->bytes()));
    caller.respond(std::move(reply));
  });
}

void pull(Self self, const BlobId& blob, const std::vector<NodeId>& holders,
          ApiShell::Pulled then) {
  auto& pulling = self->state.pulls[blob];
  pulling.holders = holders;
  pulling.then.push_back(std::move(then));
  self->send(self->state.wiring->store, PullFor{blob, holders});
}
void pulled(Self self, const BlobId& blob, bool here) {
  auto over = self->state.pulls.extract(blob);
  if (!over.empty())
    for (const auto& then : over.mapped().then)
      then(here);
}

// --- Results in pieces

constexpr std::size_t pieces_ahead_max = 8; // Of one result: a guess.

void read(Self self, const BlobId& blob, std::function<void(std::shared_ptr<const Bytes>)> then) {
  self->state.store_asks.ask<FilesAnswer>(self, FilesAsk{{blob}}, [=](const FilesAnswer& answer) {
    const auto mapped =
        answer.files.empty() ? Result<Mapping>{answer.why} : Mapping::of(*answer.files.front());
    then(mapped ? std::make_shared<const Bytes>(to_bytes(mapped->bytes())) : nullptr);
  });
}

void go_on(Self self, std::uint64_t number);

void enter(Self self, std::uint64_t number, const BlobId& manifest) {
  const auto entered = [=](const std::shared_ptr<const Bytes>& bytes) {
    const auto f = self->state.fetches.find(number);
    if (f == self->state.fetches.end())
      return;
    f->second.entering = false;
    f->second.failed |= !bytes || !f->second.walk.enter(*bytes);
    go_on(self, number);
  };
  auto& f = self->state.fetches.at(number);
  f.entering = true;
  pull(self, manifest, f.holders, [=](bool here) {
    if (here)
      read(self, manifest, entered);
    else
      entered(nullptr);
  });
}

void ask_ahead(Self self, std::uint64_t number) {
  auto& f = self->state.fetches.at(number);
  while (!f.entering && !f.failed && f.ahead.size() < pieces_ahead_max) {
    const auto part = f.walk.next();
    if (!part)
      return;
    if (part->manifest)
      return enter(self, number, part->blob);
    f.walk.pass();
    f.ahead.push_back({part->blob, part->size, {}});
    pull(self, part->blob, f.holders, [=, blob = part->blob](bool here) {
      const auto f = self->state.fetches.find(number);
      if (f == self->state.fetches.end())
        return;
      for (auto& piece : f->second.ahead)
        if (piece.blob == blob)
          piece.here = here;
      go_on(self, number);
    });
  }
}

// The next piece to whoever waits for it.
void go_on(Self self, std::uint64_t number) {
  ask_ahead(self, number);
  auto& f = self->state.fetches.at(number);
  if (f.ahead.empty() ? f.entering : !f.ahead.front().here)
    return;
  const bool gone = f.ahead.empty() || !*f.ahead.front().here;
  f.failed |= gone;
  if (f.opened)
    return std::exchange(f.opened, nullptr)(!gone);
  if (!f.give)
    return;
  const auto give = std::exchange(f.give, nullptr);
  if (gone)
    return give(nullptr);
  const auto piece = f.ahead.front();
  f.ahead.pop_front();
  read(self, piece.blob, [=](const std::shared_ptr<const Bytes>& bytes) {
    give(bytes && bytes->size() == piece.size ? bytes : nullptr);
  });
}

void next_piece(Self self, const NextPiece& next) {
  const auto f = self->state.fetches.find(next.fetch);
  if (f == self->state.fetches.end())
    return;
  if (!next.give) {
    self->state.fetches.erase(f);
    return;
  }
  f->second.give = next.give;
  go_on(self, next.fetch);
}

// Who ran most of it is asked first.
std::vector<NodeId> holders_of(const JobStatus& status) {
  auto shares = status.shares;
  std::sort(shares.begin(), shares.end(),
            [](const NodeShare& a, const NodeShare& b) { return a.leaves > b.leaves; });
  std::vector<NodeId> holders;
  for (const auto& share : shares)
    holders.push_back(share.node);
  if (std::find(holders.begin(), holders.end(), status.root) == holders.end())
    holders.push_back(status.root);
  return holders;
}

// What goes on in the server when the client is gone is told by its end.
struct FetchTicket {
  caf::actor api;
  std::uint64_t fetch;

  FetchTicket(caf::actor a, std::uint64_t f) : api(std::move(a)), fetch(f) {}
  FetchTicket(const FetchTicket&) = delete;
  ~FetchTicket() { caf::anon_send(api, NextPiece{fetch, {}}); }
};

HttpReply in_pieces(Self self, std::uint64_t number, std::uint64_t size, const std::string& type) {
  HttpReply reply;
  reply.content_type = type;
  reply.stream = std::make_shared<HttpReply::Stream>();
  reply.stream->size = size;
  const auto ticket =
      std::make_shared<const FetchTicket>(caf::actor_cast<caf::actor>(self), number);
  reply.stream->next = [ticket](auto give) {
    caf::anon_send(ticket->api, NextPiece{ticket->fetch, std::move(give)});
  };
  return reply;
}

void send_pieces(Self self, const JobStatus& status, const std::string& type,
                 const Caller& caller) {
  const auto name = to_hex(status.spec->id).substr(0, 12);
  const Error nowhere{"E112", "the result of job " + name + " cannot be had",
                      "some of its pieces are gone with the nodes that held them",
                      "try again when they are back, or submit it again"};
  read(self, status.result, [=](const std::shared_ptr<const Bytes>& bytes) {
    const auto manifest = bytes ? Manifest::of(*bytes) : std::nullopt;
    if (!manifest)
      return refuse(caller, nowhere);
    auto& s = self->state;
    const auto number = s.next_fetch++;
    auto& fetch =
        s.fetches.emplace(number, ApiShell::Fetch{ManifestWalk{*manifest}, holders_of(status)})
            .first->second;
    fetch.opened = [=](bool here) {
      if (here)
        return caller.respond(in_pieces(self, number, manifest->size(), type));
      self->state.fetches.erase(number);
      refuse(caller, nowhere);
    };
    go_on(self, number);
  });
}

void put_blob(Self self, const std::string& hash, HttpRequest& request, const Caller& caller) {
  const auto bytes = from_hex(hash);
  KeepBlob keep;
  if (!bytes || bytes->size() != keep.id.bytes.size())
    return refuse(caller, {"E400", "\"" + hash + "\" is no blob's hash", "a hash has 64 hex digits",
                           "see node/http/API.md"});
  std::copy(bytes->begin(), bytes->end(), keep.id.bytes.begin());
  const auto size = request.body.size();
  auto payload = Payload::take(std::move(request.body));
  if (!payload)
    return refuse(caller, payload.error());
  keep.bytes = std::make_shared<Payload>(std::move(*payload));
  keep.check = true;
  self->state.store_asks.ask<Kept>(self, keep, [=](const Kept& kept) {
    if (!kept.ok)
      return refuse(caller, kept.why);
    answer(caller, 201, {{"schema", 1}, {"blob", hash}, {"size", size}});
  });
}

void get_blob(Self self, const std::string& hash, const Caller& caller) {
  const auto bytes = from_hex(hash);
  BlobId id;
  if (!bytes || bytes->size() != id.bytes.size())
    return refuse(caller, {"E400", "\"" + hash + "\" is no blob's hash", "a hash has 64 hex digits",
                           "see node/http/API.md"});
  std::copy(bytes->begin(), bytes->end(), id.bytes.begin());
  send_blob(self, id, "application/octet-stream", caller);
}

// --- Submission

void accept(Self self, const JobSpec& spec, const Caller& caller) {
  auto& s = self->state;
  const auto sealed = s.setup.codec->seal_spec(spec);
  s.store_asks.ask<Kept>(self, AcceptJob{sealed}, [=](const Kept& kept) {
    if (!kept.ok)
      return refuse(caller, kept.why);
    JobStatus status;
    status.spec = sealed;
    status.root = self->state.setup.own.subject;
    self->state.book->learned(status, now(self));
    tell(self->state.wiring->node, OpenRoot{sealed, {}, {}});
    answer_job(self, caller, status, 201);
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
  return spec;
}

void begin(Self self, const JobRequest& request, JobSpec spec, const Caller& caller) {
  if (spec.params.size() > params_bytes_max)
    return refuse(caller, {"E420", "these parameters are too long",
                           "a job carries at most 64 KiB of them", "shorten them"});
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

// --- Modules

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

void submit_module(Self self, const JobRequest& request, const Caller& caller) {
  if (const auto why = unwelcome(self, request.settings))
    return refuse(caller, *why);
  JobSpec spec;
  spec.inputs = inputs_of(request);
  FilesAsk ask;
  for (const auto& input : spec.inputs)
    ask.blobs.push_back(input.blob);
  self->state.store_asks.ask<FilesAnswer>(self, ask, [=](const FilesAnswer& answer) {
    submit_files(self, request, spec, answer, caller);
  });
}

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

// --- Calls on one job

void send_result(Self self, const JobStatus& status, const Caller& caller) {
  const auto name = to_hex(status.spec->id).substr(0, 12);
  if (status.state == JobState::failed)
    return refuse(caller, status.error, 409);
  if (status.state == JobState::cancelled)
    return refuse(caller, {"E602", "job " + name + " was cancelled", "its submitter asked for that",
                           "submit it again if you need it"});
  if (status.state != JobState::done)
    return refuse(caller, {"E412", "job " + name + " still runs",
                           "its result is there when it is done", "tessera wait " + name});
  const auto* kernel = find_kernel(status.spec->spec.kernel);
  const std::string type = kernel ? kernel->info().result : "application/octet-stream";
  pull(self, status.result, {status.root}, [=](bool here) {
    if (!here)
      refuse(caller, {"E112", "the result of job " + name + " cannot be had",
                      "the node that has it does not answer", "try again when it is back"});
    else if (status.manifest)
      send_pieces(self, status, type, caller);
    else
      send_blob(self, status.result, type, caller);
  });
}

void cancel(Self self, const JobStatus& status, const Caller& caller) {
  auto& s = self->state;
  if (status.spec->spec.submitter != s.setup.own.subject)
    return refuse(caller, {"E510", "job " + to_hex(status.spec->id).substr(0, 12) + " is not ours",
                           "only the node that submitted a job may cancel it",
                           "ask at node " + to_text(status.spec->spec.submitter)});
  if (!ended(status.state)) {
    const auto word =
        std::make_shared<const Message>(CancelJob{s.setup.codec->seal_cancel(status.spec->id)});
    if (status.root == s.setup.own.subject)
      tell(s.wiring->scheduler, FromPeer{status.root, word});
    else
      tell(s.wiring->mesh, ToPeer{status.root, word});
  }
  answer_job(self, caller, status, 202);
}

Duration patience_of(const HttpRequest& request) {
  const auto given = request.query.find("wait");
  if (given == request.query.end())
    return Duration::zero();
  const auto seconds = std::strtod(given->second.c_str(), nullptr);
  const auto most = double(wait_max.count());
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(std::clamp(std::isfinite(seconds) ? seconds : 0, 0.0, most)));
}

void one_job(Self self, std::string rest, const HttpRequest& request, const Caller& caller) {
  const auto slash = rest.find('/');
  const auto what = slash == rest.npos ? "" : rest.substr(slash);
  rest.resize(std::min(slash, rest.size()));
  const bool get = request.method == "GET";
  if (what.empty() && get)
    return find_job(self, rest, caller, [=, patience = patience_of(request)](const auto& status) {
      wait_for(self, status, patience, caller);
    });
  if (what == "/result" && get)
    return find_job(self, rest, caller,
                    [=](const auto& status) { send_result(self, status, caller); });
  if (what == "/cancel" && request.method == "POST")
    return find_job(self, rest, caller, [=](const auto& status) { cancel(self, status, caller); });
  refuse(caller, {"E404", "there is no such call", request.method + " " + request.path,
                  "see node/http/API.md"});
}

// --- The node and its peers

Record own_record(Self self) {
  auto record = self->state.setup.own;
  record.slots_free = self->state.load.slots_free;
  record.paused = self->state.wiring->pause.has_value();
  return record;
}

// What this node has a hand in, and for whom.
Json working_json(Self self) {
  Json list = Json::array();
  for (const auto& [id, status] : self->state.working) {
    if (ended(status.state))
      continue; // It only lingers.
    const auto& spec = status.spec->spec;
    const auto module = wasm::settings_of(spec.kernel, spec.params);
    const auto* blob = spec.input(Input::Role::module);
    list.push_back({{"job", to_hex(id)},
                    {"parent", spec.round ? Json(to_hex(spec.parent)) : Json(nullptr)},
                    {"kernel", spec.kernel + "@" + std::to_string(spec.kernel_version)},
                    {"submitter", to_text(spec.submitter)},
                    {"submitter_name", name_of(self, spec.submitter)},
                    {"rooted", status.root == self->state.setup.own.subject},
                    {"name", blob && module ? Json(module->name) : Json(nullptr)},
                    {"module", blob ? Json(to_hex(blob->blob)) : Json(nullptr)}});
  }
  return list;
}

Json status_json(Self self) {
  const auto& s = self->state;
  const auto own = own_record(self);
  const auto up =
      std::chrono::duration_cast<std::chrono::milliseconds>(now(self) - s.setup.started);
  return {{"schema", 1},
          {"id", to_text(own.subject)},
          {"name", own.name},
          {"version", own.version},
          {"mesh", to_hex(s.setup.mesh.id).substr(0, 16)},
          {"open", s.setup.mesh.open()},
          {"listen", s.setup.listen},
          {"slots", own.slots},
          {"running", running_of(own)},
          {"pause", pause_json(s.wiring->pause)},
          {"peers", 1 + s.records.size()},
          {"jobs", s.working.size()},
          {"working", working_json(self)},
          {"uptime_ms", up.count()},
          {"pid", ::getpid()}};
}

Json peers_json(Self self) {
  const auto& s = self->state;
  Json list = Json::array();
  list.push_back(peer_json({own_record(self), true, false, {}}));
  for (const auto& [id, record] : s.records) {
    PeerView view{record->record, false, s.up.contains(id), {}};
    if (const auto rtt = s.rtts.find(id); view.direct && rtt != s.rtts.end())
      view.rtt_ms = std::chrono::duration<double, std::milli>(rtt->second).count();
    list.push_back(peer_json(view));
  }
  return {{"schema", 1}, {"peers", std::move(list)}};
}

void list_jobs(Self self, bool mesh_wide, const Caller& caller) {
  const auto tell_all = [=](const std::vector<JobStatus>& jobs) {
    Json list = Json::array();
    for (const auto& status : jobs)
      list.push_back(shown(self, status));
    answer(caller, 200, {{"schema", 1}, {"jobs", std::move(list)}});
  };
  if (mesh_wide)
    ask(self, "", {}, tell_all);
  else
    tell_all(self->state.book->rooted(now(self)));
}

// Modules whose bytes were here once may be gone: those are listed without their exports.
void list_kernels(Self self, const Caller& caller) {
  const auto unread = self->state.modules.unread();
  const auto left = std::make_shared<std::size_t>(unread.size());
  const auto tell_all = [=] { answer(caller, 200, kernels_json(self->state.modules.all())); };
  if (unread.empty())
    return tell_all();
  for (const auto& id : unread)
    self->state.store_asks.ask<FilesAnswer>(self, FilesAsk{{id}}, [=](const FilesAnswer& files) {
      const auto bytes =
          files.files.empty() ? Result<Mapping>{files.why} : Mapping::of(*files.files.front());
      if (bytes)
        self->state.modules.read(id, bytes->bytes());
      if (--*left == 0)
        tell_all();
    });
}

void invite(Self self, const Caller& caller) {
  const auto& s = self->state;
  if (s.setup.mesh.open())
    return refuse(caller, {"E304", "an open mesh has no invite", "anyone may join it by a seed",
                           "on another machine: tessera start --open --seed " + s.setup.listen});
  answer(caller, 200, {{"schema", 1}, {"invite", to_invite(s.setup.mesh)}});
}

// Answered once it would survive a restart.
void set_pause(Self self, const PauseFor& what, const Caller& caller) {
  self->request(self->state.wiring->node, caf::infinite, what)
      .then(
          [=](const PauseSet& set) {
            if (!set.why.code.empty())
              return refuse(caller, set.why);
            answer(caller, 200, {{"schema", 1}, {"pause", pause_json(set.pause)}});
          },
          [](const caf::error&) {}); // The node's own actor died, and the process with it.
}
void pause(Self self, const HttpRequest& request, const Caller& caller) {
  const auto time = pause_request(request.body);
  if (!time)
    return refuse(caller, time.error());
  set_pause(self, {false, *time}, caller);
}

void stop(Self self, const Caller& caller) {
  answer(caller, 202, {{"schema", 1}, {"stopping", true}});
  tell(self->state.wiring->node, leave_atom_v);
}

bool asks_mesh(const HttpRequest& request) {
  const auto mesh = request.query.find("mesh");
  return mesh != request.query.end() && mesh->second == "1";
}

void called(Self self, HttpRequest& request, const Caller& caller) {
  const auto is = [&](std::string_view method, std::string_view path) {
    return request.method == method && request.path == path;
  };
  const auto under = [&](std::string_view folder) {
    return request.path.starts_with(folder) ? request.path.substr(folder.size()) : std::string{};
  };
  if (is("GET", "/healthz") || is("GET", "/readyz"))
    return caller.respond(
        {200, "text/plain", {}, std::make_shared<const Bytes>(to_bytes(view("ok")))});
  if (is("GET", "/v1/status"))
    return answer(caller, 200, status_json(self));
  if (is("GET", "/v1/invite"))
    return invite(self, caller);
  if (is("GET", "/v1/peers"))
    return answer(caller, 200, peers_json(self));
  if (is("GET", "/v1/kernels"))
    return list_kernels(self, caller);
  if (is("POST", "/v1/stop"))
    return stop(self, caller);
  if (is("POST", "/v1/pause"))
    return pause(self, request, caller);
  if (is("POST", "/v1/resume"))
    return set_pause(self, {true, {}}, caller);
  if (is("POST", "/v1/jobs"))
    return submit(self, request, caller);
  if (is("GET", "/v1/jobs"))
    return list_jobs(self, asks_mesh(request), caller);
  if (const auto rest = under("/v1/jobs/"); !rest.empty())
    return one_job(self, rest, request, caller);
  if (const auto hash = under("/v1/blobs/"); !hash.empty() && request.method == "PUT")
    return put_blob(self, hash, request, caller);
  else if (!hash.empty() && request.method == "GET")
    return get_blob(self, hash, caller);
  refuse(caller, {"E404", "there is no such call", request.method + " " + request.path,
                  "see node/http/API.md"});
}

void peer_news(Self self, const PeerNews& news) {
  auto& s = self->state;
  if (news.kind == PeerNews::Kind::up) {
    s.up.insert(news.peer);
    s.book->peer_up(news.peer);
    return;
  }
  s.up.erase(news.peer);
  s.rtts.erase(news.peer);
  perform(self, s.book->peer_down(news.peer, now(self)));
}

void from_peer(Self self, const FromPeer& letter) {
  auto& book = *self->state.book;
  if (const auto* query = std::get_if<JobQuery>(letter.message.get()))
    perform(self, book.receive(letter.from, *query, now(self)));
  else if (const auto* answer = std::get_if<JobAnswer>(letter.message.get()))
    perform(self, book.receive(letter.from, *answer, now(self)));
}

void job_news(Self self, const JobNews& news) {
  auto& s = self->state;
  if (!ended(news.status.state) || s.working.contains(news.status.spec->id))
    s.working[news.status.spec->id] = news.status;
  s.modules.learned(*news.status.spec);
  if (!news.rooted)
    return;
  s.book->learned(news.status, now(self));
  answer_waiters(self, news.status);
}

// What the journal tells is older than what the jobs say themselves.
void resumed(Self self, const Roots& roots) {
  auto& s = self->state;
  for (const auto& root : roots.roots)
    if (const auto& spec = *root.status.spec;
        spec.spec.round == 0 && (ended(root.status.state) || !s.book->rooted(spec.id)))
      s.book->learned(root.status, now(self));
  s.resumed = true;
  for (auto& call : std::exchange(s.early, {}))
    called(self, *call.request, {call.respond, call.request->path});
}

void wire(Self self, WiringPtr& wiring) {
  auto& s = self->state;
  const auto before = std::exchange(s.wiring, wiring);
  if (before->store != wiring->store) {
    s.store_asks.again();
    for (const auto& [blob, pulling] : s.pulls)
      self->send(wiring->store, PullFor{blob, pulling.holders});
  }
  if (!before->slots.empty() && before->slots.front() != wiring->slots.front())
    slot_died(self);
}

} // namespace

caf::behavior api_actor(Self self, ApiSetup setup, WiringPtr wiring) {
  auto& s = self->state;
  s.book.emplace(JobBookConfig{.self = setup.own.subject}, setup.seed);
  s.setup = std::move(setup);
  s.load.slots_free = s.setup.own.slots;
  s.wiring = std::move(wiring);
  return {
      [=](HttpCall& call) {
        if (self->state.resumed)
          called(self, *call.request, {call.respond, call.request->path});
        else
          self->state.early.push_back(std::move(call));
      },
      [=](const Roots& roots) { resumed(self, roots); },
      [=](const FromPeer& letter) { from_peer(self, letter); },
      [=](const JobNews& news) { job_news(self, news); },
      [=](const JobGone& gone) { self->state.working.erase(gone.job); },
      [=](const PeerNews& news) { peer_news(self, news); },
      [=](const RecordNews& news) {
        if (news.record)
          self->state.records[news.subject] = news.record;
        else
          self->state.records.erase(news.subject);
      },
      [=](const RttNews& news) { self->state.rtts[news.peer] = news.rtt; },
      [=](const OwnLoad& load) { self->state.load = load; },
      [=](const NextPiece& next) { next_piece(self, next); },
      [=](const BlobHere& here) { pulled(self, here.blob, true); },
      [=](const BlobGone& gone) { pulled(self, gone.blob, false); },
      [=](const WorkDone& done) { tried_leaf(self, done.id, done.cpu_ns, nullptr); },
      [=](const WorkFailed& failed) { tried_leaf(self, failed.id, 0, &failed.why); },
      [=](WiringPtr& wiring) { wire(self, wiring); },
      [=](tick_atom) { ticked(self); },
      [=](wake_atom) {
        if (woken(self, self->state.armed))
          perform(self, self->state.book->wake(now(self)));
      },
  };
}

} // namespace tessera
