#include "node/worker/wasm/module_run.hpp"

#include "node/worker/wasm/float_flags.hpp"

#include <algorithm>

namespace tessera::wasm {

namespace {

Status in_items(Status status, std::uint64_t begin, std::uint64_t end) {
  if (status)
    return status;
  auto error = status.error();
  error.what += end - begin == 1
                    ? ", at item " + std::to_string(begin)
                    : ", at items " + std::to_string(begin) + " to " + std::to_string(end - 1);
  return error;
}

// The part of `input` that records [begin, end) take.
ByteView part(ByteView input, std::uint64_t record_bytes, std::uint64_t begin, std::uint64_t end) {
  const auto at = [&](std::uint64_t record) {
    const auto records = input.size() / record_bytes;
    return record > records ? input.size() : std::size_t(record * record_bytes);
  };
  return input.subspan(at(begin), at(end) - at(begin));
}

// Two little-endian u64.
std::array<std::uint8_t, 16> range_bytes(std::uint64_t begin, std::uint64_t end) {
  std::array<std::uint8_t, 16> bytes;
  for (std::size_t i = 0; i != 8; ++i) {
    bytes[i] = std::uint8_t(begin >> (8 * i));
    bytes[8 + i] = std::uint8_t(end >> (8 * i));
  }
  return bytes;
}

} // namespace

Status ModuleRun::run(std::uint64_t begin, std::uint64_t end, Bytes& out) {
  const auto range = range_bytes(begin, end);
  Slots slots{job_.params, range, job_.input};
  if (job_.record_bytes)
    slots = {job_.params, part(job_.input, job_.record_bytes, begin, end), {}};
  if (job_.round)
    slots.other = job_.state;
  return in_items(call(Entry::run, slots, out, nullptr), begin, end);
}

Status ModuleRun::merge(ByteView left, ByteView right, Bytes& out) {
  last_fuel_ = 0;
  if (!module_->abi().merges)
    return job_.merge.merge(left, right, out);
  return call(Entry::merge, {job_.params, left, right}, out, nullptr);
}

Status ModuleRun::finish(ByteView partial, Bytes& out) {
  if (!job_.round)
    return merged(partial, out);
  if (module_->abi().merges)
    return step(job_.state, partial, out);
  Bytes bytes;
  auto finished = merged(partial, bytes);
  return finished ? step(job_.state, bytes, out) : finished;
}

Status ModuleRun::merged(ByteView partial, Bytes& out) {
  return module_->abi().merges ? KernelRun::finish(partial, out) : job_.merge.finish(partial, out);
}

Status ModuleRun::task(ByteView task, Bytes& out, std::vector<Bytes>& children) {
  return call(Entry::run, {job_.params, task, job_.input}, out, &children);
}

Status ModuleRun::single(ByteView task, Bytes& out) {
  return call(Entry::run, {job_.params, task, {}}, out, nullptr);
}

Status ModuleRun::step(ByteView state, ByteView merged, Bytes& out) {
  if (module_->abi().steps)
    return call(Entry::step, {job_.params, state, merged}, out, nullptr);
  return Error{"E503", module_->name() + " exports no step", "a job of rounds needs it",
               "add int step(void), or submit it as a job of one round"};
}

Status ModuleRun::call(Entry entry, const Slots& slots, Bytes& out, Tasks tasks) {
  ++totals_.calls;
  if (strict_)
    return call_canonical(entry, slots, out, tasks);
  const auto out_before = out.size(), tasks_before = tasks ? tasks->size() : 0;
  Status status = Nothing{};
  if (call_plain(entry, slots, out, tasks, status))
    return status;
  ++totals_.calls_again;
  out.resize(out_before);
  if (tasks)
    tasks->resize(tasks_before);
  return call_canonical(entry, slots, out, tasks);
}

// False: a NaN may have been made, and `status` says nothing.
bool ModuleRun::call_plain(Entry entry, const Slots& slots, Bytes& out, Tasks tasks,
                           Status& status) {
  const bool fresh = !plain_;
  status = make(plain_, {false, fuel()});
  if (fresh && invalid_operation_seen()) {
    strict_ = module_->abi().form == Form::kernel; // Each later call would start from that NaN.
    return false;
  }
  if (!status)
    return true;
  reset_float_flags();
  status = enter(plain_, entry, slots, out, tasks);
  if (invalid_operation_seen())
    return false;
  totals_.fuel += last_fuel_;
  return true;
}

Status ModuleRun::call_canonical(Entry entry, const Slots& slots, Bytes& out, Tasks tasks) {
  if (auto made = make(canonical_, {true, fuel()}); !made)
    return made;
  auto status = enter(canonical_, entry, slots, out, tasks);
  totals_.fuel += last_fuel_;
  return status;
}

// Compiling may raise the CPU's flags as well: they are down when the instance starts.
Status ModuleRun::make(std::unique_ptr<Instance>& instance, Mode mode) {
  if (instance)
    return Nothing{};
  if (auto code = module_->code(mode); !code)
    return code.error();
  reset_float_flags();
  auto made = Instance::make(*module_, mode);
  if (!made)
    return made.error();
  instance = std::move(*made);
  return Nothing{};
}

Status ModuleRun::enter(std::unique_ptr<Instance>& instance, Entry entry, const Slots& slots,
                        Bytes& out, Tasks tasks) {
  auto status = instance->call(entry, slots, out, tasks);
  last_fuel_ = instance->fuel_used();
  last_over_ = instance->over();
  if (!status || module_->abi().form == Form::command) {
    note_memory(instance);
    instance.reset();
  }
  return status;
}

void ModuleRun::note_memory(const std::unique_ptr<Instance>& instance) {
  if (instance)
    totals_.memory_bytes_max = std::max(totals_.memory_bytes_max, instance->memory_bytes());
}

const Totals& ModuleRun::totals() {
  note_memory(plain_);
  note_memory(canonical_);
  return totals_;
}

} // namespace tessera::wasm
