#include "node/worker/wasm/instance.hpp"

#include "node/wasm/text.hpp"
#include "node/worker/wasm/guest.hpp"

#include <cassert>

namespace tessera::wasm {

namespace {

constexpr std::string_view entry_names[] = {"run", "merge", "step"};

Error too_long(std::size_t size) {
  return {"E730", "a slot is too long for a module", std::to_string(size) + " bytes were given",
          "modules are 32-bit: give at most 4294967295 bytes, or use smaller leaves"};
}

Error no_memory_here() {
  return {"E712", "a task needs more memory than its worker may have",
          "the module asked for more, within its own limit, and this machine had none",
          "raise the limit on nodes that have more, or lower the module's in the spec"};
}

} // namespace

Result<std::unique_ptr<Instance>> Instance::make(Module& module, Mode mode) {
  const auto code = module.code(mode);
  if (!code)
    return code.error();
  std::unique_ptr<Instance> instance{new Instance{module, mode}};
  const auto refusals = module.engine().refusals();
  const auto started = instance->start(**code);
  if (module.engine().refusals() != refusals)
    return no_memory_here();
  if (!started)
    return started.error();
  return instance;
}

Status Instance::start(const Module::Code& code) {
  const auto& limits = host_.limits;
  store_.reset(wasmtime_store_new(code.engine, &host_, nullptr));
  context_ = wasmtime_store_context(store_.get());
  wasmtime_store_limiter(store_.get(), std::int64_t(limits.memory_bytes),
                         std::int64_t(limits.table_elements), 1, 16, 1);
  refuel();
  Fall fall;
  wasm_trap_t* trap = nullptr;
  fall.error.reset(
      wasmtime_instance_pre_instantiate(code.ready.get(), context_, &instance_, &trap));
  fall.trap.reset(trap);
  if (fall)
    return explain(fall, host_, module_.abi().outline, "its start function");
  if (auto found = find_entries(); !found)
    return found;
  if (!module_.abi().initializes)
    return Nothing{};
  wasmtime_extern_t item;
  wasmtime_instance_export_get(context_, &instance_, "_initialize", 11, &item);
  wasmtime_val_raw_t none[1];
  return answered(enter(item.of.func, none, 0), 0, "_initialize");
}

Status Instance::find_entries() {
  const auto find = [&](std::string_view name) {
    wasmtime_extern_t item;
    return wasmtime_instance_export_get(context_, &instance_, name.data(), name.size(), &item)
               ? std::optional{item}
               : std::nullopt;
  };
  const auto& abi = module_.abi();
  const auto memory = find("memory");
  assert(memory && memory->kind == WASMTIME_EXTERN_MEMORY); // check_module saw to it.
  host_.memory = memory->of.memory;
  host_.memory_base = wasmtime_memory_data(context_, &*host_.memory);
  const bool has[] = {true, abi.merges, abi.steps};
  for (std::size_t i = 0; i != entries_.size(); ++i)
    if (has[i])
      entries_[i] = find(abi.form == Form::command ? "_start" : entry_names[i])->of.func;
  return Nothing{};
}

void Instance::refuel() {
  if (mode_.fuel)
    ErrorHandle{wasmtime_context_set_fuel(context_, host_.limits.fuel)};
}

Fall Instance::enter(const wasmtime_func_t& function, wasmtime_val_raw_t* values,
                     std::size_t size) {
  refuel();
  Fall fall;
  wasm_trap_t* trap = nullptr;
  fall.error.reset(wasmtime_func_call_unchecked(context_, &function, values, size, &trap));
  fall.trap.reset(trap);
  if (mode_.fuel) {
    std::uint64_t left = 0;
    ErrorHandle{wasmtime_context_get_fuel(context_, &left)};
    fuel_used_ = host_.limits.fuel - left;
  }
  return fall;
}

Status Instance::answered(const Fall& fall, std::int32_t answer, std::string_view entry) {
  if (!fall && answer == 0) [[likely]]
    return Nothing{};
  if (fall && !host_.exited)
    return explain(fall, host_, module_.abi().outline, std::string{entry});
  if (host_.exited)
    answer = *host_.exited;
  if (answer == 0)
    return Nothing{};
  const auto words = plain_text(host_.complaint, message_bytes_max);
  return Error{"E727",
               "the module's " + std::string{entry} + " failed with " + std::to_string(answer),
               words.empty() ? "it gave no reason: 0 is success" : "its stderr ends: " + words,
               "look at its parameters and input; its author knows what the number means"};
}

Status Instance::call(Entry entry, const Slots& slots, Bytes& out, std::vector<Bytes>* tasks) {
  for (const auto& slot : {slots.params, slots.input, slots.other})
    if (slot.size() > 0xffffffff)
      return too_long(slot.size());
  const auto& function = entries_[std::size_t(entry)];
  assert(function);
  const auto out_before = out.size(), tasks_before = tasks ? tasks->size() : 0;
  host_.begin(slots, out, tasks);
  wasmtime_val_raw_t value[1];
  value[0].i32 = 0;
  const auto answers = module_.abi().form == Form::kernel;
  const auto refusals = module_.engine().refusals();
  const auto fall = enter(*function, value, answers);
  over_ = entry == Entry::step && !fall && value[0].i32 == 1;
  Status status = module_.engine().refusals() != refusals
                      ? no_memory_here()
                      : answered(fall, answers && !over_ ? value[0].i32 : 0,
                                 answers ? entry_names[std::size_t(entry)] : "_start");
  host_.end();
  if (!status) {
    out.resize(out_before);
    if (tasks)
      tasks->resize(tasks_before);
  }
  return status;
}

std::uint64_t Instance::memory_bytes() const {
  return wasmtime_memory_data_size(context_, &*host_.memory);
}

} // namespace tessera::wasm
