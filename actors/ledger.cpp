#include "actors/ledger.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace tessera {
namespace {

// Also in release builds: simulations run those.
void must(bool holds, const char* what) {
  if (holds)
    return;
  std::fprintf(stderr, "ledger: %s\n", what);
  std::abort();
}

// The first piece that holds the leaf, or lies behind it: covers may have been cut since somebody
// named a block.
template<class Pieces>
auto first_from(Pieces& pieces, const BlockTree& tree, std::uint64_t leaf) {
  auto it = pieces.upper_bound(leaf);
  if (it != pieces.begin() && tree.end(std::prev(it)->second.block) > leaf)
    --it;
  return it;
}

} // namespace

Ledger::Ledger(BlockTree tree, const std::vector<Block>& covers) : tree_(tree), covers_(covers) {
  std::sort(covers_.begin(), covers_.end(),
            [&](Block a, Block b) { return tree_.begin(a) < tree_.begin(b); });
  for (const auto& cover : covers_) {
    assert(tree_.valid(cover));
    insert({cover, Part::queued, 0, {}, {}});
    leaves_ += tree_.size(cover);
  }
}

// --- Pieces

std::optional<Block> Ledger::cover_of(Block block) const {
  const auto begin = tree_.begin(block);
  auto after = std::upper_bound(covers_.begin(), covers_.end(), begin,
                                [&](std::uint64_t b, Block c) { return b < tree_.begin(c); });
  if (after == covers_.begin() || !tree_.contains(*--after, block))
    return std::nullopt;
  return *after;
}

Ledger::Pieces::const_iterator Ledger::at(std::uint64_t leaf) const {
  auto after = pieces_.upper_bound(leaf);
  assert(after != pieces_.begin());
  return --after;
}
Ledger::Pieces::iterator Ledger::at(std::uint64_t leaf) {
  auto after = pieces_.upper_bound(leaf);
  assert(after != pieces_.begin());
  return --after;
}

Ledger::Pieces::iterator Ledger::insert(Piece piece) {
  const auto begin = tree_.begin(piece.block);
  const auto size = tree_.size(piece.block);
  counts_[std::size_t(piece.part)] += size;
  if (piece.part == Part::queued) {
    queued_.insert(begin);
    by_size_.insert({size, begin});
  }
  const auto [it, added] = pieces_.emplace(begin, std::move(piece));
  assert(added);
  return it;
}

Ledger::Pieces::iterator Ledger::erase(Pieces::iterator it) {
  const auto& [begin, piece] = *it;
  const auto size = tree_.size(piece.block);
  counts_[std::size_t(piece.part)] -= size;
  if (piece.part == Part::queued) {
    queued_.erase(begin);
    by_size_.erase({size, begin});
  }
  fresh_.erase(begin);
  return pieces_.erase(it);
}

void Ledger::split(Pieces::iterator it) {
  auto left = it->second;
  assert(left.part != Part::done);
  auto right = left;
  std::tie(left.block, right.block) = tree_.halves(left.block);
  erase(it);
  insert(std::move(left));
  insert(std::move(right));
}

// Afterwards no undone piece crosses the block's ends.
void Ledger::isolate(Block block) {
  for (auto it = first_from(pieces_, tree_, tree_.begin(block));
       it != pieces_.end() && it->second.part != Part::done && it->second.block != block &&
       tree_.contains(it->second.block, block);
       it = first_from(pieces_, tree_, tree_.begin(block)))
    split(it);
}

template<class Visit>
void Ledger::each_piece(Block block, Visit visit) const {
  const auto end = tree_.end(block);
  for (auto it = first_from(pieces_, tree_, tree_.begin(block));
       it != pieces_.end() && it->first < end; ++it)
    visit(it->second);
}

Part Ledger::state(std::uint64_t leaf) const {
  const auto& piece = at(leaf)->second;
  assert(leaf < tree_.end(piece.block));
  return piece.part;
}

std::uint32_t Ledger::attempt(Block block) const {
  std::uint32_t most = 0;
  each_piece(block, [&](const Piece& p) { most = std::max(most, p.attempt); });
  return most;
}

bool Ledger::Piece::held_by(LeaseId lease) const {
  return std::any_of(holders.begin(), holders.end(),
                     [&](const Holding& h) { return h.lease == lease; });
}

std::uint64_t Ledger::leased_leaves(Block block, LeaseId lease) const {
  std::uint64_t sum = 0;
  each_piece(block, [&](const Piece& p) {
    if (p.held_by(lease))
      sum += std::min(tree_.size(p.block), tree_.size(block));
  });
  return sum;
}

