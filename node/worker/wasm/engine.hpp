#pragma once

#include "crypto/result.hpp"
#include "node/worker/wasm/handles.hpp"

#include <array>
#include <cstdint>

// wasmtime as every worker sets it up: Cranelift for speed, one thread, and the same code on every
// node of one architecture. SIMD is on. Off are threads, relaxed SIMD, tail calls, 64-bit and
// several memories; GC, exceptions and components are not even built. No epochs.
namespace tessera::wasm {

// How a module is compiled.
struct Mode {
  bool canonical_nans = false; // Each NaN that an operation makes gets one bit pattern.
  bool fuel = false;           // Instructions are counted.
};

inline constexpr std::size_t stack_bytes_max = 1 << 20; // A guess; of a process stack of 8 MiB.

class Engine {
public:
  // Made on first need, kept. E729: this CPU or build cannot run modules.
  Result<wasm_engine_t*> get(Mode mode);

  // Before the process shuts itself in: takes signal handlers and their stack, which the sandbox
  // does not let it take later. E729.
  Status warm_up();

  // How many memories this machine refused so far, to be made or to grow (memory.hpp).
  std::uint64_t refusals() const { return *refusals_; }

private:
  std::unique_ptr<std::uint64_t> refusals_ = std::make_unique<std::uint64_t>(0);
  std::array<EngineHandle, 4> engines_; // By mode.
};

} // namespace tessera::wasm
