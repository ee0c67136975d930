#pragma once

#include "node/wasm/bag.hpp"
#include "node/worker/wasm/module_run.hpp"

// A round of a tree job: its state is the tasks that wait. Each item of the round, a lane, has an
// even share of them, and runs them and what they spawn, depth first, until its budget of tasks is
// spent; what then waits goes to the next round. So what a lane makes depends on the state and the
// budget alone, and a tree job is as exact, through deaths and doubled leases, as any other.
namespace tessera::wasm {

class TreeRun : public KernelRun {
public:
  // `state`: of the first round, the one task itself; outlives the run. `lanes`: items of a round.
  TreeRun(ModuleRun inner, Merge merge, ByteView state, bool first, std::uint64_t lanes,
          std::uint64_t budget);

  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override; // E706: a bad state.
  Status merge(ByteView left, ByteView right, Bytes& out) override;        // E711. E734: too much.
  // The next state or, when no task waits, the result.
  Status finish(ByteView partial, Bytes& out) override;
  Usage usage() override;

private:
  class Sum;
  Status run_lane(std::uint64_t lane, Sum& sum, std::vector<Bytes>& waiting);
  Status add(ByteView contribution, Sum& sum);
  Status answer(const Sum& sum, const std::vector<ByteView>& tasks, Bytes& out) const;

  ModuleRun inner_;
  Merge merge_;
  std::optional<Bag> state_;
  std::uint64_t lanes_, budget_;
  std::uint64_t finished_ = 0; // Fuel of what was finished here.
  Usage last_;                 // Of a finish: whether it is over, and its tasks.
};

} // namespace tessera::wasm
