#pragma once

#include "actors/job.hpp"
#include "net/manifest.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>

// A few jobs wired by hand: each message, piece of work and journal entry waits until a test moves
// it. The kernel: a leaf yields a hash of its number, a merge hashes left and right in order.
namespace tessera::bench {

using namespace std::chrono_literals;

inline NodeId node(std::uint8_t n) {
  NodeId id;
  id.key.fill(n);
  return id;
}

inline Partial partial_of(Bytes bytes) {
  Partial p;
  p.digest = blob_id(bytes);
  p.size = bytes.size();
  p.bytes = std::move(bytes);
  return p;
}

inline Bytes leaf_bytes(std::uint64_t leaf) {
  return to_bytes(digest_of("leaf", {view(std::to_string(leaf))}).view());
}
inline Bytes merge_bytes(ByteView left, ByteView right) {
  return to_bytes(digest_of("merge", {left, right}).view());
}

// Serial: what any mesh must make of a block.
inline Bytes block_bytes(const BlockTree& tree, Block b) {
  if (tree.size(b) == 1)
    return leaf_bytes(tree.begin(b));
  const auto [left, right] = tree.halves(b);
  return merge_bytes(block_bytes(tree, left), block_bytes(tree, right));
}
inline Bytes finish_bytes(ByteView partial) {
  return to_bytes(digest_of("finish", {partial}).view());
}
inline BlobId serial_result(std::uint64_t leaves) {
  const BlockTree tree(leaves);
  return blob_id(finish_bytes(block_bytes(tree, tree.root())));
}

// Ordered output: a piece for each leaf, named in order. All alike: each leaf writes the same.
inline Partial ordered_partial(const BlockTree& tree, Block b, bool alike = false) {
  Manifest m;
  for (auto leaf = tree.begin(b); leaf != tree.end(b); ++leaf)
    m.parts.push_back({blob_id(leaf_bytes(alike ? 0 : leaf)), 32, false});
  auto p = partial_of(m.encoded());
  p.manifest = true;
  return p;
}

inline SpecPtr spec_of(std::uint64_t leaves, NodeId submitter = node(1)) {
  auto spec = std::make_shared<SignedSpec>();
  spec->spec.submitter = submitter;
  spec->spec.kernel = "shape";
  spec->spec.items = leaves;
  spec->spec.leaf_items = 1;
  spec->id = digest_of("spec", {view(std::to_string(leaves))});
  return spec;
}

struct Letter {
  NodeId from, to;
  Message message;
};

// One node of the bench.
struct Seat {
  NodeId id;
  std::optional<Job> job;
  std::deque<StartWork> work;
  std::deque<JournalBlocks> journal;
  std::deque<PullBlob> pulls;
  QueueReport queue;
  std::vector<PartDone> parts;
  std::optional<JobEnded> ended;
  bool idle = false;
  bool keeps = false; // When idle.
};

class Bench {
public:
  explicit Bench(std::uint64_t leaves) : tree(leaves), spec(spec_of(leaves)) {}

  Seat& root(std::uint8_t n, JobConfig config = {}, std::vector<BlockResult> frontier = {},
             const Holders& holders = {}) {
    return seat(n, config, [&](JobConfig c) {
      return Job::root(c, spec, std::move(frontier), seeds++, now, holders);
    });
  }
  Seat& lessee(std::uint8_t n, JobConfig config = {}) {
    return seat(n, config, [&](JobConfig c) { return Job::lessee(c, spec, seeds++, now); });
  }

  void apply(Seat& s, JobEffects effects) {
    for (auto& e : effects)
      std::visit([&](auto& x) { on(s, x); }, e);
    if (s.job)
      s.job->check();
  }

  // The asker gets a grant; its leases arrive when the letters are delivered.
  void steal(Seat& thief, Seat& victim, double share = 0.5) {
    StealAsk ask{++asks, 1, 1, {"shape@1"}};
    apply(victim, victim.job->give(thief.id, ask, share, now));
  }

  // Delivers one letter, or all, those sent meanwhile included.
  bool deliver() {
    if (post.empty())
      return false;
    auto letter = std::move(post.front());
    post.pop_front();
    auto it = seats.find(letter.to);
    if (it == seats.end() || !it->second.job || cut(letter))
      return true;
    auto& s = it->second;
    if (auto* grant = std::get_if<Grant>(&letter.message)) {
      for (const auto& lease : grant->leases)
        apply(s, s.job->leased(letter.from, lease, now));
    } else {
      apply(s, s.job->receive(letter.from, letter.message, now));
    }
    return true;
  }
  void deliver_all() {
    for (int i = 0; deliver(); ++i)
      REQUIRE(i < 100000);
  }
  template<class M>
  std::size_t count_post() const {
    std::size_t n = 0;
    for (const auto& l : post)
      n += std::holds_alternative<M>(l.message);
    return n;
  }
  template<class M>
  void lose() {
    std::erase_if(post, [](const Letter& l) { return std::holds_alternative<M>(l.message); });
  }