std::uint64_t Ledger::done_leaves(Block block) const {
  std::uint64_t sum = 0;
  each_piece(block, [&](const Piece& p) {
    if (p.part == Part::done)
      sum += std::min(tree_.size(p.block), tree_.size(block));
  });
  return sum;
}

std::vector<Block> Ledger::queued(std::size_t blocks_max) const {
  std::vector<Block> blocks;
  for (auto it = queued_.begin(); it != queued_.end() && blocks.size() < blocks_max; ++it)
    blocks.push_back(pieces_.at(*it).block);
  return blocks;
}

std::vector<Holding> Ledger::holdings() const {
  std::vector<Holding> all;
  for (const auto& [begin, piece] : pieces_)
    all.insert(all.end(), piece.holders.begin(), piece.holders.end());
  return all;
}

// --- Queue

std::optional<std::uint64_t> Ledger::next_leaf() const {
  if (queued_.empty())
    return std::nullopt;
  return *queued_.begin();
}

std::optional<Block> Ledger::take_to_run(std::uint64_t leaves_max) {
  if (queued_.empty() || leaves_max == 0)
    return std::nullopt;
  const auto begin = *queued_.begin();
  while (tree_.size(pieces_.at(begin).block) > leaves_max)
    split(pieces_.find(begin));
  auto it = pieces_.find(begin);
  auto piece = it->second;
  erase(it);
  piece.part = Part::running;
  insert(piece);
  return piece.block;
}

std::vector<Block> Ledger::take_to_lease(std::uint64_t leaves_max, std::size_t blocks_max) {
  std::vector<Block> taken;
  std::uint64_t leaves = 0;
  while (leaves < leaves_max && taken.size() < blocks_max && !by_size_.empty()) {
    const auto [size, begin] = *by_size_.rbegin();
    auto it = pieces_.find(begin);
    if (size > leaves_max - leaves) {
      if ((leaves_max - leaves) * 8 < leaves_max)
        break; // Near enough; crumbs would cost more than they carry.
      split(it);
      continue;
    }
    auto piece = it->second;
    erase(it);
    piece.part = Part::leased;
    insert(piece);
    taken.push_back(piece.block);
    leaves += size;
  }
  return taken;
}

void Ledger::lease(Block block, Holding to) {
  isolate(block);
  const auto end = tree_.end(block);
  for (auto it = first_from(pieces_, tree_, tree_.begin(block));
       it != pieces_.end() && it->first < end; ++it)
    if (it->second.part == Part::leased && it->second.holders.size() < holdings_max)
      it->second.holders.push_back(to);
}

void Ledger::queue(std::uint64_t begin) {
  auto it = pieces_.find(begin);
  const auto block = it->second.block;
  const auto attempt = it->second.attempt + 1;
  erase(it);
  insert({block, Part::queued, attempt, {}, {}});
  join_queued(begin);
}

// Two queued siblings are one queued block.
void Ledger::join_queued(std::uint64_t begin) {
  for (;;) {
    const auto piece = at(begin)->second;
    const auto parent = tree_.parent(piece.block);
    if (!parent || !cover_of(*parent))
      return;
    const auto sibling = pieces_.find(tree_.begin(tree_.sibling(piece.block)));
    if (sibling == pieces_.end() || sibling->second.part != Part::queued ||
        sibling->second.block != tree_.sibling(piece.block))
      return;
    const auto attempt = std::max(piece.attempt, sibling->second.attempt);
    erase(sibling);
    erase(at(begin));
    insert({*parent, Part::queued, attempt, {}, {}});
  }
}

void Ledger::requeue(Block block) {
  isolate(block);
  std::vector<std::uint64_t> back;
  each_piece(block, [&](const Piece& p) {
    if (p.part == Part::running || p.part == Part::leased)
      back.push_back(tree_.begin(p.block));
  });
  for (auto begin : back)
    queue(begin);
}

void Ledger::unlease(Block block, LeaseId lease) {
  isolate(block);
  std::vector<std::uint64_t> back;
  const auto end = tree_.end(block);
  for (auto it = first_from(pieces_, tree_, tree_.begin(block));
       it != pieces_.end() && it->first < end; ++it) {
    auto& holders = it->second.holders;
    if (std::erase_if(holders, [&](const Holding& h) { return h.lease == lease; }) &&
        holders.empty())
      back.push_back(it->first);
  }
  for (auto begin : back)
    queue(begin);
}

