#pragma once

#include "node/worker/wasm/host.hpp"
#include "node/worker/wasm/module.hpp"
#include "node/worker/wasm/trap.hpp"

// A module with memory of its own, called many times. Some microseconds to make; a call costs
// tens of nanoseconds.
namespace tessera::wasm {

enum class Entry : std::uint8_t { run, merge, step };

class Instance {
public:
  // Runs its start function and `_initialize`. Errors: E720-E723, E726, E728;
  // E712: this machine refused memory that the limits allow; Module::code's.
  static Result<std::unique_ptr<Instance>> make(Module& module, Mode mode);

  // Appends the output to `out`, and child tasks to `tasks` (null: none may be spawned). On an
  // error both hold what was there before. Errors: as of make, and E724, E725 (limits), E727 (it
  // answers that it failed), E730 (a slot of 4 GiB or more). After one, the instance is not to be
  // called again.
  Status call(Entry entry, const Slots& slots, Bytes& out, std::vector<Bytes>* tasks = nullptr);

  bool over() const { return over_; } // Of the last call: step answered 1, which is success too.
  std::uint64_t fuel_used() const { return fuel_used_; } // Of the last call; 0 where not counted.
  std::uint64_t memory_bytes() const;                    // Now.

private:
  Instance(Module& module, Mode mode) : module_(module), mode_(mode), host_(module.limits()) {}
  Status start(const Module::Code& code);
  Status find_entries();
  Fall enter(const wasmtime_func_t& function, wasmtime_val_raw_t* values, std::size_t size);
  Status answered(const Fall& fall, std::int32_t answer, std::string_view entry);
  void refuel();

  Module& module_;
  Mode mode_;
  Host host_;
  StoreHandle store_;
  wasmtime_context_t* context_ = nullptr;
  wasmtime_instance_t instance_{};
  std::array<std::optional<wasmtime_func_t>, 3> entries_; // By Entry; a command's run is _start.
  std::uint64_t fuel_used_ = 0;
  bool over_ = false;
};

} // namespace tessera::wasm
