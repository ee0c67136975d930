#include "node/worker/wasm/engine.hpp"

#include "node/worker/wasm/memory.hpp"

namespace tessera::wasm {

namespace {

Error no_engine(const std::string& why) {
  return {"E729", "this machine cannot run WebAssembly modules", why,
          "native kernels run all the same: tessera kernels"};
}

#if defined(__x86_64__)
// Floating point and SIMD of x86-64-v2, in every CPU since about 2009. Naming the target turns
// detection off: what one CPU has more changes no code.
constexpr const char* target = "x86_64-unknown-linux-gnu";
constexpr const char* features[] = {"has_sse3", "has_ssse3", "has_sse41", "has_sse42",
                                    "has_popcnt"};
bool cpu_does() {
  return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
}
#else
constexpr const char* target = "aarch64-unknown-linux-gnu"; // Armv8.0, without extensions.
constexpr std::array<const char*, 0> features{};
bool cpu_does() {
  return true;
}
#endif

// The whole of 32-bit addressing is reserved for a memory, and a guard after it, so that bounds
// cost nothing; what is not used is address space, and no memory. See sandbox.hpp for the limit.
constexpr std::uint64_t reserved_bytes = std::uint64_t{4} << 30, guard_bytes = 32 << 20;

void set_walls(wasm_config_t* c) {
  wasmtime_config_max_wasm_stack_set(c, stack_bytes_max);
  wasmtime_config_memory_reservation_set(c, reserved_bytes);
  wasmtime_config_memory_guard_size_set(c, guard_bytes);
  wasmtime_config_memory_may_move_set(c, false);
  wasmtime_config_memory_init_cow_set(c, false); // No memfd for each module.
  wasmtime_config_signals_based_traps_set(c, true);
  wasmtime_config_native_unwind_info_set(c, false); // Nothing unwinds through it.
}

void set_language(wasm_config_t* c) {
  wasmtime_config_wasm_simd_set(c, true);
  wasmtime_config_wasm_bulk_memory_set(c, true);
  wasmtime_config_wasm_multi_value_set(c, true);
  wasmtime_config_wasm_relaxed_simd_set(c, false);
  wasmtime_config_wasm_tail_call_set(c, false);
  wasmtime_config_wasm_multi_memory_set(c, false);
  wasmtime_config_wasm_memory64_set(c, false);
  wasmtime_config_wasm_stack_switching_set(c, false);
  wasmtime_config_wasm_wide_arithmetic_set(c, false);
  wasmtime_config_wasm_custom_page_sizes_set(c, false);
  wasmtime_config_shared_memory_set(c, false);
  wasmtime_config_gc_support_set(c, false);
}

// Null: `target` is not known to this build.
wasm_config_t* config(Mode mode, std::uint64_t* refusals) {
  auto* c = wasm_config_new();
  set_walls(c);
  set_memory_maker(c, refusals);
  set_language(c);
  wasmtime_config_strategy_set(c, WASMTIME_STRATEGY_CRANELIFT);
  wasmtime_config_cranelift_opt_level_set(c, WASMTIME_OPT_LEVEL_SPEED);
  wasmtime_config_cranelift_nan_canonicalization_set(c, mode.canonical_nans);
  wasmtime_config_consume_fuel_set(c, mode.fuel);
  wasmtime_config_epoch_interruption_set(c, false);
  for (const auto* feature : features)
    wasmtime_config_cranelift_flag_enable(c, feature);
  if (const ErrorHandle error{wasmtime_config_target_set(c, target)}) {
    wasm_config_delete(c);
    return nullptr;
  }
  return c;
}

// (module (func (export "f"))): enough to make wasmtime take what it takes but once.
constexpr std::uint8_t tiny[] = {0, 'a', 's', 'm', 1, 0, 0,   0, 1, 4,   1, 0x60, 0, 0, 3,  2,
                                 1, 0,   7,   5,   1, 1, 'f', 0, 0, 0xa, 4, 1,    2, 0, 0xb};

} // namespace

Result<wasm_engine_t*> Engine::get(Mode mode) {
  auto& engine = engines_[std::size_t(mode.canonical_nans) + 2 * std::size_t(mode.fuel)];
  if (engine)
    return engine.get();
  if (!cpu_does())
    return no_engine("its CPU has no SSE4.2 or no POPCNT");
  auto* c = config(mode, refusals_.get());
  if (!c)
    return no_engine("its build of wasmtime has no compiler for " + std::string{target});
  engine.reset(wasm_engine_new_with_config(c));
  return engine.get();
}

Status Engine::warm_up() {
  if (auto canonical = get({true, false}); !canonical)
    return canonical.error();
  const auto plain = get({});
  if (!plain)
    return plain.error();
  wasmtime_module_t* module = nullptr;
  if (const ErrorHandle error{wasmtime_module_new(*plain, tiny, sizeof tiny, &module)})
    return no_engine(message_of(*error));
  const ModuleHandle owned{module};
  const StoreHandle store{wasmtime_store_new(*plain, nullptr, nullptr)};
  auto* context = wasmtime_store_context(store.get());
  wasmtime_instance_t instance;
  wasm_trap_t* trap = nullptr;
  const ErrorHandle error{wasmtime_instance_new(context, module, nullptr, 0, &instance, &trap)};
  wasmtime_extern_t f;
  if (error || !wasmtime_instance_export_get(context, &instance, "f", 1, &f))
    return no_engine("its first module does not start");
  wasmtime_val_raw_t none[1];
  const ErrorHandle called{wasmtime_func_call_unchecked(context, &f.of.func, none, 0, &trap)};
  return called || trap ? Status{no_engine("its first module does not run")} : Nothing{};
}

} // namespace tessera::wasm
