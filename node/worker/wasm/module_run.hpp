#pragma once

#include "node/kernels/kernel.hpp"
#include "node/wasm/merges.hpp"
#include "node/worker/wasm/instance.hpp"

// A job whose kernel is a module, as the loop over a block's leaves runs it (block_run.hpp).
//
// NaN bits: WebAssembly leaves sign and payload of a computed NaN open. A call runs in plain code,
// with the CPU's sticky invalid-operation flag down. If the flag is up afterwards, whatever came of
// the call is dropped and it runs again in an instance that gives every NaN one pattern. So bytes
// depend on the call alone. NaNs that the input brings raise no flag: strict_nans is for those.
namespace tessera::wasm {

struct ModuleJob {
  ByteView params = {};           // Slot 0.
  ByteView input = {};            // The job's own.
  std::uint64_t record_bytes = 0; // 0: slot 1 of run is the range, slot 2 the input. Else slot 1
                                  // is the range's part of the input, cut into records of this
                                  // length; the last may be short.
  Merge merge = {};               // Where the module exports none.
  bool strict_nans = false;       // Canonical code always.
  bool round = false;             // One round: slot 2 of run is the state, and finish steps.
  ByteView state = {};
};

struct Totals {
  std::uint64_t calls = 0;       // Of the module.
  std::uint64_t calls_again = 0; // For a NaN.
  std::uint64_t fuel = 0;        // Of what counted; equal wherever the same calls run.
  std::uint64_t memory_bytes_max = 0;
};

class ModuleRun : public KernelRun {
public:
  // `job`'s views outlive the run.
  ModuleRun(std::shared_ptr<Module> module, const ModuleJob& job)
      : module_(std::move(module)), job_(job), strict_(job.strict_nans) {}

  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override;
  Status merge(ByteView left, ByteView right, Bytes& out) override;
  // The built-in merge's, else as it is; of a round the next state, made of that.
  Status finish(ByteView partial, Bytes& out) override;

  // One task of a tree job: its children are appended to `children`.
  Status task(ByteView task, Bytes& out, std::vector<Bytes>& children);
  // One of a list of tasks (kernels/each_input.hpp): it spawns none.
  Status single(ByteView task, Bytes& out);
  // The next state. E503: the module exports no step.
  Status step(ByteView state, ByteView merged, Bytes& out);
  bool over() const { return last_over_; } // Of the last call: it was a step, which said so.

  bool merges() const { return module_->abi().merges; }
  const std::string& name() const { return module_->name(); }
  const Totals& totals();
  Usage usage() override {
    const auto& t = totals();
    return {t.fuel, t.memory_bytes_max, t.calls, t.calls_again, over(), 0, 0};
  }
  std::uint64_t last_fuel() const { return last_fuel_; } // Of the last call; 0: it was no module's.

private:
  using Tasks = std::vector<Bytes>*;
  Status call(Entry entry, const Slots& slots, Bytes& out, Tasks tasks);
  bool call_plain(Entry entry, const Slots& slots, Bytes& out, Tasks tasks, Status& status);
  Status call_canonical(Entry entry, const Slots& slots, Bytes& out, Tasks tasks);
  Status make(std::unique_ptr<Instance>& instance, Mode mode);
  Status enter(std::unique_ptr<Instance>& instance, Entry entry, const Slots& slots, Bytes& out,
               Tasks tasks);
  Status merged(ByteView partial, Bytes& out);
  void note_memory(const std::unique_ptr<Instance>& instance);
  bool fuel() const { return module_->limits().fuel != 0; }

  std::shared_ptr<Module> module_;
  ModuleJob job_;
  bool strict_ = false; // As asked, or since a NaN is in what its instances start with.
  std::unique_ptr<Instance> plain_, canonical_; // Made on first need, and anew after a failure.
  std::uint64_t last_fuel_ = 0;
  bool last_over_ = false;
  Totals totals_;
};

} // namespace tessera::wasm