void Ledger::cut_cover(Block block) {
  const auto cover = *cover_of(block);
  auto place = covers_.erase(std::find(covers_.begin(), covers_.end(), cover));
  std::vector<Block> rest;
  for (auto b = block; b != cover; b = *tree_.parent(b))
    rest.push_back(tree_.sibling(b));
  std::sort(rest.begin(), rest.end(),
            [&](Block a, Block b) { return tree_.begin(a) < tree_.begin(b); });
  covers_.insert(place, rest.begin(), rest.end());
}

void Ledger::forgo(Block block) {
  isolate(block);
  std::vector<Block> leaving;
  each_piece(block, [&](const Piece& p) {
    if (p.part != Part::done)
      leaving.push_back(p.block);
  });
  for (auto b : leaving) {
    erase(pieces_.find(tree_.begin(b)));
    cut_cover(b);
    leaves_ -= tree_.size(b);
  }
}

std::vector<Block> Ledger::hand_back() {
  std::vector<Block> back;
  for (const auto& [begin, piece] : pieces_)
    if (piece.part == Part::queued || piece.part == Part::leased)
      back.push_back(piece.block);
  for (auto block : back)
    forgo(block);
  return back;
}

std::vector<Block> Ledger::hand_back(std::uint64_t leaves_max, std::size_t blocks_max) {
  auto back = take_to_lease(leaves_max, blocks_max);
  for (auto block : back)
    forgo(block);
  return back;
}

std::optional<Block> Ledger::leased_from(Block within, LeaseId lease, std::uint64_t from,
                                         std::uint64_t leaves_max) const {
  auto it = first_from(pieces_, tree_, std::max(from, tree_.begin(within)));
  for (; it != pieces_.end() && it->first < tree_.end(within); ++it) {
    auto block = it->second.block;
    if (!it->second.held_by(lease) || tree_.end(block) <= from)
      continue;
    // Down to a block that begins at `from` or behind it.
    while (tree_.size(block) > leaves_max || tree_.begin(block) < from) {
      const auto [left, right] = tree_.halves(block);
      block = from < tree_.end(left) ? left : right;
    }
    return block;
  }
  return std::nullopt;
}

// --- Results

Ledger::Verdict Ledger::done(Block block, const Partial& partial) {
  if (!tree_.valid(block) || !cover_of(block))
    return {Verdict::outside};
  const auto begin = tree_.begin(block);
  const auto& there = at(begin)->second;
  if (there.part == Part::done && tree_.contains(there.block, block)) { // guard: done-stays-done
    const bool same = there.block != block || there.partial.digest == partial.digest;
    return {same ? Verdict::duplicate : Verdict::conflict, tree_.size(block)};
  }
  Verdict verdict{Verdict::accepted};
  isolate(block);
  std::uint32_t attempt = 0;
  for (auto it = at(begin); it != pieces_.end() && it->first < tree_.end(block); it = erase(it)) {
    const auto& old = it->second;
    attempt = std::max(attempt, old.attempt);
    verdict.overlap |= old.part == Part::done;
    if (old.part == Part::done || old.part == Part::running)
      verdict.leaves_again += tree_.size(old.block);
  }
  if (const auto known = known_.extract(block); !known.empty())
    verdict.differs = known.mapped() != partial.digest;
  drop_merges(block); // guard: replaced-merges-dropped
  insert({block, Part::done, attempt, {}, partial});
  fresh_.insert(begin);
  offer_merge(block);
  return verdict;
}

void Ledger::drop_merges(Block inside) {
  for (auto* merges : {&ready_, &merging_}) {
    const auto from = merges->lower_bound(tree_.begin(inside));
    auto to = from;
    while (to != merges->end() && tree_.contains(inside, to->second))
      ++to;
    merges->erase(from, to);
  }
}

void Ledger::offer_merge(Block done) {
  const auto parent = tree_.parent(done);
  if (!parent || !cover_of(*parent))
    return;
  const auto other = tree_.sibling(done);
  const auto it = pieces_.find(tree_.begin(other));
  if (it != pieces_.end() && it->second.part == Part::done && it->second.block == other)
    ready_.emplace(tree_.begin(*parent), *parent);
}

