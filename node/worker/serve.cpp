#include "node/worker/serve.hpp"

#include "node/worker/codec.hpp"

#include <ctime>
#include <malloc.h>
#include <stdexcept>

namespace tessera {

namespace {

constexpr std::size_t kept_bytes_max = 1 << 20;

std::uint64_t now_ns(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return std::uint64_t(t.tv_sec) * 1'000'000'000 + std::uint64_t(t.tv_nsec);
}

Error unknown_kernel(const std::string& name) {
  return {"E710", "this node cannot run " + name, "its build has no kernel of that name",
          "see what it has: tessera kernels"};
}

Error not_open() {
  return {"E705", "a call for a job that its worker does not have",
          "it was not opened there, was closed, or came after " + std::to_string(open_jobs_max) +
              " others",
          "this is a fault of tessera: please report it"};
}

Error bad_range(const std::string& why) {
  return {"E706", "a block does not fit its job", why,
          "a peer may run another version; compare: tessera peers --json"};
}

Error out_of_memory() {
  return {"E712", "a task needs more memory than its worker may have",
          "the worker's limit was reached, and the worker gave the memory back",
          "raise the limit on nodes that have more, or use smaller leaves: --leaf N"};
}

Error threw(const char* what) {
  return {"E713", "a kernel failed in a way of its own", what,
          "this is a fault of the kernel: please report it"};
}

// Whatever kernels throw, as a value.
template<class Work>
auto guarded(Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::length_error&) { // A vector past max_size: the same wish, only larger.
    return out_of_memory();
  } catch (const std::exception& e) {
    return threw(e.what());
  } catch (...) {
    return threw("it threw something that is no exception");
  }
}

// In a worker no memory for a payload means its limit, and nothing else.
template<class T>
Result<T> or_out_of_memory(Result<T> made) {
  return made ? std::move(made) : out_of_memory();
}

Result<CallDone> done(std::uint64_t call, ByteView bytes, const Digest& leaves,
                      const KernelRun::Usage& used, const KernelRun::Pieces& pieces) {
  auto output = or_out_of_memory(Payload::of(bytes));
  auto aside = or_out_of_memory(Payload::of(pieces.bytes));
  auto rows = or_out_of_memory(Payload::of(pieces.rows));
  if (!output || !aside || !rows)
    return out_of_memory();
  CallDone d;
  d.manifest = pieces.manifest;
  d.pieces = std::move(*aside);
  d.piece_rows = std::move(*rows);
  d.call = call;
  d.output = std::move(*output);
  d.digest = blob_id(bytes);
  d.leaves = leaves;
  d.fuel = used.fuel;
  d.memory_bytes = used.memory_bytes;
  d.over = used.over;
  d.tasks_run = used.tasks_run;
  d.tasks_left = used.tasks_left;
  d.module_calls = used.calls;
  d.calls_again = used.calls_again;
  return d;
}

} // namespace

std::optional<WorkerReply> Worker::handle(WorkerRequest request) {
  return std::visit([&](auto& m) { return on(std::move(m)); }, request);
}

void Worker::trim() {
  block_run_.trim(kept_bytes_max);
  if (output_.capacity() > kept_bytes_max)
    output_ = {};
}

template<class Call>
std::optional<WorkerReply> Worker::on(Call m) {
  const auto cpu = now_ns(CLOCK_THREAD_CPUTIME_ID), wall = now_ns(CLOCK_MONOTONIC);
  auto answer = guarded([&]() -> Result<CallDone> {
    auto output = work(m);
    if (!output)
      return output.error();
    auto told = done(m.call, output->bytes, output->leaves, output->used, output->pieces);
    if (told)
      told->as_it_is = output->as_it_is;
    return told;
  });
  if (!answer)
    return CallFailed{m.call, answer.error()};
  answer->cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
  answer->wall_ns = now_ns(CLOCK_MONOTONIC) - wall;
  return std::move(*answer);
}

std::optional<WorkerReply> Worker::on(OpenJob m) {
  jobs_.erase(m.job);
  if (jobs_.size() == open_jobs_max)
    return std::nullopt; // Its calls will find it missing.
  auto opened = guarded([&] { return open(m); });
  auto& job = jobs_[m.job];
  if (opened)
    job = std::move(*opened);
  else
    job.failure = opened.error();
  return std::nullopt;
}

std::optional<WorkerReply> Worker::on(CloseJob m) {
  jobs_.erase(m.job);
  if (jobs_.empty())
    ::malloc_trim(0); // An idle worker is small.
  return std::nullopt;
}

Result<Worker::Job> Worker::open(OpenJob& m) const {
  Job job;
  job.leaves = Leaves::of(m.items, m.leaf_items);
  if (!job.leaves)
    return bad_range("it has no leaves, or more than 2^63 items");
  auto input = or_out_of_memory(Contents::of(std::move(m.input)));
  auto params = or_out_of_memory(Contents::of(std::move(m.module_params)));
  auto state = or_out_of_memory(Contents::of(std::move(m.state)));
  const auto module = or_out_of_memory(Contents::of(std::move(m.module)));
  if (!input || !params || !state || !module)
    return out_of_memory();
  job.input = std::move(*input);
  job.module_params = std::move(*params);
  job.state = std::move(*state);
  const bool is_module = modules_ && modules_->runs(m.kernel);
  auto run = is_module ? open_module(m, job, module->bytes()) : open_native(m, job);
  if (!run)
    return run.error();
  job.run = std::move(*run);
  job.leaf_digests = m.leaf_digests;
  return job;
}

