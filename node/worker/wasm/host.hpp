#pragma once

#include "node/wasm/abi.hpp"
#include "node/worker/wasm/handles.hpp"

#include <array>
#include <optional>

// The host's side of an instance: what its imports read and write. Nothing that a guest passes is
// believed: a slot that is none, or a stretch that leaves its memory, ends the call with E728.
namespace tessera::wasm {

struct Slots {
  ByteView params, input, other; // 0, 1, 2 of the ABI; each below 2^32 bytes.
};

struct Host {
  explicit Host(const Limits& l) : limits(l) {}

  // What one call gives, until it ends. `tasks`: null where spawning is not offered.
  void begin(const Slots& s, Bytes& to, std::vector<Bytes>* spawned);
  void end();

  Limits limits;
  std::optional<wasmtime_memory_t> memory; // Once the instance is there.
  std::uint8_t* memory_base = nullptr;
  std::array<ByteView, 3> slots{};
  Bytes* out = nullptr; // Null: no call is going on.
  std::size_t out_before = 0;
  std::vector<Bytes>* tasks = nullptr;
  std::size_t tasks_before = 0;
  std::uint64_t spawned_bytes = 0;

  std::optional<Error> failure; // Why the host ended the call.

  // Of commands.
  std::optional<std::int32_t> exited;
  std::size_t stdin_at = 0;
  Bytes complaint; // The end of its stderr.
};

// Defines the functions of one form, for stores whose data is a Host.
void define_host(wasmtime_linker_t* linker, Form form);

} // namespace tessera::wasm
