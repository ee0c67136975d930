#include "node/worker/wasm/host.hpp"

#include "node/worker/wasm/guest.hpp"

#include <cassert>
#include <new>

namespace tessera::wasm {

namespace {

wasm_functype_t* type_of(const Signature& signature) {
  const auto values = [](const std::vector<Type>& types) {
    std::vector<wasm_valtype_t*> made;
    for (const auto t : types)
      made.push_back(wasm_valtype_new(t == Type::i64 ? WASM_I64 : WASM_I32));
    wasm_valtype_vec_t list;
    wasm_valtype_vec_new(&list, made.size(), made.data());
    return list;
  };
  auto params = values(signature.params), results = values(signature.results);
  return wasm_functype_new(&params, &results);
}

// No exception may reach the engine's frames.
wasm_trap_t* answer(void* call, wasmtime_caller_t* caller, wasmtime_val_raw_t* values,
                    std::size_t) {
  Guest guest{caller};
  bool goes_on = false;
  try {
    goes_on = reinterpret_cast<HostCall>(call)(guest, values);
  } catch (const std::bad_alloc&) {
    guest.host().failure =
        Error{"E712", "a task needs more memory than its worker may have",
              "the worker's limit was reached while it held the module's output",
              "raise the limit on nodes that have more, or use smaller leaves: --leaf N"};
  }
  static constexpr std::string_view why = "ended by the host";
  return goes_on ? nullptr : wasmtime_trap_new(why.data(), why.size());
}

} // namespace

void Host::begin(const Slots& s, Bytes& to, std::vector<Bytes>* spawned) {
  slots = {s.params, s.input, s.other};
  out = &to;
  out_before = to.size();
  tasks = spawned;
  tasks_before = spawned ? spawned->size() : 0;
  spawned_bytes = 0;
  stdin_at = 0;
}

void Host::end() {
  slots = {};
  out = nullptr;
  tasks = nullptr;
}

void define_host(wasmtime_linker_t* linker, Form form) {
  const auto module = form == Form::kernel ? host_module : wasi_module;
  for (const auto& f : host_functions(form)) {
    const auto call = form == Form::kernel ? kernel_call(f.name) : command_call(f.name);
    assert(call);
    const Handle<wasm_functype_t, wasm_functype_delete> type{type_of(f.signature)};
    const ErrorHandle error{wasmtime_linker_define_func_unchecked(
        linker, module.data(), module.size(), f.name.data(), f.name.size(), type.get(), answer,
        reinterpret_cast<void*>(call), nullptr)};
    assert(!error);
  }
}

} // namespace tessera::wasm
