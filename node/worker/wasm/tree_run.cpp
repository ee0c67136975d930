#include "node/worker/wasm/tree_run.hpp"

#include <algorithm>
#include <iterator>

namespace tessera::wasm {

namespace {

Error bad_partial(const char* what) {
  return {"E711", "a partial does not fit the job", std::string(what) + " is no bag of tasks",
          "a peer may run another version; compare: tessera peers --json"};
}

Error too_much(const std::string& name) {
  return {"E734", name + " spawns more tasks than can wait",
          "more than " + std::to_string(bag_bytes_max >> 20) + " MiB of them",
          "make tasks larger or fewer: run small subtrees within one task"};
}

} // namespace

// What the tasks of one call made so far.
class TreeRun::Sum {
public:
  std::uint64_t run = 0, fuel = 0;
  std::optional<Bytes> contribution;
};

TreeRun::TreeRun(ModuleRun inner, Merge merge, ByteView state, bool first, std::uint64_t lanes,
                 std::uint64_t budget)
    : inner_(std::move(inner)), merge_(std::move(merge)), lanes_(lanes), budget_(budget) {
  if (first)
    state_ = Bag{0, 0, {}, {state}};
  else
    state_ = Bag::of(state);
}

Status TreeRun::add(ByteView contribution, Sum& sum) {
  if (!sum.contribution) {
    sum.contribution = to_bytes(contribution);
    return Nothing{};
  }
  Bytes merged;
  auto status = inner_.merge(*sum.contribution, contribution, merged);
  sum.fuel += inner_.last_fuel();
  if (status)
    *sum.contribution = std::move(merged);
  return status;
}

// The last of `waiting` runs next.
Status TreeRun::run_lane(std::uint64_t lane, Sum& sum, std::vector<Bytes>& waiting) {
  const auto count = state_->tasks.size();
  // No overflow: lanes and tasks are both below 2^32.
  const auto from = std::size_t(lane * count / lanes_),
             to = std::size_t((lane + 1) * count / lanes_);
  const auto below = waiting.size();
  for (auto t = to; t-- > from;)
    waiting.push_back(to_bytes(state_->tasks[t]));
  std::size_t bytes = 0;
  Bytes made;
  std::vector<Bytes> children;
  for (std::uint64_t n = 0; n != budget_ && waiting.size() > below; ++n) {
    const auto task = std::move(waiting.back());
    waiting.pop_back();
    made.clear();
    children.clear();
    auto ran = inner_.task(task, made, children);
    sum.fuel += inner_.last_fuel();
    if (!ran)
      return ran;
    sum.run += 1;
    if (!made.empty())
      if (auto added = add(made, sum); !added)
        return added;
    for (const auto& child : children)
      bytes += child.size() + sizeof(std::uint32_t);
    bytes -= std::min(bytes, task.size() + sizeof(std::uint32_t));
    if (bytes > bag_bytes_max)
      return too_much(inner_.name());
    waiting.insert(waiting.end(), std::make_move_iterator(children.rbegin()),
                   std::make_move_iterator(children.rend()));
  }
  std::reverse(waiting.begin() + std::ptrdiff_t(below), waiting.end());
  return Nothing{};
}

Status TreeRun::answer(const Sum& sum, const std::vector<ByteView>& tasks, Bytes& out) const {
  const auto before = out.size();
  Bag bag{sum.run, sum.fuel, {}, tasks};
  if (sum.contribution)
    bag.contribution = *sum.contribution;
  bag.append_to(out);
  if (out.size() - before > bag_bytes_max)
    return too_much(inner_.name());
  return Nothing{};
}

Status TreeRun::run(std::uint64_t begin, std::uint64_t end, Bytes& out) {
  if (!state_)
    return Error{"E706", "a round does not fit its job", "its state is no bag of tasks",
                 "a peer may run another version; compare: tessera peers --json"};
  Sum sum;
  std::vector<Bytes> waiting; // Of lanes that are over, then of the one that runs.
  for (auto lane = begin; lane != end; ++lane)
    if (auto ran = run_lane(lane, sum, waiting); !ran)
      return ran;
  return answer(sum, {waiting.begin(), waiting.end()}, out);
}

Status TreeRun::merge(ByteView left, ByteView right, Bytes& out) {
  const auto l = Bag::of(left), r = Bag::of(right);
  if (!l || !r)
    return bad_partial(l ? "the right one" : "the left one");
  Sum sum{l->run + r->run, l->fuel + r->fuel, {}};
  for (const auto* side : {&*l, &*r})
    if (side->contribution)
      if (auto added = add(*side->contribution, sum); !added)
        return added;
  auto tasks = l->tasks;
  tasks.insert(tasks.end(), r->tasks.begin(), r->tasks.end());
  return answer(sum, tasks, out);
}

Status TreeRun::finish(ByteView partial, Bytes& out) {
  const auto made = Bag::of(partial);
  if (!made || !state_)
    return bad_partial("what was merged, or the state,");
  Sum sum{state_->run + made->run, 0, {}};
  auto fuel = made->fuel;
  for (const auto* side : std::initializer_list<const Bag*>{&*state_, &*made})
    if (side->contribution)
      if (auto added = add(*side->contribution, sum); !added)
        return added;
  finished_ += fuel + std::exchange(sum.fuel, 0);
  last_ = {};
  last_.over = made->tasks.empty();
  last_.tasks_run = made->run;
  last_.tasks_left = made->tasks.size();
  if (!last_.over)
    return answer(sum, made->tasks, out);
  const auto result = sum.contribution ? ByteView{*sum.contribution} : ByteView{};
  return inner_.merges() ? KernelRun::finish(result, out) : merge_.finish(result, out);
}

KernelRun::Usage TreeRun::usage() {
  auto usage = inner_.usage();
  usage.fuel += finished_;
  usage.over = last_.over;
  usage.tasks_run = last_.tasks_run;
  usage.tasks_left = last_.tasks_left;
  return usage;
}

} // namespace tessera::wasm
