#pragma once

#include "node/wasm/outline.hpp"

// What a module must be to run here: a kernel that imports nothing but `tessera0` and exports
// `run`, or a WASI command that reads stdin and writes stdout. Checked from its outline, without an
// engine, so that a node refuses at submission what no worker would run.
namespace tessera::wasm {

// What a module may use; a job's spec asks, the owner of the machine clamps. All are guesses.
struct Limits {
  std::uint64_t module_bytes = 16 << 20;
  std::uint32_t functions = 50'000;       // Imported ones with them.
  std::uint64_t function_bytes = 1 << 20; // One body: compiling takes longest on long ones.
  std::uint64_t memory_bytes = 256 << 20; // Linear memory.
  std::uint64_t table_elements = 100'000; // Of all tables at first, of each one later.
  std::uint64_t output_bytes = 64 << 20;  // Of one call.
  std::uint64_t spawned_bytes = 16 << 20; // Of one call, its child tasks together.
  std::uint64_t spawned_tasks = 65'536;   // Of one call.
  std::uint64_t fuel = 0;                 // Instructions of one call; 0: not counted.
};

inline constexpr std::uint64_t page_bytes = 65'536;
inline constexpr std::string_view host_module = "tessera0";
inline constexpr std::string_view wasi_module = "wasi_snapshot_preview1";

enum class Form : std::uint8_t {
  kernel,  // Exports run: an instance lives for many calls.
  command, // Exports _start: a fresh instance for each call.
};

struct Abi {
  Form form = Form::kernel;
  bool merges = false, steps = false, initializes = false; // What else it exports.
  Outline outline;
};

// The functions that the host offers to one form, by name.
struct HostFunction {
  std::string_view name;
  Signature signature;
};
const std::vector<HostFunction>& host_functions(Form form);

// `name` is what the user calls the module. E501: an import that is not offered; E502: no module;
// E503: an export that is missing or of a wrong type; E512: past a limit.
Result<Abi> check_module(std::string_view name, ByteView module, const Limits& limits);

} // namespace tessera::wasm