  bool take(Seat& s, std::uint32_t slot = 0) {
    const auto before = s.work.size();
    apply(s, s.job->take(slot, now));
    return s.work.size() > before;
  }
  // Ends the oldest piece of work of a seat.
  void finish_one(Seat& s) {
    auto start = std::move(s.work.front());
    s.work.pop_front();
    const auto partial = std::visit([&](const auto& w) { return compute(w); }, start.work);
    apply(s, s.job->work_done(start.id, partial, {}, 1000, now));
  }
  // Takes and ends work until there is none.
  void work_off(Seat& s, int pieces_max = 1 << 20) {
    while (pieces_max-- > 0 && (!s.work.empty() || take(s))) {
      now += 1ms;
      finish_one(s);
    }
  }
  void keep_journal(Seat& s) {
    while (!s.journal.empty()) {
      const auto sequence = s.journal.front().sequence;
      s.journal.pop_front();
      apply(s, s.job->journaled(sequence, now));
    }
  }

  // What a seat wants is there, or not.
  void answer_pulls(Seat& s, bool here = true) {
    for (const auto& pull : std::exchange(s.pulls, {}))
      apply(s, here ? s.job->blob_here(pull.blob, now) : s.job->blob_gone(pull.blob, now));
  }

  // Time passes; whoever wants to wake is woken.
  void pass(Duration span, bool deliver_letters = true) {
    const auto end = now + span;
    for (int i = 0;; ++i) {
      REQUIRE(i < 100000);
      if (deliver_letters)
        deliver_all();
      std::optional<Time> next;
      for (auto& [id, s] : seats)
        if (s.job)
          if (const auto t = s.job->next_wake(); t && (!next || *t < *next))
            next = t;
      if (!next || *next > end)
        break;
      now = std::max(now, *next);
      for (auto& [id, s] : seats)
        if (s.job)
          if (const auto t = s.job->next_wake(); t && *t <= now) {
            apply(s, s.job->wake(now));
            if (s.job->next_wake())
              REQUIRE(*s.job->next_wake() > now);
          }
      for (auto& [id, s] : seats)
        if (auto_journal && s.job)
          keep_journal(s);
      for (auto& [id, s] : seats)
        if (auto_pull && s.job)
          answer_pulls(s);
    }
    now = end;
  }

  // Everybody works, until the root is done.
  void run_out(Seat& root) {
    for (int i = 0; !root.ended; ++i) {
      REQUIRE(i < 2000);
      for (auto& [id, s] : seats)
        if (s.job)
          work_off(s);
      pass(100ms);
    }
  }

  void kill(Seat& s) {
    s.job.reset();
    s.work.clear();
    s.journal.clear();
    for (auto& [id, other] : seats)
      if (other.job)
        apply(other, other.job->peer_down(s.id, now));
  }

  BlockTree tree;
  SpecPtr spec;
  Time now{};
  std::deque<Letter> post;
  std::map<NodeId, Seat> seats;
  std::function<bool(const Letter&)> cut = [](const Letter&) { return false; };
  bool auto_journal = true, auto_pull = false;
  bool ordered = false, alike = false;
  std::uint64_t asks = 0, seeds = 1;

private:
  template<class Make>
  Seat& seat(std::uint8_t n, JobConfig config, Make make) {
    auto& s = seats[node(n)];
    s = Seat{};
    s.id = config.self = node(n);
    s.job.emplace(make(config));
    apply(s, s.job->start(now));
    return s;
  }

  Partial compute(const RunWork& w) {
    return ordered ? ordered_partial(tree, w.block, alike) : partial_of(block_bytes(tree, w.block));
  }
  Partial compute(const MergeWork& w) {
    return ordered ? ordered_partial(tree, w.block, alike)
                   : partial_of(merge_bytes(w.left.bytes, w.right.bytes));
  }
  Partial compute(const FinishWork& w) {
    return ordered ? w.partial : partial_of(finish_bytes(w.partial.bytes));
  }

  void on(Seat& s, SendTo& e) { post.push_back({s.id, e.to, std::move(e.message)}); }
  void on(Seat& s, StartWork& e) { s.work.push_back(std::move(e)); }
  void on(Seat& s, PullBlob& e) { s.pulls.push_back(e); }
  void on(Seat& s, JournalBlocks& e) { s.journal.push_back(std::move(e)); }
  void on(Seat& s, QueueReport& e) { s.queue = e; }
  void on(Seat& s, PartDone& e) { s.parts.push_back(e); }
  void on(Seat& s, JobEnded& e) {
    REQUIRE_FALSE(s.ended);
    s.ended = std::move(e);
  }
  void on(Seat& s, JobIdle& e) {
    s.idle = true;
    s.keeps = e.keep;
  }
};

} // namespace tessera::bench
