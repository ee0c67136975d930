#include "node/worker/wasm/memory.hpp"

#include <memory>
#include <sys/mman.h>

namespace tessera::wasm {

namespace {

struct Linear {
  std::uint8_t* mapping = nullptr; // A guard, the memory, a guard.
  std::size_t guard = 0, reserved = 0, size = 0;
  std::uint64_t* refusals = nullptr;

  std::uint8_t* base() const { return mapping + guard; }
  std::size_t mapped() const { return guard + reserved + guard; }
  ~Linear() {
    if (mapping)
      ::munmap(mapping, mapped());
  }
};

wasmtime_error_t* refuse(std::uint64_t* refusals) {
  ++*refusals;
  return wasmtime_error_new("this machine has no memory left for it");
}

std::uint8_t* get_memory(void* env, std::size_t* size, std::size_t* capacity) {
  const auto& memory = *static_cast<Linear*>(env);
  *size = memory.size;
  *capacity = memory.reserved;
  return memory.base();
}

wasmtime_error_t* grow_memory(void* env, std::size_t size) {
  auto& memory = *static_cast<Linear*>(env);
  if (size > memory.reserved ||
      (size > memory.size &&
       ::mprotect(memory.base() + memory.size, size - memory.size, PROT_READ | PROT_WRITE) != 0))
    return refuse(memory.refusals);
  memory.size = size;
  return nullptr;
}

void delete_memory(void* env) {
  delete static_cast<Linear*>(env);
}

wasmtime_error_t* new_memory(void* env, const wasm_memorytype_t*, std::size_t minimum, std::size_t,
                             std::size_t reserved, std::size_t guard,
                             wasmtime_linear_memory_t* made) {
  auto memory = std::make_unique<Linear>();
  memory->guard = guard;
  memory->reserved = reserved;
  memory->refusals = static_cast<std::uint64_t*>(env);
  void* at = ::mmap(nullptr, memory->mapped(), PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED)
    return refuse(memory->refusals);
  memory->mapping = static_cast<std::uint8_t*>(at);
  if (auto* error = grow_memory(memory.get(), minimum))
    return error;
  *made = {memory.release(), get_memory, grow_memory, delete_memory};
  return nullptr;
}

} // namespace

void set_memory_maker(wasm_config_t* config, std::uint64_t* refusals) {
  wasmtime_memory_creator_t maker{refusals, new_memory, nullptr};
  wasmtime_config_host_memory_creator_set(config, &maker);
}

} // namespace tessera::wasm
