#pragma once

#include <memory>
#include <string>
#include <wasmtime.h>

// Owners of what wasmtime's C API hands out.
namespace tessera::wasm {

template<auto destroy>
struct Destroy {
  template<class T>
  void operator()(T* it) const {
    destroy(it);
  }
};
template<class T, auto destroy>
using Handle = std::unique_ptr<T, Destroy<destroy>>;

using EngineHandle = Handle<wasm_engine_t, wasm_engine_delete>;
using ModuleHandle = Handle<wasmtime_module_t, wasmtime_module_delete>;
using LinkerHandle = Handle<wasmtime_linker_t, wasmtime_linker_delete>;
using ReadyHandle = Handle<wasmtime_instance_pre_t, wasmtime_instance_pre_delete>;
using StoreHandle = Handle<wasmtime_store_t, wasmtime_store_delete>;
using ErrorHandle = Handle<wasmtime_error_t, wasmtime_error_delete>;
using TrapHandle = Handle<wasm_trap_t, wasm_trap_delete>;

inline std::string message_of(const wasmtime_error_t& error) {
  wasm_name_t text;
  wasmtime_error_message(&error, &text);
  std::string message{text.data, text.size};
  wasm_byte_vec_delete(&text);
  return message;
}

} // namespace tessera::wasm
