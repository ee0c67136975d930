#pragma once

#include "node/worker/block_run.hpp"
#include "node/worker/worker.hpp"

#include <map>

// What a worker process does: reads requests from its one socket, answers the calls in order, and
// ends when its node does. Task code runs on this one thread and nowhere else.
namespace tessera {

class Worker {
public:
  explicit Worker(FindKernel find) : find_(find) {}

  // Nothing: the request asks for no answer.
  std::optional<WorkerReply> handle(WorkerRequest request);
  void trim(); // After an answer: large buffers go back to the system.

private:
  struct Job {
    Contents input;
    std::unique_ptr<KernelRun> run;
    std::optional<Leaves> leaves;
    bool leaf_digests = false;
    std::optional<Error> failure; // Why its calls fail; without it all of the above is there.
  };

  // What a call yields: a view into a buffer of this worker.
  struct Output {
    ByteView bytes;
    Digest leaves;
  };

  std::optional<WorkerReply> on(OpenJob m);
  std::optional<WorkerReply> on(CloseJob m);
  template<class Call>
  std::optional<WorkerReply> on(Call m);

  Result<Output> work(const RunCall& m);
  Result<Output> work(MergeCall& m);
  Result<Output> work(FinishCall& m);
  Result<Output> work(PrepareCall& m);

  Result<Job> open(OpenJob& m) const;
  Result<Job*> job(std::uint64_t number);

  FindKernel find_;
  std::map<std::uint64_t, Job> jobs_; // At most open_jobs_max.
  BlockRun block_run_;
  Bytes output_;
};

// Serves until the node is gone or speaks nonsense.
void serve(const Fd& socket, FindKernel find);

} // namespace tessera
