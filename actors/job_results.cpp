#include "actors/job_machine.hpp"

#include <algorithm>

// Results that come up: from thieves, and from orphans whose lessor is gone. Bytes first, then the
// ledger, then the receipt; a second receipt when they outlive us (custody, architecture 4.4).
namespace tessera {

namespace {

bool is_inline(const Partial& p) { // All of it, and not only names.
  return p.size <= partial_inline_bytes_max && !p.manifest;
}

std::uint64_t inline_bytes(const LeaseResult& r) {
  std::uint64_t sum = 0;
  for (const auto& d : r.done)
    sum += d.partial.bytes.size();
  return sum;
}

Bytes bytes_of_manifest(const Partial& p) {
  return p.manifest ? p.bytes : Bytes{};
}

} // namespace

bool Job::Machine::placeable(Block block) const {
  if (!tree.valid(block))
    return false;
  return std::any_of(held.begin(), held.end(), [&](const auto& h) {
    const auto& covers = h.second.ledger.covers();
    const auto after =
        std::upper_bound(covers.begin(), covers.end(), tree.begin(block),
                         [&](std::uint64_t leaf, Block cover) { return leaf < tree.begin(cover); });
    return after != covers.begin() && tree.contains(*std::prev(after), block);
  });
}

// Blocks are pure functions of (spec, leaf): welcome whatever became of the lease, as long as there
// is a ledger for one of them.
bool Job::Machine::known(const AccountKey& key, const LeaseResult& r) const {
  const auto g = given.find(key.second);
  if (g != given.end() && g->second.thief == key.first)
    return true;
  if (accounts.contains(key))
    return true;
  if (r.done.empty())
    return r.sequence == 0 && !held.empty(); // An orphan looks for us.
  return std::any_of(r.done.begin(), r.done.end(),
                     [&](const BlockResult& b) { return placeable(b.block); });
}

Account& Job::Machine::account(const AccountKey& key) {
  if (accounts.size() >= accounts_max && !accounts.contains(key))
    prune_accounts();
  auto& a = accounts[key];
  a.thief = key.first;
  a.lease = key.second;
  a.heard = now;
  return a;
}

// Those heard least recently, unless their lease is open: their thieves bring the results again.
void Job::Machine::prune_accounts() {
  const auto oldest =
      std::min_element(accounts.begin(), accounts.end(), [&](const auto& a, const auto& b) {
        return std::pair(given.contains(a.second.lease), a.second.heard) <
               std::pair(given.contains(b.second.lease), b.second.heard);
      });
  if (oldest != accounts.end())
    accounts.erase(oldest);
}

void Job::Machine::drop_old_accounts() {
  std::erase_if(accounts, [&](const auto& a) {
    return now >= a.second.heard + patience_of_orphans() && !given.contains(a.second.lease);
  });
}

void Job::Machine::on(NodeId from, const LeaseResult& r) {
  if (ended())
    return send(from, over());
  const AccountKey key{from, r.lease};
  if (!known(key, r))
    return send(from, LeaseRefused{id(), r.lease, "no such lease here"});
  auto& a = account(key);
  take_back(key, r);
  if (r.sequence <= a.taken || r.sequence == 0)
    return settle_account(key);
  if (a.incoming)
    return; // The same once more: its receipt follows when its blobs are here.
  a.incoming = r;
  auto& done = a.incoming->done;
  std::erase_if(done, [&](const BlockResult& b) { return !placeable(b.block); });
  pull(a);
  if (a.missing.empty())
    absorb(a);
}

bool Job::Machine::theirs(const Given& g, Block b) const {
  return tree.valid(b) && std::any_of(g.blocks.begin(), g.blocks.end(),
                                      [&](Block own) { return tree.contains(own, b); });
}

// What is handed back is queued again at once, whatever has to be pulled first. Twice is once.
void Job::Machine::take_back(const AccountKey& key, const LeaseResult& r) {
  const auto g = given.find(key.second);
  auto* h = g != given.end() && g->second.thief == key.first ? find_held(g->second.from) : nullptr;
  if (!h || r.undone.empty())
    return;
  for (const auto& b : r.undone)
    if (theirs(g->second, b))
      h->ledger.unlease(b, g->second.id);
  if (h->bond == Held::Bond::over || (handing_back() && !h->rooted()))
    drop_queued(*h);
}

void Job::Machine::pull(Account& a) {
  const AccountKey key{a.thief, a.lease};
  for (const auto& [block, partial] : a.incoming->done) {
    if (is_inline(partial) || !a.missing.insert(partial.digest).second)
      continue;
    if (auto& askers = pulls[partial.digest]; !askers.insert(key).second || askers.size() != 1)
      continue;
    if (partial.manifest && rooted)
      copy({block, partial}, a.incoming->holder);
    else
      out.emplace_back(
          std::in_place_type<PullBlob>,
          PullBlob{partial.digest, partial.size, {a.incoming->holder}, bytes_of_manifest(partial)});
  }
}

void Job::Machine::blob_here(const BlobId& blob, bool gone) {
  kept_here(blob, gone);
  copied(blob, gone);
  copy_here(blob, gone);
}

// A result that waits for it may be taken.
void Job::Machine::copy_here(const BlobId& blob, bool gone) {
  const auto askers = pulls.extract(blob);
  if (askers.empty()) {
    if (gone)
      bytes_lost(blob);
    return;
  }
  for (const auto& key : askers.mapped()) {
    const auto it = accounts.find(key);
    if (it == accounts.end() || !it->second.missing.erase(blob))
      continue;
    auto& a = it->second;
    if (gone)
      a.gone.insert(blob);
    if (a.missing.empty())
      absorb(a);
  }
}

void Job::Machine::bytes_lost(const BlobId& blob) {
  for (auto& [key, h] : held)
    for (const auto& [block, partial] : h.ledger.frontier())
      if (!is_inline(partial) && partial.digest == blob) {
        rerun(&h, tree.size(block), &Reruns::lost);
        h.ledger.lost(block);
        h.upheld.remove(tree.begin(block), tree.end(block));
        if (h.rooted())
          merged.reset();
        else if (h.bond == Held::Bond::over || handing_back())
          drop_queued(h);
      }
}

// --- Into the ledgers

Ledger::Verdict Job::Machine::put(Held& h, const BlockResult& r) {
  const auto verdict = h.ledger.done(r.block, r.partial);
  ordered |= r.partial.manifest;
  using V = Ledger::Verdict;
  h.made_bytes += verdict.kind == V::accepted ? r.partial.size : 0;
  counters.duplicates += verdict.kind == V::duplicate;
  counters.overlaps += verdict.overlap;
  counters.conflicts += verdict.kind == V::conflict || verdict.differs;
  return verdict;
}

// Into the lease's own ledger, and any other that waits for the same leaves. Says which one counts.
std::optional<HeldKey> Job::Machine::place(const BlockResult& r, Given* g) {
  auto* own = g ? find_held(g->from) : nullptr;
  std::optional<HeldKey> in;
  if (own) {
    const auto verdict = put(*own, r);
    if (verdict.kind != Ledger::Verdict::outside)
      in = own->key;
    if (g->doubled)
      rerun(own, verdict.leaves_again, &Reruns::duplicated);
  }
  for (auto& [key, h] : held) {
    if (&h == own || (in && h.ledger.done_leaves(r.block) == tree.size(r.block)))
      continue;
    if (put(h, r).kind != Ledger::Verdict::outside && !in)
      in = key;
  }
  return in;
}

void Job::Machine::absorb(Account& a) {
  const auto r = std::move(*a.incoming);
  const auto gone = std::exchange(a.gone, {});
  a.incoming.reset();
  a.taken = r.sequence;
  a.last |= r.last;
  const auto g = given.find(a.lease);
  Given* lease = g != given.end() && g->second.thief == a.thief ? &g->second : nullptr;
  Held* h = lease ? find_held(lease->from) : nullptr;
  std::map<HeldKey, std::vector<Block>> in;
  for (const auto& d : r.done) {
    if (!is_inline(d.partial) && gone.contains(d.partial.digest))
      continue; // As if it had not come.
    const auto key = place(d, lease);
    if (!key)
      continue; // No ledger of ours waits for it any more.
    in[*key].push_back(d.block);
    if (!h)
      h = find_held(*key);
  }
  if (const auto own = in.find(root_key); own != in.end())
    tell_returned(r, a.thief, own->second);
  for (auto& [key, blocks] : in)
    a.uncovered.push_back({r.sequence, key, std::move(blocks)});
  absorb_rest(r, h, lease);
  if (ended())
    return;
  if (lease && r.last)
    end_given(a.lease, End::returned);
  settle_account({a.thief, a.lease});
}

// What the thief ran itself it names; the rest was run by those below it, and merged on the way.
void Job::Machine::tell_returned(const LeaseResult& r, const NodeId& thief,
                                 const std::vector<Block>& done) {
  const auto& root = held.at(root_key);
  std::set<Block> told;
  for (const auto& ran : r.ran)
    if (watched && tree.valid(ran.block) && told.insert(ran.block).second)
      tell_part(root, ran.block, thief, false);
  std::vector<NodeId> who;
  for (const auto& s : r.shares)
    if (s.leaves > 0)
      who.push_back(s.node);
  for (const auto& block : done)
    if (!told.contains(block))
      tell_part(root, block, who.size() == 1 ? std::optional{who[0]} : std::nullopt, true);
}

// What came besides blocks.
void Job::Machine::absorb_rest(const LeaseResult& r, Held* h, Given* g) {
  if (!h)
    return;
  received(h, inline_bytes(r));
  for (const auto& s : r.shares)
    share(h, s.node) += s;
  rerun(h, r.reruns);
  h->aside.cpu_ns += r.cpu_ns;
  if (!h->rooted())
    for (const auto& c : r.commitments)
      if (h->aside.commitment_bytes + c.body.size() <= commitment_bytes_kept_max) {
        h->aside.commitment_bytes += c.body.size();
        h->aside.commitments.push_back(c);
      }
  if (!g)
    return;                      // Its blocks were queued again long ago.
  for (const auto& b : r.failed) // What is undone was taken back when it came.
    if (theirs(*g, b) && tree.size(b) == 1) {
      h->ledger.unlease(b, g->id);
      if (h->rooted())
        say_failed(g->thief, b, r.reason);
      leaf_failed(*h, b, r.reason);
      if (ended())
        return; // The job failed, and dropped all that it held.
    }
  if (h->bond == Held::Bond::over || (handing_back() && !h->rooted()))
    drop_queued(*h);
}

// --- Receipts

bool Job::Machine::upheld(const Account::Part& part) const {
  const auto* h = find_held(part.held);
  return h && std::all_of(part.blocks.begin(), part.blocks.end(),
                          [&](Block b) { return h->upheld.contains(tree.begin(b), tree.end(b)); });
}

// Says how far results are taken, and covered.
void Job::Machine::receipt(Account& a) {
  while (!a.uncovered.empty()) {
    if (!upheld(a.uncovered.front())) // guard: covered-when-written
      break;
    a.uncovered.pop_front();
  }
  a.covered = a.uncovered.empty() ? a.taken : std::max(a.covered, a.uncovered.front().sequence - 1);
  send(a.thief, Receipt{id(), a.lease, a.taken, a.covered == a.taken});
}

bool Job::Machine::over(const Account& a) const {
  return a.last && a.covered == a.taken && !a.incoming;
}

// With the last receipt both ends forget.
void Job::Machine::settle_account(const AccountKey& key) {
  const auto it = accounts.find(key);
  receipt(it->second);
  if (!over(it->second))
    return;
  if (const auto g = given.find(key.second); g != given.end() && g->second.thief == key.first)
    forget_given(key.second);
  accounts.erase(it);
}

void Job::Machine::cover_accounts() {
  std::vector<AccountKey> news;
  for (const auto& [key, a] : accounts)
    if (!a.uncovered.empty() && upheld(a.uncovered.front()))
      news.push_back(key);
  for (const auto& key : news)
    settle_account(key);
}

} // namespace tessera
