#include "node/slot_actor.hpp"

#include "node/kernels/block_run.hpp"
#include "node/kernels/kernel.hpp"

#include <asio/post.hpp>

#include <caf/actor_cast.hpp>

namespace tessera {
namespace {

using Self = caf::stateful_actor<SlotShell>*;

constexpr std::size_t opened_max = 16; // Jobs held open in one worker; fewer than it allows.
const Error worker_died{"E710", "a worker process died", "it crashed, or was stopped with its job",
                        "its block is tried again; look at the input if this comes back"};
const Error waited_behind{"E709", "a worker process did not come to this",
                          "what it does for another call takes long, or ended it",
                          "it is done again: nothing is to be done about it"};

const Error paused_here{paused_code, "this node is paused",
                        "its owner wants the machine for something else",
                        "others may do it, or: tessera resume"};
constexpr auto pause_grace = std::chrono::milliseconds(500); // A guess: what runs is soon over.
constexpr auto wait_max = std::chrono::seconds(1);           // A guess. Behind another job's call.
constexpr auto paused_call_max = std::chrono::seconds(1);    // A guess. Of merges, and the like.

void tell_failed(Self self, const SlotShell::Call& call, const Error& why) {
  if (call.owner)
    self->send(call.owner, WorkFailed{call.id, why});
}

void fail(Self self, SlotShell::Call call, const Error& why) {
  tell_failed(self, call, why);
  if (call.prepared.pending())
    call.prepared.deliver(Prepared{{}, 0, {}, why});
}

// Each StartFor that the scheduler counts ends with one.
void tell_free(Self self, bool scheduled) {
  if (scheduled)
    self->send(self->state.wiring->scheduler, SlotFree{self->state.setup.number});
}

// The worker is watched by the Asio thread, which only says that there is something to read.
void watch(Self self) {
  auto& s = self->state;
  s.watch->async_wait(
      asio::posix::stream_descriptor::wait_read,
      [slot = caf::actor_cast<caf::actor>(self), keep = s.watch](std::error_code failed) {
        if (!failed)
          caf::anon_send(slot, readable_atom_v);
      });
}

void unwatch(Self self) {
  // On Asio's thread: the descriptor is its object.
  if (auto old = std::exchange(self->state.watch, nullptr))
    asio::post(*self->state.setup.io, [old] { old->close(); });
}

// Throws when no worker can be had: the slot dies, and whoever monitors it decides.
void spawn_worker(Self self) {
  auto& s = self->state;
  auto worker = s.setup.zygote->spawn(s.setup.limits);
  if (!worker)
    throw std::runtime_error(to_text(worker.error()));
  s.worker = std::move(*worker);
  s.watch =
      std::make_shared<asio::posix::stream_descriptor>(*s.setup.io, ::dup(s.worker.socket.get()));
  watch(self);
}

std::uint64_t at_most_ns(Duration d) {
  return std::uint64_t(std::max<std::int64_t>(0, std::chrono::nanoseconds(d).count()));
}

std::uint64_t leaves_of(const SlotShell::Call& call) {
  if (call.kind != SlotShell::Call::Kind::run)
    return 0;
  const auto leaves = Leaves::of(call.spec->spec.items, call.spec->spec.leaf_items);
  return leaves ? leaves->tree.end(call.block) - leaves->tree.begin(call.block) : 0;
}

// Of a round: for the job that it is of.
void account(Self self, const SlotShell::Call& call, const Usage& usage) {
  if (!call.spec || usage == Usage{})
    return;
  const auto& spec = call.spec->spec;
  tell(self->state.wiring->store,
       UsedFor{spec.submitter, spec.round ? spec.parent : call.spec->id, spec.kernel, usage});
}

// What it was doing failed with `why`; whatever waited behind is no worse for it, but for calls
// that `shared` says have the same to expect.
template<class Shared>
void replace_worker(Self self, const Error& why, Shared shared) {
  auto& s = self->state;
  const auto first = s.clock.first();
  if (first) // What it took is not known any better.
    account(self, s.calls.at(*first), {0, at_most_ns(now(self) - s.clock.since()), 0});
  unwatch(self);
  s.setup.zygote->kill(s.worker.pid);
  s.opened.clear();
  s.outbox.clear();
  s.clock.clear();
  const auto lost = std::exchange(s.calls, {});
  spawn_worker(self);
  for (const auto& [number, call] : lost) {
    fail(self, call, number == first || shared(call) ? why : waited_behind);
    tell_free(self, call.scheduled);
  }
}
void replace_worker(Self self) {
  replace_worker(self, worker_died, [](const SlotShell::Call&) { return false; });
}

using Call = SlotShell::Call;

Error compiles_too_long(const std::string& module) {
  return {"E731", module + " takes too long to compile", "its worker was stopped",
          "make it smaller (-Oz, fewer templates), or give it more time: --compile-limit MS"};
}

std::string items_of(const JobSpec& spec, Block block) {
  const auto leaves = *Leaves::of(spec.items, spec.leaf_items);
  const auto begin = leaves.range(leaves.tree.begin(block)).first;
  const auto end = leaves.range(leaves.tree.end(block) - 1).second;
  return end - begin == 1
             ? ", at item " + std::to_string(begin)
             : ", at items " + std::to_string(begin) + " to " + std::to_string(end - 1);
}

// A block may take as long as one microtask. If it has more of them its job cuts it down, until the
// one that takes too long stands alone.
Error runs_too_long(const wasm::Settings& module, const Call& call) {
  const auto where = call.kind == Call::Kind::run     ? items_of(call.spec->spec, call.block)
                     : call.kind == Call::Kind::merge ? ", in a merge"
                     : call.spec->spec.in_rounds()    ? ", in step"
                                                      : ", at its end";
  return {"E732", module.name + " takes too long" + where,
          "its worker was stopped after " + std::to_string(module.call_time.count()) + " ms",
          "use smaller leaves (--leaf N), or give it more time: --time-limit MS"};
}

Error too_slow(const SlotShell& s, const Call& call) {
  if (call.kind == Call::Kind::prepare)
    return compiles_too_long(call.module);
  const auto& module = *s.opened.at(call.spec->id).module;
  return call.kind == Call::Kind::open ? compiles_too_long(module.name)
                                       : runs_too_long(module, call);
}

// Whether its job could have this done elsewhere while another's call is under way. The scheduler
// does not hear of that: it would only send more to wait here.
bool waits(const SlotShell& s, std::uint64_t number, const Call& call) {
  if (number == s.clock.first() || !call.owner || !call.scheduled)
    return false;
  const auto& running = s.calls.at(*s.clock.first()).spec;
  return !running || running->id != call.spec->id;
}

// What waits behind a call that takes long is given back; the worker's answer, if it ever comes to
// it, is for nobody. When that is due next.
std::optional<Time> give_back_waiting(Self self) {
  auto& s = self->state;
  const auto due = s.clock.since() + wait_max;
  for (auto& [number, call] : s.calls)
    if (s.clock.first() && waits(s, number, call)) {
      if (now(self) < due)
        return due;
      tell_failed(self, call, waited_behind);
      call.owner = nullptr;
    }
  return std::nullopt;
}

// Ends the call under way if its time is over. A module that takes too long to compile does so for
// all calls of its job.
void look_at_clock(Self self) {
  auto& s = self->state;
  if (s.clock.hurried(now(self))) {
    replace_worker(self, paused_here, [](const Call&) { return false; });
  } else if (const auto late = s.clock.overdue(now(self))) {
    const auto& call = s.calls.at(*late);
    const auto spec = call.kind == Call::Kind::open ? call.spec : nullptr;
    replace_worker(self, too_slow(s, call),
                   [=](const Call& other) { return spec && other.spec == spec; });
  }
  arm(self, s.armed, s.clock.next_wake());
  arm(self, s.armed, give_back_waiting(self));
}

std::uint64_t call_of(const WorkerRequest& request) { // 0: it asks for no answer.
  return std::visit(
      [](const auto& r) -> std::uint64_t {
        if constexpr (requires { r.call; })
          return r.call;
        return 0;
      },
      request);
}

// The worker will never hear of this call.
void refuse(Self self, const WorkerRequest& request, const Error& why) {
  const auto call = self->state.calls.extract(call_of(request));
  if (call.empty())
    return;
  self->state.clock.answered(call_of(request), now(self));
  fail(self, call.mapped(), why);
  tell_free(self, call.mapped().scheduled);
}

void flush(Self self) {
  auto& s = self->state;
  while (!s.outbox.empty()) {
    const auto sent = send(s.worker.socket, s.outbox.front());
    if (!sent && sent.error().code == "E702")
      return; // Goes on when the worker has answered something.
    if (!sent && sent.error().code == "E701") {
      replace_worker(self);
      return;
    }
    if (!sent)
      refuse(self, s.outbox.front(), sent.error());
    s.outbox.pop_front();
  }
}

void put(Self self, WorkerRequest request) {
  self->state.outbox.push_back(std::move(request));
}

// Closes the job that was used longest ago, and has no call under way.
void make_room(Self self) {
  auto& s = self->state;
  if (s.opened.size() < opened_max)
    return;
  auto oldest = s.opened.end();
  for (auto o = s.opened.begin(); o != s.opened.end(); ++o)
    if ((oldest == s.opened.end() || o->second.used < oldest->second.used) &&
        (s.calls.empty() || o->second.used < s.calls.begin()->first))
      oldest = o;
  if (oldest == s.opened.end())
    return;
  put(self, CloseJob{oldest->second.number});
  s.opened.erase(oldest);
}

// What a call may take is meant of a whole processor.
std::optional<Duration> stretched(std::optional<Duration> time, const WorkerLimits& limits) {
  return time ? std::optional{*time * 100 / std::max(limits.cpu_percent, 1u)} : std::nullopt;
}

// A call into the worker's queue, and its time.
void call(Self self, std::uint64_t number, Call what, WorkerRequest request,
          std::optional<Duration> may_take) {
  auto& s = self->state;
  const bool patient = what.kind == Call::Kind::prepare; // Somebody here asked for it just now.
  s.calls[number] = std::move(what);
  s.clock.sent(number, stretched(may_take, s.setup.limits), now(self), patient);
  put(self, std::move(request));
}

// By role, in the order of the spec's inputs.
struct OpenInputs {
  std::array<Payload, 4> all;
  Payload& of(Input::Role role) { return all.at(std::size_t(role)); }
};

// What a module's compiling takes is not its first microtask's.
void await_open(Self self, const SpecPtr& job, const SlotShell::Opened& opened) {
  const auto number = self->state.next_call++;
  call(self, number, {.spec = job, .kind = Call::Kind::open}, OpenedCall{number, opened.number},
       opened.module->compile_time);
}

void open(Self self, const SpecPtr& job, OpenInputs inputs) {
  auto& s = self->state;
  const auto& spec = job->spec;
  make_room(self);
  // A leaf tried before its job begins is of no round yet: of the first.
  const auto round = spec.in_rounds() ? std::max(spec.round, std::uint32_t{1}) : 0;
  auto& opened = s.opened[job->id] = {s.next_job++, s.next_call, {}};
  put(self,
      OpenJob{opened.number, spec.kernel, spec.params, spec.items, spec.leaf_items,
              std::move(inputs.of(Input::Role::data)), std::move(inputs.of(Input::Role::module)),
              std::move(inputs.of(Input::Role::params)), spec.trust != Trust::trust,
              std::move(inputs.of(Input::Role::state)), round, spec.budget});
  if (!wasm::is_module_kernel(spec.kernel))
    return;
  if (auto settings = wasm::settings_of(spec.kernel, spec.params)) { // Else the worker says why.
    opened.module = std::move(*settings);
    await_open(self, job, opened);
  }
}

// The blobs that must be open before this work can go to the worker: input, then partials.
std::vector<BlobId> blobs_for(const SlotShell& s, const StartFor& start) {
  std::vector<BlobId> wanted;
  if (!s.opened.contains(start.spec->id))
    for (const auto& input : start.spec->spec.inputs)
      wanted.push_back(input.blob);
  const auto partial = [&](const Partial& p) {
    if (p.size > partial_inline_bytes_max)
      wanted.push_back(p.digest);
  };
  if (const auto* merge = std::get_if<MergeWork>(&start.work)) {
    partial(merge->left);
    partial(merge->right);
  } else if (const auto* finish = std::get_if<FinishWork>(&start.work)) {
    partial(finish->partial);
  }
  return wanted;
}

using Files = std::vector<FdPtr>;

Payload payload_of(const FdPtr& file, std::uint64_t size) {
  Payload payload;
  payload.fd = Fd{::dup(file->get())};
  payload.size = size;
  return payload;
}

Payload payload_of(const Partial& partial, Files& files) {
  if (partial.size <= partial_inline_bytes_max) {
    Payload payload;
    payload.bytes = partial.bytes;
    payload.size = partial.size;
    return payload;
  }
  const auto file = std::move(files.back());
  files.pop_back();
  return payload_of(file, partial.size);
}

WorkerRequest request_of(const Work& work, std::uint64_t call, std::uint64_t job, Files& files) {
  if (const auto* run = std::get_if<RunWork>(&work))
    return RunCall{call, job, run->block};
  if (const auto* merge = std::get_if<MergeWork>(&work)) {
    auto left = payload_of(merge->left, files);
    return MergeCall{call, job, std::move(left), payload_of(merge->right, files)};
  }
  return FinishCall{call, job, payload_of(std::get<FinishWork>(work).partial, files)};
}

// While the node is paused no job's leaves run here.
bool may_start(Self self, const StartFor& start) {
  return !self->state.wiring->pause || !start.scheduled ||
         !std::holds_alternative<RunWork>(start.work);
}

void start_work(Self self, const StartFor& start, Files files) {
  auto& s = self->state;
  if (!may_start(self, start)) {
    self->send(start.job, WorkFailed{start.id, paused_here});
    return tell_free(self, start.scheduled);
  }
  std::reverse(files.begin(), files.end()); // Used from the back.
  if (!s.opened.contains(start.spec->id)) {
    OpenInputs inputs;
    for (const auto& in : start.spec->spec.inputs) {
      inputs.of(in.role) = payload_of(files.back(), in.size);
      files.pop_back();
    }
    open(self, start.spec, std::move(inputs));
  }
  auto& opened = s.opened.at(start.spec->id);
  const auto number = opened.used = s.next_call++;
  Call work{.spec = start.spec,
            .owner = start.job,
            .id = start.id,
            .scheduled = start.scheduled,
            .kind = Call::Kind(start.work.index())};
  if (const auto* run = std::get_if<RunWork>(&start.work))
    work.block = run->block;
  const auto may_take =
      opened.module ? std::optional<Duration>{opened.module->call_time} : std::nullopt;
  call(self, number, std::move(work), request_of(start.work, number, opened.number, files),
       may_take);
  flush(self);
  look_at_clock(self);
}

// Once its blobs are here.
void start_for(Self self, const StartFor& start) {
  auto& s = self->state;
  const auto wanted = blobs_for(s, start);
  if (wanted.empty())
    return start_work(self, start, {});
  const auto number = s.next_fetch++;
  s.fetching[number] = start.spec->id;
  s.store_asks.ask<FilesAnswer>(self, FilesAsk{wanted}, [=](FilesAnswer& answer) {
    auto& s = self->state;
    if (!s.fetching.erase(number)) { // Dropped.
      tell_free(self, start.scheduled);
    } else if (answer.files.size() != wanted.size()) {
      self->send(start.job, WorkFailed{start.id, answer.why});
      tell_free(self, start.scheduled);
    } else if (blobs_for(s, start) != wanted) { // Its job was opened or closed meanwhile.
      start_for(self, start);
    } else {
      start_work(self, start, std::move(answer.files));
    }
  });
}

Bytes head_of(ByteView input) {
  return to_bytes(input.first(std::min<std::size_t>(64, input.size())));
}

void prepare(Self self, const PrepareFor& what, caf::response_promise promise) {
  const auto opened = [=](FilesAnswer& answer) mutable {
    if (answer.files.empty()) {
      promise.deliver(Prepared{{}, 0, {}, answer.why});
      return;
    }
    auto& s = self->state;
    const auto mapped = Mapping::of(*answer.files.front());
    const auto bytes = mapped ? mapped->bytes() : ByteView{};
    const auto number = s.next_call++;
    Call preparing{.prepared = promise, .kind = Call::Kind::prepare};
    preparing.as_it_is = {what.input, bytes.size(), head_of(bytes), {}};
    std::optional<Duration> may_take;
    if (const auto module = wasm::is_module_kernel(what.kernel)
                                ? wasm::settings_of(what.kernel, what.params)
                                : Error{}) {
      may_take = module->compile_time;
      preparing.module = module->name;
    }
    call(self, number, std::move(preparing),
         PrepareCall{number, what.kernel, what.params,
                     payload_of(answer.files.front(), bytes.size())},
         may_take);
    flush(self);
    look_at_clock(self);
  };
  self->state.store_asks.ask<FilesAnswer>(self, FilesAsk{{what.input}}, opened);
}

// Keeps the output in the store, then says so.
template<class Then>
void keep(Self self, const BlobId& id, Payload output, Then then) {
  self->state.store_asks.ask<Kept>(self, KeepBlob{id, std::make_shared<Payload>(std::move(output))},
                                   [=](const Kept& kept) mutable { then(kept.why); });
}

void prepared(Self self, const SlotShell::Call& call, CallDone& done) {
  auto promise = call.prepared;
  if (done.as_it_is) {
    promise.deliver(call.as_it_is);
    return;
  }
  Prepared answer{done.digest, done.output.size, {}, {}};
  if (done.output.size == 0) { // A module that compiles; nobody reads what is empty.
    promise.deliver(answer);
    return;
  }
  auto contents = Contents::of(std::move(done.output));
  if (!contents) {
    promise.deliver(Prepared{{}, 0, {}, contents.error()});
    return;
  }
  const auto bytes = contents->bytes();
  answer.head = head_of(bytes);
  auto again = Payload::of(bytes);
  if (!again) {
    promise.deliver(Prepared{{}, 0, {}, again.error()});
    return;
  }
  keep(self, done.digest, std::move(*again), [=](const Error& why) mutable {
    answer.why = why;
    promise.deliver(answer);
  });
}

// With its pieces in the store.
void output_done(Self self, const SlotShell::Call& call, CallDone& done) {
  WorkDone news{call.id,     {done.digest, done.output.size, {}, done.manifest},
                done.leaves, done.cpu_ns,
                done.fuel,   {done.over, done.tasks_run, done.tasks_left}};
  if (done.output.size <= partial_inline_bytes_max) {
    auto contents = Contents::of(std::move(done.output));
    if (!contents)
      return tell_failed(self, call, contents.error());
    news.partial.bytes = to_bytes(contents->bytes());
    self->send(call.owner, std::move(news));
    return;
  }
  keep(self, done.digest, std::move(done.output), [=](const Error& why) {
    if (why.code.empty())
      self->send(call.owner, news);
    else
      self->send(call.owner, WorkFailed{news.id, why});
  });
}

void work_done(Self self, const SlotShell::Call& call, CallDone& done) {
  if (done.pieces.size == 0)
    return output_done(self, call, done);
  auto rows = rows_of(done);
  if (!rows)
    return tell_failed(self, call, rows.error());
  KeepPieces pieces{call.spec->id, std::make_shared<Payload>(std::move(done.pieces)),
                    std::move(*rows)};
  const auto rest = std::make_shared<CallDone>(std::move(done));
  self->state.store_asks.ask<Kept>(self, std::move(pieces), [=](const Kept& kept) {
    if (kept.ok)
      output_done(self, call, *rest);
    else
      tell_failed(self, call, kept.why);
  });
}

// Modules of several jobs lie in one worker, and each by itself would fit.
bool crowded(const SlotShell& s, const Call& call, const Error& why) {
  if (why.code != "E712" || !call.spec || s.opened.size() < 2)
    return false;
  const auto opened = s.opened.find(call.spec->id);
  return opened != s.opened.end() && opened->second.module;
}

// False: the worker is another.
bool answered(Self self, WorkerReply& reply) {
  auto& s = self->state;
  const auto number = std::visit([](const auto& r) { return r.call; }, reply);
  auto known = s.calls.extract(number);
  if (known.empty())
    throw std::runtime_error("a worker answered what it was not asked");
  const auto began = s.clock.since();
  s.clock.answered(number, now(self));
  auto& call = known.mapped();
  if (const auto* done = std::get_if<CallDone>(&reply))
    account(self, call, {leaves_of(call), done->cpu_ns, done->output.size + done->pieces.size});
  else
    account(self, call, {0, at_most_ns(now(self) - began), 0});
  auto* failed = std::get_if<CallFailed>(&reply);
  const bool anew = failed && crowded(s, call, failed->error);
  if (failed)
    fail(self, call, anew ? waited_behind : failed->error);
  else if (call.prepared.pending())
    prepared(self, call, std::get<CallDone>(reply));
  else if (call.owner)
    work_done(self, call, std::get<CallDone>(reply));
  tell_free(self, call.scheduled);
  if (anew)
    replace_worker(self, waited_behind, [](const Call&) { return false; });
  return !anew;
}

void readable(Self self) {
  auto& s = self->state;
  for (;;) {
    auto reply = receive(s.worker.socket);
    if (!reply) {
      replace_worker(self);
      return;
    }
    if (!*reply)
      break;
    if (!answered(self, **reply))
      return look_at_clock(self);
  }
  watch(self); // Before what may put another worker in its place.
  flush(self);
  look_at_clock(self);
}

// A worker that runs a dropped job is killed: the process is the interrupt.
void drop(Self self, const JobId& job) {
  auto& s = self->state;
  std::erase_if(s.fetching, [&](const auto& f) { return f.second == job; });
  bool runs = false;
  for (auto& [number, call] : s.calls)
    if (call.spec && call.spec->id == job && (call.owner || call.kind == Call::Kind::open)) {
      call.owner = nullptr;
      runs = true;
    }
  if (runs) {
    replace_worker(self, waited_behind, [](const Call&) { return false; });
  } else if (const auto opened = s.opened.find(job); opened != s.opened.end()) {
    put(self, CloseJob{opened->second.number});
    s.opened.erase(opened);
    flush(self);
  }
}

// The worker goes on for a moment, for what ends by itself need not be done again.
void heed_pause(Self self) {
  auto& s = self->state;
  if (s.wiring->pause)
    s.clock.hurry(now(self) + pause_grace, paused_call_max);
  else
    s.clock.relax();
  look_at_clock(self);
}

} // namespace

SlotShell::~SlotShell() {
  if (watch)
    asio::post(*setup.io, [old = std::move(watch)] { old->close(); });
  if (worker.pid > 0)
    setup.zygote->kill(worker.pid);
}

caf::behavior slot_actor(Self self, SlotSetup setup, WiringPtr wiring) {
  self->state.setup = setup;
  self->state.wiring = std::move(wiring);
  spawn_worker(self);
  heed_pause(self);
  return {
      [=](const StartFor& start) { start_for(self, start); },
      [=](const PrepareFor& what) {
        auto promise = self->make_response_promise();
        prepare(self, what, promise);
        return promise;
      },
      [=](const DropJob& over) { drop(self, over.job); },
      [=](readable_atom) { readable(self); },
      [=](wake_atom) {
        if (woken(self, self->state.armed))
          look_at_clock(self);
      },
      [=](WiringPtr& wiring) {
        const auto before = std::exchange(self->state.wiring, wiring);
        if (before->store != wiring->store)
          self->state.store_asks.again();
        if (before->pause.has_value() != wiring->pause.has_value())
          heed_pause(self);
      },
  };
}

} // namespace tessera
