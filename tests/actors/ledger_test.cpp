#include "actors/ledger.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace tessera;

namespace {

// What a leaf, or the ordered list of leaves, yields: the span itself, so that any error of order
// or cut shows.
Partial partial_of(const BlockTree& tree, Block block, std::uint8_t salt = 0) {
  Partial p;
  const std::uint64_t span[] = {tree.begin(block), tree.end(block), salt};
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(span);
  p.bytes.assign(bytes, bytes + sizeof span);
  p.size = p.bytes.size();
  std::copy(p.bytes.begin(), p.bytes.end(), p.digest.bytes.begin());
  return p;
}

NodeId node(std::uint8_t n) {
  NodeId id;
  id.key[0] = n;
  return id;
}

// Slow and naive: one row a leaf.
struct Leaf {
  bool inside = false;
  Part part = Part::queued;
  std::vector<LeaseId> holders;
  Block done; // Which done block holds it.
  int done_times = 0;
};

struct Naive {
  BlockTree tree;
  std::vector<Leaf> leaves;

  explicit Naive(BlockTree t, const std::vector<Block>& covers) : tree(t), leaves(t.leaves()) {
    for (auto c : covers)
      for (auto i = tree.begin(c); i < tree.end(c); ++i)
        leaves[i].inside = true;
  }

  template<class F>
  void each(Block b, F f) {
    for (auto i = tree.begin(b); i < tree.end(b); ++i)
      if (leaves[i].inside)
        f(leaves[i]);
  }
  bool whole(Block b) {
    bool all = true;
    for (auto i = tree.begin(b); i < tree.end(b); ++i)
      all &= leaves[i].inside;
    return all;
  }
  std::uint64_t count(Part part) const {
    return std::uint64_t(std::count_if(leaves.begin(), leaves.end(),
                                       [&](const Leaf& l) { return l.inside && l.part == part; }));
  }
};

struct Pair {
  BlockTree tree;
  Ledger fast;
  Naive slow;
  std::mt19937_64 dice;
  std::vector<Block> all;
  std::vector<std::pair<LeaseId, Block>> leased;
  std::vector<Block> merging;
  LeaseId next_lease = 1;

  Pair(std::uint64_t leaves, const std::vector<Block>& covers, std::uint64_t seed)
      : tree(leaves), fast(tree, covers), slow(tree, covers), dice(seed) {
    for (std::uint8_t level = 0; level <= tree.root().level; ++level)
      for (std::uint64_t i = 0; i << level < leaves; ++i)
        if (tree.valid({level, i}))
          all.push_back({level, i});
  }

  Block any() { return all[dice() % all.size()]; }

  void agree() {
    fast.check();
    for (auto part : {Part::queued, Part::running, Part::leased, Part::done}) {
      const std::uint64_t counts[] = {fast.queued_leaves(), fast.running_leaves(),
                                      fast.leased_leaves(), fast.done_leaves()};
      REQUIRE(counts[int(part)] == slow.count(part));
    }
    for (std::uint64_t i = 0; i < tree.leaves(); ++i)
      if (slow.leaves[i].inside)
        REQUIRE(fast.state(i) == slow.leaves[i].part);
    std::vector<bool> held(tree.leaves());
    for (const auto& r : fast.frontier()) {
      REQUIRE(r.partial == partial_of(tree, r.block));
      for (auto i = tree.begin(r.block); i < tree.end(r.block); ++i) {
        REQUIRE_FALSE(held[i]); // L3: once.
        held[i] = true;
        REQUIRE(slow.leaves[i].done == r.block);
      }
    }
    for (auto c : fast.covers())
      REQUIRE(slow.whole(c));
    if (leased.empty())
      return;
    const auto [lease, b] = leased[dice() % leased.size()];
    std::uint64_t of_lease = 0;
    slow.each(b, [&, lease = lease](const Leaf& l) {
      of_lease += std::count(l.holders.begin(), l.holders.end(), lease);
    });
    REQUIRE(fast.leased_leaves(b, lease) == of_lease);
  }

  void run() {
    const auto max = 1 + dice() % 8;
    const auto first = std::find_if(slow.leaves.begin(), slow.leaves.end(), [](const Leaf& l) {
      return l.inside && l.part == Part::queued;
    });
    const auto block = fast.take_to_run(max);
    REQUIRE(block.has_value() == (first != slow.leaves.end()));
    if (!block)
      return;
    REQUIRE(tree.valid(*block));
    REQUIRE(tree.size(*block) <= max);
    REQUIRE(tree.begin(*block) == std::uint64_t(first - slow.leaves.begin()));
    slow.each(*block, [](Leaf& l) {
      REQUIRE(l.part == Part::queued);
      l.part = Part::running;
    });
  }

