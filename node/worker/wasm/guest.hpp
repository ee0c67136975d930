#pragma once

#include "node/worker/wasm/host.hpp"

#include <cstring>
#include <span>

// One call from a guest, as the host functions see it.
namespace tessera::wasm {

inline constexpr std::size_t message_bytes_max = 512; // Of what a module says when it fails.

class Guest {
public:
  explicit Guest(wasmtime_caller_t* caller)
      : caller_(caller), context_(wasmtime_caller_context(caller)),
        host_(*static_cast<Host*>(wasmtime_context_get_data(context_))) {}

  Host& host() { return host_; }

  // Bytes [at, at + size) of its memory; nothing, with the failure noted, if they are not all
  // there.
  std::optional<std::span<std::uint8_t>> stretch(const char* function, std::uint32_t at,
                                                 std::uint64_t size) {
    const auto memory = this->memory();
    if (at + size <= memory.size()) [[likely]]
      return memory.subspan(at, size);
    misused(function, "bytes " + std::to_string(at) + " to " + std::to_string(at + size) +
                          " of a memory of " + std::to_string(memory.size()));
    return std::nullopt;
  }

  bool put32(const char* function, std::uint32_t at, std::uint32_t value);
  std::optional<std::uint32_t> get32(const char* function, std::uint32_t at);

  // These answer false: the call ends.
  bool misused(const char* function, const std::string& why);
  bool append(const char* function, ByteView bytes); // To the output.
  bool ended(Error why);

private:
  std::span<std::uint8_t> memory() { // Its base never moves (engine.cpp); its size grows.
    if (!host_.memory) [[unlikely]]
      return early_memory();
    return {host_.memory_base, wasmtime_memory_data_size(context_, &*host_.memory)};
  }
  std::span<std::uint8_t> early_memory();

  wasmtime_caller_t* caller_;
  wasmtime_context_t* context_;
  Host& host_;
};

using HostCall = bool (*)(Guest& guest, wasmtime_val_raw_t* values); // False: the call ends.

// By name; null: no such function.
HostCall kernel_call(std::string_view name);
HostCall command_call(std::string_view name);

} // namespace tessera::wasm
