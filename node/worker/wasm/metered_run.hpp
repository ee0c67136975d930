#pragma once

#include "node/worker/wasm/module_run.hpp"

// A job that counts fuel. Each partial carries, behind its bytes, the fuel of all calls that made
// it: a u64. So the whole job's fuel is merged as its bytes are, once for each microtask whoever
// ran it, and is the same on any mesh.
namespace tessera::wasm {

class MeteredRun : public KernelRun {
public:
  explicit MeteredRun(ModuleRun inner) : inner_(std::move(inner)) {}

  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override;
  Status merge(ByteView left, ByteView right, Bytes& out) override; // E711: no fuel behind one.
  Status finish(ByteView partial, Bytes& out) override;             // E711.
  Usage usage() override; // After finish the whole job's fuel is among it.

private:
  Status metered(std::uint64_t before, Status status, Bytes& out);

  ModuleRun inner_;
  std::uint64_t finished_ = 0; // Fuel of jobs that were finished here.
};

} // namespace tessera::wasm
