#pragma once

#include "node/kernels/each_input.hpp"
#include "node/worker/wasm/module_run.hpp"

// A map of single tasks by a module: its `run` gets a task in slot 1, and what it writes is that
// task's result. What it does wrong with one is told in that one's line; the others go on, in a
// fresh instance.
namespace tessera::wasm {

class EachModuleRun : public KernelRun {
public:
  // As ordered output. E422: `input`, which outlives the run, is no list of tasks.
  static Result<std::unique_ptr<KernelRun>> of(ModuleRun run, ByteView input);

  EachModuleRun(ModuleRun run, EachInput input) : run_(std::move(run)), input_(input) {}

  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override;
  Status merge(ByteView left, ByteView right, Bytes& out) override;
  Usage usage() override { return run_.usage(); }

private:
  ModuleRun run_;
  EachInput input_;
  Bytes result_;
};

} // namespace tessera::wasm