std::optional<Ledger::Merge> Ledger::take_merge() {
  if (ready_.empty())
    return std::nullopt;
  auto node = ready_.extract(ready_.begin());
  const auto parent = node.mapped();
  const auto [left, right] = tree_.halves(parent);
  merging_.insert(std::move(node));
  return Merge{parent, pieces_.at(tree_.begin(left)).partial,
               pieces_.at(tree_.begin(right)).partial};
}

void Ledger::merge_failed(Block block) {
  const auto it = merging_.find(tree_.begin(block));
  if (it != merging_.end() && it->second == block)
    ready_.insert(merging_.extract(it));
}

void Ledger::lost(Block block) {
  const auto it = pieces_.find(tree_.begin(block));
  if (it == pieces_.end() || it->second.block != block || it->second.part != Part::done)
    return;
  if (known_.size() < known_digests_max)
    known_.emplace(block, it->second.partial.digest);
  if (const auto parent = tree_.parent(block))
    for (auto* merges : {&ready_, &merging_})
      if (const auto m = merges->find(tree_.begin(*parent));
          m != merges->end() && m->second == *parent)
        merges->erase(m);
  queue(tree_.begin(block));
}

std::vector<BlockResult> Ledger::take_fresh(std::size_t blocks_max) {
  std::vector<BlockResult> news;
  while (news.size() < blocks_max && !fresh_.empty()) {
    const auto& piece = pieces_.at(fresh_.extract(fresh_.begin()).value());
    news.push_back({piece.block, piece.partial});
  }
  return news;
}

void Ledger::freshen() {
  for (const auto& [begin, piece] : pieces_)
    if (piece.part == Part::done)
      fresh_.insert(begin);
}

std::vector<BlockResult> Ledger::frontier() const {
  std::vector<BlockResult> all;
  for (const auto& [begin, piece] : pieces_)
    if (piece.part == Part::done)
      all.push_back({piece.block, piece.partial});
  return all;
}

std::optional<Partial> Ledger::partial(Block block) const {
  const auto it = pieces_.find(tree_.begin(block));
  if (it == pieces_.end() || it->second.block != block || it->second.part != Part::done)
    return std::nullopt;
  return it->second.partial;
}

// --- Invariants

void Ledger::check() const {
  check_pieces();
  check_merges();
}

void Ledger::check_pieces() const {
  std::uint64_t counted[4] = {};
  auto it = pieces_.begin();
  for (const auto& cover : covers_) {
    must(tree_.valid(cover), "a cover under a wrong name");
    auto next = tree_.begin(cover);
    for (; next < tree_.end(cover); ++it) {
      must(it != pieces_.end() && it->first == next, "L1: a leaf in no state, or in two");
      const auto& p = it->second;
      must(tree_.valid(p.block) && tree_.begin(p.block) == next, "a piece under a wrong name");
      must(p.holders.empty() || p.part == Part::leased, "L1: a holder of what is not leased");
      must(p.holders.size() <= holdings_max, "too many holders");
      must((p.part == Part::queued) == queued_.contains(next), "queue out of step");
      must((p.part == Part::queued) == by_size_.contains({tree_.size(p.block), next}),
           "queue by size out of step");
      must(p.part == Part::done || !fresh_.contains(next), "news of what is not done");
      counted[std::size_t(p.part)] += tree_.size(p.block);
      next = tree_.end(p.block);
    }
    must(next == tree_.end(cover), "L3: a piece crosses its cover's end");
  }
  must(it == pieces_.end(), "L3: a piece outside the covers");
  must(std::equal(counted, counted + 4, counts_), "leaves miscounted");
  must(counted[0] + counted[1] + counted[2] + counted[3] == leaves_, "L1: leaves lost");
}

void Ledger::check_merges() const {
  for (const auto* merges : {&ready_, &merging_})
    for (const auto& [begin, parent] : *merges) {
      const auto [left, right] = tree_.halves(parent);
      must(tree_.begin(parent) == begin && partial(left) && partial(right),
           "L3: a merge of what is not done");
      must(cover_of(parent).has_value(), "a merge across covers");
      must(!(ready_.contains(begin) && merging_.contains(begin)), "L3: a merge twice");
    }
  for (const auto& [begin, piece] : pieces_) {
    if (piece.part != Part::done)
      continue;
    const auto parent = tree_.parent(piece.block);
    if (!parent || !cover_of(*parent) || !partial(tree_.sibling(piece.block)))
      continue;
    const auto at = tree_.begin(*parent);
    must(ready_.contains(at) || merging_.contains(at), "two done siblings that nobody merges");
  }
}

} // namespace tessera
