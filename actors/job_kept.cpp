#include "actors/job_machine.hpp"

#include <algorithm>

// Ordered output (net/manifest.hpp) stays where it was made. Two nodes hold what counts as done;
// the root is one of them only where nobody else can be, so that the bytes do not pass through it
// (architecture 4.4). When one of the two goes, the other gives a copy to a third.
namespace tessera {

// --- The root's part

void Job::Machine::copy(const BlockResult& r, NodeId holder) {
  const auto [c, added] = copying.try_emplace(r.partial.digest);
  c->second.holders.insert(holder);
  if (!added)
    return; // On its way, for another result of the same.
  c->second.done = r;
  next_keeper(c->second);
}

// Who works on the job or did, by rendezvous, so that its output spreads over its nodes.
std::optional<NodeId> Job::Machine::keeper_for(const Copying& c) const {
  std::optional<NodeId> best;
  Digest highest;
  for (const auto& [node, p] : peers) {
    const bool near = p.partner() || (p.helped && p.boot != 0);
    if (!near || p.suspected || p.down_at || c.holders.contains(node) || c.tried.contains(node))
      continue;
    const auto rank = digest_of("tessera keeper", {c.done.partial.digest.view(), node.view()});
    if (!best || highest < rank) {
      best = node;
      highest = rank;
    }
  }
  return best;
}

// After a restart nobody knows any more how those fare who held it: what they have is taken here.
void Job::Machine::fetch_back(const BlockResult& r, std::set<NodeId> holders) {
  auto& c = copying[r.partial.digest];
  c.done = r;
  c.counts = true;
  c.holders = std::move(holders);
  pull_copy(c);
}

void Job::Machine::next_keeper(Copying& c) {
  const auto keeper = keeper_for(c);
  if (!keeper)
    return pull_copy(c);
  counters.copies_asked += 1;
  c.keeper = *keeper;
  c.since = now;
  ask_keeper(c);
}

void Job::Machine::pull_copy(Copying& c) {
  c.keeper = config.self;
  out.emplace_back(std::in_place_type<PullBlob>, PullBlob{c.done.partial.digest,
                                                          c.done.partial.size,
                                                          {c.holders.begin(), c.holders.end()},
                                                          c.done.partial.bytes});
}

void Job::Machine::ask_keeper(Copying& c) {
  c.asked = now;
  send(c.keeper, KeepAsk{id(), c.done.partial.bytes, *c.holders.begin()});
}

void Job::Machine::keeper_failed(Copying& c) {
  c.tried.insert(c.keeper);
  next_keeper(c);
}

void Job::Machine::on(NodeId from, const KeepAnswer& answer) {
  const auto c = copying.find(answer.manifest);
  if (c == copying.end() || c->second.keeper != from)
    return;
  if (!answer.kept)
    return keeper_failed(c->second);
  auto holders = c->second.holders;
  holders.insert(from);
  note_kept({c->second.done, std::move(holders)});
  copying.erase(c);
  copy_here(answer.manifest, false);
}

// Copied to ourselves, or not to be had.
void Job::Machine::copied(const BlobId& manifest, bool gone) {
  const auto c = copying.find(manifest);
  if (c == copying.end() || c->second.keeper != config.self)
    return;
  const auto over = copying.extract(c);
  if (gone && over.mapped().counts)
    output_lost(over.mapped().done.block);
}

// Those who held it before, of another result of the same, hold it still.
void Job::Machine::note_kept(Kept k) {
  const auto manifest = k.done.partial.digest;
  if (const auto before = kept.find(manifest); before != kept.end()) {
    k.holders.insert(before->second.holders.begin(), before->second.holders.end());
    forget_kept(manifest);
  } else if (kept.size() >= kept_max) {
    forget_kept(kept.begin()->first);
  }
  for (const auto& holder : k.holders)
    kept_by[holder].insert(manifest);
  kept_from.emplace(tree.begin(k.done.block), manifest);
  kept.insert_or_assign(manifest, std::move(k));
}

void Job::Machine::forget_kept(const BlobId& manifest) {
  const auto k = kept.extract(manifest);
  kept_from.erase({tree.begin(k.mapped().done.block), manifest});
  for (const auto& holder : k.mapped().holders)
    if (const auto by = kept_by.find(holder); by != kept_by.end()) {
      by->second.erase(manifest);
      if (by->second.empty())
        kept_by.erase(by);
    }
}

// Of what it held there is one copy less.
void Job::Machine::holder_gone(const NodeId& node) {
  for (auto& [manifest, c] : copying)
    if (c.keeper == node)
      keeper_failed(c);
  const auto by = kept_by.find(node);
  if (by == kept_by.end())
    return;
  for (const auto& manifest : std::set<BlobId>(by->second)) {
    auto k = kept.at(manifest);
    forget_kept(manifest);
    k.holders.erase(node);
    if (k.holders.empty() && !copying.contains(manifest)) {
      output_lost(k.done.block);
      continue;
    }
    const auto [c, added] = copying.try_emplace(manifest);
    c->second.done = k.done;
    c->second.counts = true;
    c->second.holders.merge(k.holders);
    c->second.tried.insert(node);
    if (added)
      next_keeper(c->second);
  }
}

// Nobody has it: it is computed again, with all that was merged with it.
void Job::Machine::output_lost(Block block) {
  auto* h = find_held(root_key);
  if (!h)
    return;
  for (const auto& done : h->ledger.frontier())
    if (tree.contains(done.block, block)) {
      counters.outputs_lost += 1;
      rerun(h, tree.size(done.block), &Reruns::lost);
      say("the output of " + std::to_string(tree.size(done.block)) +
          " microtasks is lost with all who held it: queued again");
      h->ledger.lost(done.block);
      h->upheld.remove(tree.begin(done.block), tree.end(done.block));
      merged.reset();
    }
}

void Job::Machine::tend_copies() {
  for (auto& [manifest, c] : copying) {
    if (c.keeper == config.self)
      continue;
    if (now >= c.since + copy_patience(c))
      keeper_failed(c);
    else if (now >= c.asked + resend_after)
      ask_keeper(c);
  }
}

Duration Job::Machine::copy_patience(const Copying& c) const {
  const auto output = Manifest::of(c.done.partial.bytes);
  const auto mib = output ? output->size() >> 20 : 0;
  return config.reclaim_after + std::chrono::seconds(std::min<std::uint64_t>(mib / 4, 3600));
}

Holders Job::Machine::holders_of(const std::vector<BlockResult>& done) const {
  Holders holders;
  for (const auto& r : done) {
    if (!r.partial.manifest)
      continue;
    std::set<NodeId> nodes;
    for (auto at = kept_from.lower_bound({tree.begin(r.block), {}});
         at != kept_from.end() && at->first < tree.end(r.block); ++at)
      if (const auto& k = kept.at(at->second); tree.contains(r.block, k.done.block))
        nodes.insert(k.holders.begin(), k.holders.end());
    if (!nodes.empty())
      holders[r.partial.digest].assign(nodes.begin(), nodes.end());
  }
  return holders;
}

// --- A keeper's part

void Job::Machine::on(NodeId from, const KeepAsk& ask) {
  const auto manifest = blob_id(ask.manifest);
  if (rooted || ended() || handing || from != root_seen || keeping.size() >= keeping_max)
    return send(from, KeepAnswer{id(), manifest, false});
  if (!keeping.emplace(manifest, from).second)
    return; // On its way.
  out.emplace_back(std::in_place_type<PullBlob>,
                   PullBlob{manifest, ask.manifest.size(), {ask.holder}, ask.manifest});
}

void Job::Machine::kept_here(const BlobId& manifest, bool gone) {
  if (const auto k = keeping.extract(manifest); !k.empty())
    send(k.mapped(), KeepAnswer{id(), manifest, !gone});
}

} // namespace tessera
