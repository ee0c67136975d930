#include "node/slot_actor.hpp"

#include "node/kernels/kernel.hpp"

#include <asio/post.hpp>

#include <caf/actor_cast.hpp>

namespace tessera {
namespace {

using Self = caf::stateful_actor<SlotShell>*;

constexpr std::size_t opened_max = 16; // Jobs held open in one worker; fewer than it allows.
const Error worker_died{"E710", "a worker process died", "it crashed, or was stopped with its job",
                        "its block is tried again; look at the input if this comes back"};

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

void replace_worker(Self self) {
  auto& s = self->state;
  unwatch(self);
  s.setup.zygote->kill(s.worker.pid);
  s.opened.clear();
  s.outbox.clear();
  const auto lost = std::exchange(s.calls, {});
  spawn_worker(self);
  for (const auto& [number, call] : lost) {
    fail(self, call, worker_died);
    tell_free(self, call.scheduled);
  }
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

std::uint64_t open(Self self, const SignedSpec& job, Payload input) {
  auto& s = self->state;
  make_room(self);
  const auto number = s.next_job++;
  s.opened[job.id] = {number, 0};
  const auto& spec = job.spec;
  put(self, OpenJob{number, spec.kernel, spec.params, spec.items, spec.leaf_items, std::move(input),
                    spec.trust != Trust::trust});
  return number;
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

void start_work(Self self, const StartFor& start, Files files) {
  auto& s = self->state;
  std::reverse(files.begin(), files.end()); // Used from the back.
  if (!s.opened.contains(start.spec->id)) {
    Payload input;
    for (const auto& in : start.spec->spec.inputs) {
      input = payload_of(files.back(), in.size);
      files.pop_back();
    }
    open(self, *start.spec, std::move(input));
  }
  auto& opened = s.opened.at(start.spec->id);
  const auto call = s.next_call++;
  opened.used = call;
  s.calls[call] = {start.spec->id, start.job, start.id, start.scheduled, {}};
  if (const auto* run = std::get_if<RunWork>(&start.work)) {
    put(self, RunCall{call, opened.number, run->block});
  } else if (const auto* merge = std::get_if<MergeWork>(&start.work)) {
    auto left = payload_of(merge->left, files);
    put(self, MergeCall{call, opened.number, std::move(left), payload_of(merge->right, files)});
  } else {
    const auto& finish = std::get<FinishWork>(start.work);
    put(self, FinishCall{call, opened.number, payload_of(finish.partial, files)});
  }
  flush(self);
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

void prepare(Self self, const PrepareFor& what, caf::response_promise promise) {
  const auto opened = [=](FilesAnswer& answer) mutable {
    if (answer.files.empty()) {
      promise.deliver(Prepared{{}, 0, {}, answer.why});
      return;
    }
    auto& s = self->state;
    const auto mapped = Mapping::of(*answer.files.front());
    const auto call = s.next_call++;
    s.calls[call] = {{}, {}, 0, false, promise};
    put(self, PrepareCall{call, what.kernel, what.params,
                          payload_of(answer.files.front(), mapped ? mapped->bytes().size() : 0)});
    flush(self);
  };
  self->state.store_asks.ask<FilesAnswer>(self, FilesAsk{{what.input}}, opened);
}

// Keeps the output in the store, then says so.
template<class Then>
void keep(Self self, const BlobId& id, Payload output, Then then) {
  self->state.store_asks.ask<Kept>(self, KeepBlob{id, std::make_shared<Payload>(std::move(output))},
                                   [=](const Kept& kept) mutable { then(kept.why); });
}

void prepared(Self self, caf::response_promise promise, CallDone& done) {
  Prepared answer{done.digest, done.output.size, {}, {}};
  auto contents = Contents::of(std::move(done.output));
  if (!contents) {
    promise.deliver(Prepared{{}, 0, {}, contents.error()});
    return;
  }
  const auto bytes = contents->bytes();
  answer.head = to_bytes(bytes.first(std::min<std::size_t>(64, bytes.size())));
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

void work_done(Self self, const SlotShell::Call& call, CallDone& done) {
  WorkDone news{call.id, {done.digest, done.output.size, {}}, done.leaves, done.cpu_ns};
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

void answered(Self self, WorkerReply& reply) {
  auto& s = self->state;
  const auto number = std::visit([](const auto& r) { return r.call; }, reply);
  auto known = s.calls.extract(number);
  if (known.empty())
    throw std::runtime_error("a worker answered what it was not asked");
  auto& call = known.mapped();
  const bool work = !call.prepared.pending();
  if (auto* failed = std::get_if<CallFailed>(&reply))
    fail(self, call, failed->error);
  else if (!work)
    prepared(self, call.prepared, std::get<CallDone>(reply));
  else if (call.owner)
    work_done(self, call, std::get<CallDone>(reply));
  tell_free(self, call.scheduled);
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
    answered(self, **reply);
  }
  flush(self);
  watch(self);
}

// A worker that runs a dropped job is killed: the process is the interrupt.
void drop(Self self, const JobId& job) {
  auto& s = self->state;
  std::erase_if(s.fetching, [&](const auto& f) { return f.second == job; });
  bool runs = false;
  for (auto& [number, call] : s.calls)
    if (call.job == job && call.owner) {
      call.owner = nullptr;
      runs = true;
    }
  if (runs) {
    replace_worker(self);
  } else if (const auto opened = s.opened.find(job); opened != s.opened.end()) {
    put(self, CloseJob{opened->second.number});
    s.opened.erase(opened);
    flush(self);
  }
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
  return {
      [=](const StartFor& start) { start_for(self, start); },
      [=](const PrepareFor& what) {
        auto promise = self->make_response_promise();
        prepare(self, what, promise);
        return promise;
      },
      [=](const DropJob& over) { drop(self, over.job); },
      [=](readable_atom) { readable(self); },
      [=](WiringPtr& wiring) {
        const auto before = std::exchange(self->state.wiring, wiring);
        if (before->store != wiring->store)
          self->state.store_asks.again();
      },
  };
}

} // namespace tessera