  void lend() {
    const auto max = 1 + dice() % 16;
    const auto blocks_max = 1 + dice() % 4;
    const auto blocks = fast.take_to_lease(max, blocks_max);
    REQUIRE(blocks.empty() == (slow.count(Part::queued) == 0));
    REQUIRE(blocks.size() <= blocks_max);
    std::uint64_t sum = 0;
    for (auto b : blocks) {
      sum += tree.size(b);
      const auto id = next_lease++;
      fast.lease(b, {node(1), id, 0});
      leased.push_back({id, b});
      slow.each(b, [&](Leaf& l) {
        REQUIRE(l.part == Part::queued);
        l.part = Part::leased;
        l.holders = {id};
      });
    }
    REQUIRE(sum <= max);
  }

  void second_holder() {
    if (leased.empty())
      return;
    const auto b = leased[dice() % leased.size()].second;
    const auto id = next_lease++;
    fast.lease(b, {node(2), id, 1});
    leased.push_back({id, b});
    slow.each(b, [&](Leaf& l) {
      if (l.part == Part::leased && l.holders.size() < holdings_max)
        l.holders.push_back(id);
    });
  }

  void unlease() {
    if (leased.empty())
      return;
    const auto [id, b] = leased[dice() % leased.size()];
    fast.unlease(b, id);
    slow.each(b, [&, id = id](Leaf& l) {
      if (l.part == Part::leased && std::erase(l.holders, id) && l.holders.empty())
        l.part = Part::queued;
    });
  }

  void requeue() {
    const auto b = any();
    fast.requeue(b);
    slow.each(b, [](Leaf& l) {
      if (l.part == Part::running || l.part == Part::leased) {
        l.part = Part::queued;
        l.holders.clear();
      }
    });
  }

  void finish(Block b) {
    bool contained = true, outside = false;
    std::uint64_t again = 0;
    for (auto i = tree.begin(b); i < tree.end(b); ++i) {
      const auto& l = slow.leaves[i];
      outside |= !l.inside;
      contained &= l.inside && l.part == Part::done && tree.contains(l.done, b);
      again += l.inside && (l.part == Part::done || l.part == Part::running);
    }
    const auto in_cover = std::any_of(fast.covers().begin(), fast.covers().end(),
                                      [&](Block c) { return tree.contains(c, b); });
    const auto verdict = fast.done(b, partial_of(tree, b));
    using V = Ledger::Verdict;
    if (!in_cover) {
      REQUIRE(verdict.kind == V::outside);
      return;
    }
    REQUIRE_FALSE(outside);
    REQUIRE(verdict.kind == (contained ? V::duplicate : V::accepted));
    REQUIRE(verdict.leaves_again == again);
    if (!contained)
      slow.each(b, [&](Leaf& l) {
        l.part = Part::done;
        l.holders.clear();
        l.done = b;
      });
  }

  void merge() {
    if (const auto m = fast.take_merge()) {
      const auto [left, right] = tree.halves(m->block);
      REQUIRE(m->left == partial_of(tree, left));
      REQUIRE(m->right == partial_of(tree, right));
      merging.push_back(m->block);
    }
  }
  void merged() {
    if (merging.empty())
      return;
    const auto at = dice() % merging.size();
    const auto b = merging[at];
    merging.erase(merging.begin() + std::ptrdiff_t(at));
    if (dice() % 4 == 0)
      fast.merge_failed(b);
    else
      finish(b);
  }

  void lose() {
    const auto all_done = fast.frontier();
    if (all_done.empty())
      return;
    const auto b = all_done[dice() % all_done.size()].block;
    fast.lost(b);
    slow.each(b, [](Leaf& l) { l.part = Part::queued; });
  }

  void forgo() {
    const auto b = any();
    fast.forgo(b);
    slow.each(b, [](Leaf& l) {
      if (l.part != Part::done)
        l.inside = false;
    });
  }

  void hand_back() {
    const auto max = dice() % 8;
    std::uint64_t sum = 0;
    for (auto b : fast.hand_back(max, 4)) {
      sum += tree.size(b);
      slow.each(b, [](Leaf& l) {
        REQUIRE(l.part == Part::queued);
        l.inside = false;
      });
    }
    REQUIRE(sum <= max);
  }

