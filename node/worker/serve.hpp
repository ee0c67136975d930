#pragma once

#include "node/kernels/block_run.hpp"
#include "node/worker/worker.hpp"

#include <map>

// What a worker process does: reads requests from its one socket, answers the calls in order, and
// ends when its node does. Task code runs on this one thread and nowhere else.
namespace tessera {

class Worker {
public:
  explicit Worker(FindKernel find, Modules* modules = nullptr) : find_(find), modules_(modules) {}

  // Nothing: the request asks for no answer.
  std::optional<WorkerReply> handle(WorkerRequest request);
  void trim(); // After an answer: large buffers go back to the system.

private:
  struct Job {
    Contents input, module_params, state;
    std::unique_ptr<KernelRun> run;
    std::optional<Leaves> leaves;
    bool leaf_digests = false;
    std::uint64_t fuel_told = 0;
    std::optional<Error> failure; // Why its calls fail; without it all of the above is there.
  };

  // What a call yields: a view into a buffer of this worker.
  struct Output {
    ByteView bytes;
    Digest leaves;
    KernelRun::Usage used;
    KernelRun::Pieces pieces;
    bool as_it_is = false;
  };

  std::optional<WorkerReply> on(OpenJob m);
  std::optional<WorkerReply> on(CloseJob m);
  template<class Call>
  std::optional<WorkerReply> on(Call m);

  Result<Output> work(const RunCall& m);
  Result<Output> work(MergeCall& m);
  Result<Output> work(FinishCall& m);
  Result<Output> work(PrepareCall& m);
  Result<Output> work(const OpenedCall& m);
  Result<Output> check_module(PrepareCall& m);

  Result<Job> open(OpenJob& m) const;
  Result<Job*> job(std::uint64_t number);

  Result<std::unique_ptr<KernelRun>> open_module(const OpenJob& m, const Job& job,
                                                 ByteView module) const;
  Result<std::unique_ptr<KernelRun>> open_native(const OpenJob& m, const Job& job) const;
  Output told(Job& job, ByteView bytes, const Digest& leaves = {}) const;

  FindKernel find_;
  Modules* modules_;                  // Null: native kernels only.
  std::map<std::uint64_t, Job> jobs_; // At most open_jobs_max.
  BlockRun block_run_;
  Bytes output_;
};

// Serves until the node is gone or speaks nonsense.
void serve(const Fd& socket, FindKernel find, Modules* modules = nullptr);

} // namespace tessera
