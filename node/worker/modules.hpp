#pragma once

#include "node/kernels/kernel.hpp"

#include <memory>
#include <string>

// What runs WebAssembly in a worker. A build without an engine has none (no_wasm/), and its workers
// run native kernels only.
namespace tessera {

struct JobInputs { // By net/message.hpp's roles; empty where a job has none.
  ByteView data = {}, module = {}, params = {}, state = {};
  std::uint32_t round = 0;  // Which: leaves read `state`, and finish steps from it.
  std::uint64_t items = 0;  // Of the job.
  std::uint32_t budget = 0; // Of a round of a tree job: tasks of one lane.
};

class Modules {
public:
  virtual ~Modules() = default;
  // Before the process forks, or shuts itself in: no thread may come of it, and what it makes is
  // for the children, too. E729: not on this machine.
  virtual Status warm_up() = 0;
  virtual bool runs(const std::string& kernel) const = 0;
  // `params` as the spec has them. `inputs` outlive the run, but the module's bytes need not. What
  // was compiled for a job that is still open is not compiled again.
  virtual Result<std::unique_ptr<KernelRun>> open(const std::string& kernel, ByteView params,
                                                  const JobInputs& inputs) = 0;
  // At submission: whether `module` is one, and compiles.
  virtual Status check(const std::string& kernel, ByteView params, ByteView module) = 0;
};

using MakeModules = std::unique_ptr<Modules> (*)(); // Null: this build has none.
MakeModules modules_of_this_build();

} // namespace tessera