  void step() {
    switch (dice() % 16) {
    case 0:
    case 1:
    case 2:
      return run();
    case 3:
    case 4:
      return lend();
    case 5:
      return second_holder();
    case 6:
      return unlease();
    case 7:
      return requeue();
    case 8:
    case 9:
    case 10:
      return finish(any());
    case 11:
    case 12:
      return merge();
    case 13:
    case 14:
      return merged();
    default:
      break;
    }
    if (dice() % 4 == 0)
      return dice() % 2 ? forgo() : hand_back();
    if (dice() % 2)
      return lose();
  }
};

std::vector<Block> some_covers(const BlockTree& tree, std::mt19937_64& dice) {
  std::vector<Block> covers{tree.root()};
  for (int i = 0; i < 3; ++i) {
    const auto at = dice() % covers.size();
    if (covers[at].level == 0 || dice() % 2)
      continue;
    const auto [left, right] = tree.halves(covers[at]);
    covers[at] = left;
    if (dice() % 2)
      covers.push_back(right);
  }
  return covers;
}

} // namespace

TEST_CASE("whatever happens, the ledger agrees with a table of leaves") {
  for (std::uint64_t leaves : {1, 2, 3, 5, 7, 8, 13, 64, 100, 129})
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      CAPTURE(leaves);
      CAPTURE(seed);
      std::mt19937_64 dice(seed * 1000 + leaves);
      const BlockTree tree(leaves);
      const auto covers = some_covers(tree, dice);
      Pair both(leaves, covers, dice());
      both.agree();
      for (int i = 0; i < 120; ++i) {
        both.step();
        both.agree();
      }
    }
}

TEST_CASE("a ledger worked off from the front ends as one done block a cover") {
  for (std::uint64_t leaves : {1, 2, 5, 7, 64, 100, 1000}) {
    const BlockTree tree(leaves);
    Ledger ledger(tree, {tree.root()});
    std::mt19937_64 dice(leaves);
    while (!ledger.complete()) {
      if (const auto m = ledger.take_merge())
        CHECK(ledger.done(m->block, partial_of(tree, m->block)).kind == Ledger::Verdict::accepted);
      else if (const auto b = ledger.take_to_run(1 + dice() % 9))
        CHECK(ledger.done(*b, partial_of(tree, *b)).kind == Ledger::Verdict::accepted);
      else
        FAIL("nothing to do, and not complete");
      ledger.check();
    }
    REQUIRE(ledger.frontier().size() == 1);
    CHECK(ledger.frontier()[0].partial == partial_of(tree, tree.root()));
  }
}

TEST_CASE("the largest tree is worked in a few pieces") {
  const BlockTree tree(1ull << 63);
  Ledger ledger(tree, {tree.root()});
  const auto first = ledger.take_to_run(1);
  REQUIRE(first);
  CHECK(*first == Block{0, 0});
  const auto lent = ledger.take_to_lease(1ull << 62, 4);
  REQUIRE(lent.size() == 1);
  CHECK(lent[0] == Block{62, 1});
  CHECK(ledger.queued_leaves() == (1ull << 62) - 1);
  CHECK(ledger.queued(100).size() == 62);
  ledger.requeue(*first);
  CHECK(ledger.queued(100).size() == 1); // Siblings join again.
  ledger.check();
}

TEST_CASE("grants take the largest blocks from the far end") {
  const BlockTree tree(64);
  Ledger ledger(tree, {tree.root()});
  REQUIRE(ledger.take_to_run(4));
  CHECK(ledger.take_to_lease(30, 8) == std::vector<Block>{{4, 3}, {3, 5}, {2, 9}});
  CHECK(ledger.take_to_lease(1, 8) == std::vector<Block>{{0, 35}});
  CHECK(ledger.take_to_lease(0, 8).empty());
  CHECK(ledger.take_to_lease(8, 0).empty());
  ledger.check();
}

TEST_CASE("another digest for a done block is a conflict, and the first stays") {
  const BlockTree tree(4);
  Ledger ledger(tree, {tree.root()});
  CHECK(ledger.done({1, 0}, partial_of(tree, {1, 0})).kind == Ledger::Verdict::accepted);
  CHECK(ledger.done({1, 0}, partial_of(tree, {1, 0}, 1)).kind == Ledger::Verdict::conflict);
  CHECK(ledger.done({0, 1}, partial_of(tree, {0, 1}, 1)).kind == Ledger::Verdict::duplicate);
  CHECK(ledger.partial({1, 0}) == partial_of(tree, {1, 0}));
}

