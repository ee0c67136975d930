#pragma once

#include "actors/block.hpp"
#include "net/message.hpp"

#include <map>
#include <optional>
#include <set>
#include <vector>

// The state of every leaf under one lease, as a sparse binary tree of blocks (architecture 4.2).
// Knows blocks, not peers' clocks or messages; the job machine asks and tells.
//
// L1 every leaf is in exactly one state; L2 a done block is never un-done by a later message; L3
// each leaf is in the merged result once. check() asserts them; simulations call it after each
// event.
//
// Kept as pieces: disjoint blocks in order of their first leaf, each in one state, none larger or
// smaller than what happened asks for. Operations cost O(log) for each piece they touch.
namespace tessera {

enum class Part : std::uint8_t { queued, running, leased, done };

// Where a leased block went: one holder, or two when the first is suspected or slow.
struct Holding {
  NodeId thief;
  LeaseId lease = 0;
  std::uint32_t attempt = 0;

  bool operator==(const Holding&) const = default;
};

inline constexpr std::size_t holdings_max = 2;
inline constexpr std::size_t known_digests_max = 4096; // Of lost blocks; a guess.

class Ledger {
public:
  // Disjoint blocks under their one names.
  Ledger(BlockTree tree, const std::vector<Block>& covers);

  const BlockTree& tree() const { return tree_; }
  const std::vector<Block>& covers() const { return covers_; } // By first leaf.

  // --- Queue. A queued block is split down its dyadic cuts until it has at most `leaves_max`
  // leaves; the lowest leaf goes first.
  std::optional<Block> take_to_run(std::uint64_t leaves_max);
  std::optional<std::uint64_t> next_leaf() const; // Where take_to_run would begin.
  // Largest queued blocks first, from the far end, at most `leaves_max` leaves in all and
  // `blocks_max` blocks; splits when there is only one.
  std::vector<Block> take_to_lease(std::uint64_t leaves_max, std::size_t blocks_max);
  // A block just taken, or one leased already (a second holder).
  void lease(Block block, Holding to);
  // Running or leased, not done inside: queued again. Done parts stay done.
  void requeue(Block block);
  // The same for what this lease alone holds of the block.
  void unlease(Block block, LeaseId lease);
  // What is not done in the block leaves this ledger: handed back, or failed. Covers are cut.
  void forgo(Block block);
  // Forgoes all that is queued or leased; says what that was.
  std::vector<Block> hand_back();
  // Forgoes some of what is queued, chosen as take_to_lease does.
  std::vector<Block> hand_back(std::uint64_t leaves_max, std::size_t blocks_max);
  std::uint64_t queued_leaves() const { return count(Part::queued); }
  std::uint64_t running_leaves() const { return count(Part::running); }
  std::uint64_t leased_leaves() const { return count(Part::leased); }
  std::uint64_t done_leaves() const { return count(Part::done); }
  std::vector<Block> queued(std::size_t blocks_max) const;
  // How often a leaf of the block was queued again, at most.
  std::uint32_t attempt(Block block) const;
  // A block of this lease inside `within`, from leaf `from` on, of at most `leaves_max` leaves. Not
  // taken.
  std::optional<Block> leased_from(Block within, LeaseId lease, std::uint64_t from,
                                   std::uint64_t leaves_max) const;
  std::uint64_t leased_leaves(Block block, LeaseId lease) const; // That this lease has of it.
  std::uint64_t done_leaves(Block block) const;

  // --- Results. A partial is welcome from anyone unless a done block contains it; it replaces done
  // descendants.
  struct Verdict {
    enum Kind {
      accepted,
      duplicate,
      conflict,
      outside
    } kind;                         // conflict: another digest for a done block.
    std::uint64_t leaves_again = 0; // Leaves in it that were done already, or are running.
    bool overlap = false;           // It replaced done descendants.
    bool differs = false;           // Accepted, but the bytes once lost had another digest.
  };
  Verdict done(Block block, const Partial& partial);

  // Two done siblings that lie in one cover: to be merged into their parent. The pair is marked as
  // merging.
  struct Merge {
    Block block;
    Partial left, right;
  };
  std::optional<Merge> take_merge();
  void merge_failed(Block block); // The pair is offered again.
  std::size_t merges_ready() const { return ready_.size(); }

  // Bytes of a done block are lost everywhere: queued again, its digest stays known and must come
  // out again. Not maximal or not done: nothing happens.
  void lost(Block block);

  // Maximal done blocks not told before, lowest first; `freshen` makes all of them news again.
  std::vector<BlockResult> take_fresh(std::size_t blocks_max);
  bool fresh() const { return !fresh_.empty(); }
  void freshen();

  // Maximal done blocks, lowest first.
  std::vector<BlockResult> frontier() const;
  std::optional<Partial> partial(Block block) const; // Of a maximal done block.
  bool complete() const { return pieces_.size() == covers_.size() && all_done(); }
  bool all_done() const { return done_leaves() == leaves_; } // Merged or not.
  Part state(std::uint64_t leaf) const;                      // Of a leaf inside the covers.
  std::vector<Holding> holdings() const;                     // One for each piece and holder.
  void check() const; // Asserts L1-L3 (also in release builds: aborts).

private:
  struct Piece {
    Block block;
    Part part = Part::queued;
    std::uint32_t attempt = 0;
    std::vector<Holding> holders;
    Partial partial;

    bool held_by(LeaseId lease) const;
  };
  using Pieces = std::map<std::uint64_t, Piece>; // By first leaf.

  std::uint64_t count(Part part) const { return counts_[std::size_t(part)]; }
  std::optional<Block> cover_of(Block block) const;
  Pieces::const_iterator at(std::uint64_t leaf) const;
  Pieces::iterator at(std::uint64_t leaf);
  Pieces::iterator insert(Piece piece);
  Pieces::iterator erase(Pieces::iterator piece);
  void isolate(Block block);
  void split(Pieces::iterator piece);
  void queue(std::uint64_t begin);
  void join_queued(std::uint64_t begin);
  void offer_merge(Block done);
  void drop_merges(Block inside);
  void cut_cover(Block block);
  void check_pieces() const;
  void check_merges() const;
  template<class Visit>
  void each_piece(Block block, Visit visit) const;

  BlockTree tree_;
  std::vector<Block> covers_;
  std::uint64_t leaves_ = 0;
  Pieces pieces_;
  std::uint64_t counts_[4] = {};
  std::set<std::uint64_t> queued_;                            // First leaves.
  std::set<std::pair<std::uint64_t, std::uint64_t>> by_size_; // Of the queued: {size, first leaf}.
  std::map<std::uint64_t, Block> ready_;                      // Parents, by first leaf.
  std::map<std::uint64_t, Block> merging_;
  std::set<std::uint64_t> fresh_;
  std::map<Block, Digest> known_; // Of lost blocks.
};

} // namespace tessera
