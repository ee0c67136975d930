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
      : context_(wasmtime_caller_context(caller)),
        host_(*static_cast<Host*>(wasmtime_context_get_data(context_))) {
    if (!host_.memory)
      early_memory(caller);
    if (const auto& memory = host_.memory ? *host_.memory : early_; host_.memory || has_early_)
      memory_ = {wasmtime_memory_data(context_, &memory),
                 wasmtime_memory_data_size(context_, &memory)};
  }

  Host& host() { return host_; }

  // Bytes [at, at + size) of its memory; nothing, with the failure noted, if they are not all
  // there.
  std::optional<std::span<std::uint8_t>> stretch(const char* function, std::uint32_t at,
                                                 std::uint64_t size) {
    if (at + size <= memory_.size())
      return memory_.subspan(at, size);
    misused(function, "bytes " + std::to_string(at) + " to " + std::to_string(at + size) +
                          " of a memory of " + std::to_string(memory_.size()));
    return std::nullopt;
  }

  bool put32(const char* function, std::uint32_t at, std::uint32_t value);
  std::optional<std::uint32_t> get32(const char* function, std::uint32_t at);

  // These answer false: the call ends.
  bool misused(const char* function, const std::string& why);
  bool append(const char* function, ByteView bytes); // To the output.
  bool ended(Error why);

private:
  void early_memory(wasmtime_caller_t* caller);

  wasmtime_context_t* context_;
  Host& host_;
  wasmtime_memory_t early_{};
  bool has_early_ = false;
  std::span<std::uint8_t> memory_;
};

using HostCall = bool (*)(Guest& guest, wasmtime_val_raw_t* values); // False: the call ends.

// By name; null: no such function.
HostCall kernel_call(std::string_view name);
HostCall command_call(std::string_view name);

} // namespace tessera::wasm