TEST_CASE("bytes that were lost must come out the same") {
  const BlockTree tree(4);
  Ledger ledger(tree, {tree.root()});
  const auto good = partial_of(tree, {1, 0});
  for (std::uint8_t salt : {0, 1}) {
    ledger.done({1, 0}, good);
    ledger.lost({1, 0});
    CHECK(ledger.done_leaves() == 0);
    const auto verdict = ledger.done({1, 0}, partial_of(tree, {1, 0}, salt));
    CHECK(verdict.kind == Ledger::Verdict::accepted);
    CHECK(verdict.differs == (salt != 0));
    ledger.check();
  }
}

TEST_CASE("blocks under other names, past the end or outside the covers are outside") {
  const BlockTree tree(5);
  Ledger ledger(tree, {{1, 0}, {0, 4}});
  using V = Ledger::Verdict;
  CHECK(ledger.done({2, 1}, {}).kind == V::outside); // Leaf 4, under a second name.
  CHECK(ledger.done({0, 5}, {}).kind == V::outside);
  CHECK(ledger.done({1, 1}, {}).kind == V::outside);
  CHECK(ledger.done(tree.root(), {}).kind == V::outside);
  CHECK(ledger.done({0, 4}, partial_of(tree, {0, 4})).kind == V::accepted);
}

TEST_CASE("done siblings of two covers are not merged here") {
  const BlockTree tree(4);
  Ledger ledger(tree, {{1, 0}, {1, 1}});
  ledger.done({1, 0}, partial_of(tree, {1, 0}));
  ledger.done({1, 1}, partial_of(tree, {1, 1}));
  CHECK_FALSE(ledger.take_merge());
  CHECK(ledger.complete());
}

TEST_CASE("news of done blocks are told once, and anew after freshen") {
  const BlockTree tree(8);
  Ledger ledger(tree, {tree.root()});
  ledger.done({0, 1}, partial_of(tree, {0, 1}));
  ledger.done({0, 0}, partial_of(tree, {0, 0}));
  CHECK(ledger.take_fresh(1).size() == 1);
  ledger.done({1, 0}, partial_of(tree, {1, 0})); // Takes the place of both.
  const auto news = ledger.take_fresh(8);
  REQUIRE(news.size() == 1);
  CHECK(news[0].block == Block{1, 0});
  CHECK(ledger.take_fresh(8).empty());
  ledger.freshen();
  CHECK(ledger.take_fresh(8) == news);
}

TEST_CASE("what is leased is found again piece by piece") {
  const BlockTree tree(16);
  Ledger ledger(tree, {tree.root()});
  REQUIRE(ledger.take_to_lease(16, 1).size() == 1);
  ledger.lease(tree.root(), {node(1), 7, 0});
  ledger.done({2, 0}, partial_of(tree, {2, 0}));
  std::vector<Block> found;
  for (std::uint64_t from = 0;;) {
    const auto b = ledger.leased_from(tree.root(), 7, from, 4);
    if (!b)
      break;
    found.push_back(*b);
    from = tree.end(*b);
  }
  CHECK(found == std::vector<Block>{{2, 1}, {2, 2}, {2, 3}});
  CHECK(ledger.leased_leaves(tree.root(), 7) == 12);
  CHECK_FALSE(ledger.leased_from(tree.root(), 8, 0, 4)); // Another's.
  CHECK(ledger.leased_leaves(tree.root(), 8) == 0);
}

TEST_CASE("what is handed back is taken as a grant would be, and leaves the ledger") {
  const BlockTree tree(64);
  Ledger ledger(tree, {tree.root()}), lender(tree, {tree.root()});
  REQUIRE(ledger.take_to_run(4));
  REQUIRE(lender.take_to_run(4));
  const auto back = ledger.hand_back(30, 8);
  CHECK(back == lender.take_to_lease(30, 8));
  CHECK(ledger.queued_leaves() == lender.queued_leaves());
  CHECK(ledger.leased_leaves() == 0);
  CHECK(ledger.done(back[0], partial_of(tree, back[0])).kind == Ledger::Verdict::outside);
  ledger.check();
}