Result<std::unique_ptr<KernelRun>> Worker::open_module(const OpenJob& m, const Job& job,
                                                       ByteView module) const {
  return modules_->open(m.kernel, m.params,
                        {job.input.bytes(), module, job.module_params.bytes(), job.state.bytes(),
                         m.round, m.items, m.budget});
}

Result<std::unique_ptr<KernelRun>> Worker::open_native(const OpenJob& m, const Job& job) const {
  const auto* kernel = find_(m.kernel);
  if (!kernel)
    return unknown_kernel(m.kernel);
  const auto params = decode_params(kernel->info(), m.params);
  if (!params)
    return params.error();
  return kernel->open(*params, job.input.bytes(), m.items);
}

Worker::Output Worker::told(Job& job, ByteView bytes, const Digest& leaves) const {
  auto used = job.run->usage();
  used.fuel -= std::exchange(job.fuel_told, used.fuel);
  return {bytes, leaves, used, job.run->take_pieces(), false};
}

Result<Worker::Job*> Worker::job(std::uint64_t number) {
  const auto at = jobs_.find(number);
  if (at == jobs_.end())
    return not_open();
  if (at->second.failure)
    return *at->second.failure;
  at->second.run->take_pieces(); // Of a call that failed half-way.
  return &at->second;
}

Result<Worker::Output> Worker::work(const RunCall& m) {
  const auto at = job(m.job);
  if (!at)
    return at.error();
  Job& job = **at;
  if (!job.leaves->tree.valid(m.block))
    return bad_range("level " + std::to_string(m.block.level) + ", index " +
                     std::to_string(m.block.index) + " is no block of it");
  if (auto ran = block_run_.run(*job.run, *job.leaves, m.block, job.leaf_digests); !ran)
    return ran.error();
  return told(job, block_run_.partial(), block_run_.digest());
}

Result<Worker::Output> Worker::work(MergeCall& m) {
  const auto at = job(m.job);
  if (!at)
    return at.error();
  const auto left = or_out_of_memory(Contents::of(std::move(m.left)));
  const auto right = or_out_of_memory(Contents::of(std::move(m.right)));
  if (!left || !right)
    return out_of_memory();
  output_.clear();
  if (auto merged = (*at)->run->merge(left->bytes(), right->bytes(), output_); !merged)
    return merged.error();
  return told(**at, output_);
}

Result<Worker::Output> Worker::work(FinishCall& m) {
  const auto at = job(m.job);
  if (!at)
    return at.error();
  const auto partial = or_out_of_memory(Contents::of(std::move(m.partial)));
  if (!partial)
    return partial.error();
  output_.clear();
  if (auto finished = (*at)->run->finish(partial->bytes(), output_); !finished)
    return finished.error();
  return told(**at, output_);
}

Result<Worker::Output> Worker::work(const OpenedCall& m) {
  const auto at = job(m.job);
  return at ? Result<Output>{Output{}} : at.error();
}

Result<Worker::Output> Worker::work(PrepareCall& m) {
  if (modules_ && modules_->runs(m.kernel))
    return check_module(m);
  const auto* kernel = find_(m.kernel);
  if (!kernel)
    return unknown_kernel(m.kernel);
  const auto params = decode_params(kernel->info(), m.params);
  if (!params)
    return params.error();
  const auto input = or_out_of_memory(Contents::of(std::move(m.input)));
  if (!input)
    return input.error();
  if (kernel->is_prepared(*params, input->bytes()))
    return Output{{}, {}, {}, {}, true};
  output_.clear();
  if (auto prepared = kernel->prepare(*params, input->bytes(), output_); !prepared)
    return prepared.error();
  return Output{output_, {}, {}, {}, false};
}

Result<Worker::Output> Worker::check_module(PrepareCall& m) {
  const auto module = or_out_of_memory(Contents::of(std::move(m.input)));
  if (!module)
    return module.error();
  if (auto compiled = modules_->check(m.kernel, m.params, module->bytes()); !compiled)
    return compiled.error();
  return Output{};
}

namespace {

// False: nobody is there to hear it.
bool answer(int socket, const WorkerReply& reply, OutPacket& packet) {
  encode(reply, packet);
  for (;;)
    switch (send_packet(socket, packet)) {
    case Line::open:
      return true;
    case Line::full: { // The socket blocks, so this is the kernel short of memory or descriptors.
      const timespec a_moment{0, 1'000'000};
      ::nanosleep(&a_moment, nullptr);
      break;
    }
    default:
      return false;
    }
}

} // namespace

void serve(const Fd& socket, FindKernel find, Modules* modules) {
  Worker worker{find, modules};
  const auto buffer = std::make_unique_for_overwrite<PacketBuffer>();
  OutPacket out;
  InPacket in;
  while (receive_packet(socket.get(), *buffer, in) == Line::open) {
    auto request = decode_request(std::move(in));
    if (!request)
      return;
    const auto reply = worker.handle(std::move(*request));
    if (reply && !answer(socket.get(), *reply, out))
      return;
    worker.trim();
  }
}

} // namespace tessera
