#include "actors/job_machine.hpp"

#include <algorithm>

namespace tessera {
namespace {

// Not the kernel's word: the worker, its socket or memory, the node's store.
bool machine_fault(const Error& why) {
  static const std::set<std::string> codes{"E701", "E702", "E703", "E704",
                                           "E705", "E707", "E708", "E710"};
  return !why.code.starts_with("E7") || codes.contains(why.code);
}

// The worker never came to it, or its owner wanted the machine.
bool innocent(const Error& why) {
  return why.code == "E709" || why.code == paused_code;
}

template<class Map>
std::uint32_t counted(Map& counts, Block block) {
  if (counts.size() >= failures_max && !counts.contains(block))
    counts.erase(counts.begin());
  return ++counts[block];
}

} // namespace

// --- Choosing

std::uint64_t Job::Machine::queued_leaves() const {
  std::uint64_t sum = 0;
  for (const auto& [key, h] : held)
    sum += h.ledger.queued_leaves();
  return sum;
}

void Job::Machine::start(std::uint32_t slot, Working what, Work work) {
  const auto id = next_work++;
  what.slot = slot;
  what.started = now;
  working[id] = what;
  out.emplace_back(std::in_place_type<StartWork>, StartWork{slot, id, std::move(work)});
}

void Job::Machine::take(std::uint32_t slot) {
  if (ended() || resting() || take_merge(slot) || take_finish(slot))
    return;
  if (slots() > 0 && !take_block(slot)) // Without slots, one only merges and finishes.
    take_spare(slot);
}

bool Job::Machine::take_merge(std::uint32_t slot) {
  if (stalled)
    return false;
  for (auto& [key, h] : held) {
    if (h.unmerged)
      continue;
    if (auto m = h.ledger.take_merge()) {
      start(slot, {Working::Kind::merge, slot, key, m->block},
            MergeWork{m->block, std::move(m->left), std::move(m->right)});
      return true;
    }
  }
  return false;
}

bool Job::Machine::take_finish(std::uint32_t slot) {
  if (!merged || finishing || stalled)
    return false;
  finishing = true;
  start(slot, {Working::Kind::finish, slot, root_key, tree.root()}, FinishWork{*merged});
  return true;
}

// A block that failed is cut until the leaf that fails stands alone.
std::uint64_t Job::Machine::block_leaves(const Held& h) const {
  const auto leaf = *h.ledger.next_leaf();
  const auto leaves = sizer.block(queued_leaves(), slots());
  auto it = h.narrow.upper_bound(leaf);
  if (it != h.narrow.begin() && std::prev(it)->second.first > leaf)
    return std::min(leaves, std::prev(it)->second.second);
  return leaves;
}

bool Job::Machine::take_block(std::uint32_t slot) {
  // Leases before our own: somebody waits for them. The oldest first.
  Held* best = nullptr;
  for (auto& [key, h] : held)
    if (h.ledger.next_leaf() && (!best || best->rooted()))
      best = &h;
  if (!best)
    return false;
  const auto block = best->ledger.take_to_run(block_leaves(*best));
  start(slot, {Working::Kind::run, slot, best->key, *block}, RunWork{*block});
  return true;
}

// --- A second time, what somebody suspected has

bool Job::Machine::suspected(const Given& g) const {
  return !g.returned && peers.at(g.thief).suspected;
}

bool Job::Machine::has_spare() const {
  return std::any_of(given.begin(), given.end(), [&](const auto& g) {
    return suspected(g.second) && g.second.spare_block < g.second.blocks.size();
  });
}

std::optional<Block> Job::Machine::next_spare(Given& g, std::uint64_t leaves_max) {
  auto* h = find_held(g.from);
  for (; h && g.spare_block < g.blocks.size(); ++g.spare_block, g.spare_from = 0) {
    const auto within = g.blocks[g.spare_block];
    for (;;) {
      const auto b = h->ledger.leased_from(within, g.id, g.spare_from, leaves_max);
      if (!b)
        break;
      g.spare_from = tree.end(*b);
      if (!spare.meets(tree.begin(*b), tree.end(*b)))
        return b;
    }
  }
  return std::nullopt;
}

bool Job::Machine::take_spare(std::uint32_t slot) {
  for (auto& [lease, g] : given) {
    if (!suspected(g))
      continue;
    const auto block = next_spare(g, sizer.block(~std::uint64_t{0}, slots()));
    if (!block)
      continue;
    g.doubled = true;
    spare.add(tree.begin(*block), tree.end(*block));
    Working w{Working::Kind::run, slot, g.from, *block};
    w.spare = true;
    start(slot, w, RunWork{*block});
    return true;
  }
  return false;
}

// --- Done

std::optional<Working> Job::Machine::end_work(WorkId id) {
  const auto it = working.find(id);
  if (it == working.end())
    return std::nullopt;
  const auto w = it->second;
  working.erase(it);
  if (w.spare)
    spare.remove(tree.begin(w.block), tree.end(w.block));
  return w;
}

void Job::Machine::work_done(WorkId id, const Partial& partial, const Digest& leaves,
                             std::uint64_t cpu_ns, std::uint64_t used, const RoundEnd& round) {
  const auto w = end_work(id);
  if (!w || ended())
    return;
  if (w->kind == Working::Kind::run)
    ran(*w, partial, leaves, cpu_ns);
  else if (w->kind == Working::Kind::merge)
    merge_done(*w, partial);
  slot_over[w->slot] = now;
  if (w->kind == Working::Kind::finish)
    finished(partial, used, round);
}

void Job::Machine::finished(const Partial& partial, std::uint64_t used, const RoundEnd& round) {
  finishing = false;
  if (!merged)
    return; // Some of it was lost meanwhile.
  result = partial;
  fuel = used;
  round_end = round;
  for (const auto& [node, held] : kept_by)
    share(nullptr, node); // Where to look for it, also who ran nothing.
  end(JobState::done, {});
}

void Job::Machine::work_failed(WorkId id, const Error& why) {
  const auto w = end_work(id);
  if (!w || ended())
    return;
  slot_over[w->slot] = now;
  if (w->kind != Working::Kind::run && why.code == paused_code)
    stalled = paused;
  if (w->kind == Working::Kind::run)
    run_failed(*w, why);
  else if (w->kind == Working::Kind::merge)
    merge_failed(*w, why);
  else
    finish_failed(why);
}

NodeShare& Job::Machine::share(Held* h, const NodeId& node) {
  auto& in = h && !h->rooted() ? h->aside.shares : shares;
  // A peer may name as many nodes as it likes: what is too much counts as ours.
  const auto& name = in.size() < nodes_counted_max || in.contains(node) ? node : config.self;
  auto& s = in[name];
  s.node = name;
  return s;
}

void Job::Machine::rerun(Held* h, const Reruns& more) {
  counters.leaves_rerun += more.sum();
  counters.reruns += more;
  if (h && !h->rooted())
    h->aside.reruns += more;
}
void Job::Machine::rerun(Held* h, std::uint64_t leaves, std::uint64_t Reruns::*why) {
  Reruns more;
  more.*why = leaves;
  rerun(h, more);
}

void Job::Machine::ran(const Working& w, const Partial& partial, const Digest& leaves,
                       std::uint64_t cpu_ns) {
  const auto size = tree.size(w.block);
  const auto from = std::max(w.started, slot_over[w.slot]); // Slots have more than one in care.
  sizer.ran(size, double(std::chrono::nanoseconds(now - from).count()));
  counters.leaves_run += size;
  ran_at = now;
  auto* h = find_held(w.held);
  if (!h)
    return;
  const auto before = h->ledger.done_leaves(w.block);
  const auto verdict = put(*h, {w.block, partial});
  rerun(h, before, &Reruns::duplicated);
  h->aside.cpu_ns += cpu_ns;
  auto& mine = share(h, config.self);
  mine.cpu_ns += cpu_ns;
  mine.slots = config.slots;
  if (verdict.kind != Ledger::Verdict::accepted)
    return;
  mine.leaves += size;
  tell_part(*h, w.block, config.self, false);
  if (!h->rooted() && h->aside.ran.size() < ran_kept_max)
    h->aside.ran.push_back({w.block, spec->spec.trust == Trust::trust ? partial.digest : leaves});
}

void Job::Machine::merge_done(const Working& w, const Partial& partial) {
  counters.merges += 1;
  auto* h = find_held(w.held);
  if (!h)
    return;
  share(h, config.self).merges += 1;
  const auto verdict = h->ledger.done(w.block, partial).kind;
  counters.conflicts += verdict == Ledger::Verdict::conflict;
  if (verdict == Ledger::Verdict::accepted)
    tell_part(*h, w.block, config.self, true);
}

void Job::Machine::tell_part(const Held& h, Block block, std::optional<NodeId> node, bool merged) {
  if (watched && h.rooted())
    out.emplace_back(std::in_place_type<PartDone>, PartDone{block, node, merged});
}

// --- Failed

void Job::Machine::narrow(Held& h, Block block) {
  if (h.narrow.size() >= narrow_max)
    h.narrow.erase(h.narrow.begin());
  const auto end = tree.end(block);
  const auto size = std::max<std::uint64_t>(1, tree.size(block) / 8);
  // An older, wider cut that begins here too still holds behind this block.
  if (const auto old = h.narrow.extract(tree.begin(block));
      !old.empty() && old.mapped().first > end)
    h.narrow[end] = old.mapped();
  h.narrow[tree.begin(block)] = {end, size};
}

void Job::Machine::run_failed(const Working& w, const Error& why) {
  auto* h = find_held(w.held);
  if (!h || w.spare)
    return;
  h->ledger.requeue(w.block);
  if (h->bond == Held::Bond::over || (handing_back() && !h->rooted()))
    return drop_queued(*h);
  if (innocent(why))
    return;
  say_failed(config.self, w.block, why);
  rerun(h, tree.size(w.block), machine_fault(why) ? &Reruns::crashed : &Reruns::failed);
  if (machine_fault(why) && counted(h->faults, w.block) == 1)
    return; // Once more: a worker may die of anything.
  if (tree.size(w.block) > 1)
    narrow(*h, w.block);
  else
    leaf_failed(*h, w.block, why);
}

// Here, or at the thief who gave it back as failed.
void Job::Machine::leaf_failed(Held& h, Block leaf, const Error& why) {
  if (h.ledger.done_leaves(leaf))
    return; // Somebody could.
  if (!h.rooted()) {
    h.ledger.forgo(leaf);
    h.aside.failed.push_back(leaf);
    h.aside.reason = why;
    return;
  }
  if (failure_codes.size() < failures_max)
    failure_codes[leaf] = why.code;
  if (counted(h.failures, leaf) > spec->spec.retries)
    end(JobState::failed, why);
}

void Job::Machine::merge_failed(const Working& w, const Error& why) {
  auto* h = find_held(w.held);
  if (!h)
    return;
  h->ledger.merge_failed(w.block);
  if (innocent(why))
    return;
  const auto times = counted(h->faults, w.block);
  if (times < (machine_fault(why) ? machine_faults_max : 2))
    return;
  if (h->rooted())
    end(JobState::failed, why);
  else
    h->unmerged = true; // Its lessor may try.
}

void Job::Machine::finish_failed(const Error& why) {
  finishing = false;
  if (innocent(why))
    return;
  if (++finish_faults >= (machine_fault(why) ? machine_faults_max : 1))
    end(JobState::failed, why);
}

} // namespace tessera
