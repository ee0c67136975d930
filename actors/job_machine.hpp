#pragma once

#include "actors/block_sizer.hpp"
#include "actors/job.hpp"
#include "actors/spans.hpp"
#include "net/manifest.hpp"

#include <deque>
#include <map>
#include <set>

// The inside of a Job, one noun a file: leases held (job_held.cpp), leases given (job_given.cpp),
// results taken (job_results.cpp), ordered output (job_kept.cpp), signs of life (job_beats.cpp),
// work (job_work.cpp), the root's part (job_root.cpp).
namespace tessera {

// As people see it in lists.
inline std::string short_id(const NodeId& id) {
  return to_text(id).substr(0, 4);
}

// What one message carries at most; the codec refuses more (net/wire/codec.hpp). Together below its
// message_bytes_max.
inline constexpr std::size_t blocks_in_lease_max = 1024;
inline constexpr std::size_t leases_in_grant_max = 64;
inline constexpr std::size_t path_nodes_max = 64;
inline constexpr std::size_t blocks_in_result_max = 128;
inline constexpr std::size_t ran_in_result_max = 1024;
inline constexpr std::size_t commitments_in_result_max = 255; // And the thief's own.
// Of partials made since the last result: then the next goes before its time, so that little is on
// its way when a lease is handed back. A guess: a tenth of a second on a line of 100 Mbit/s.
inline constexpr std::uint64_t flush_bytes = 1 << 20;
inline constexpr std::size_t commitment_bytes_in_result_max = 192 * 1024;
inline constexpr std::size_t shares_in_result_max = 1024;
inline constexpr std::size_t rows_in_table_max = 4096;

// Guesses all.
inline constexpr std::size_t leases_held_max = 2048;
inline constexpr std::size_t accounts_max = 8192;
inline constexpr std::size_t peers_max = 4096;
inline constexpr std::size_t ran_kept_max = 16 * 1024;
inline constexpr std::size_t commitment_bytes_kept_max = 8 << 20;
inline constexpr std::size_t nodes_counted_max = 4096; // With a share of their own.
inline constexpr std::size_t journaling_max = 64; // Entries that the store has not answered yet.
inline constexpr std::size_t narrow_max = 1024;
inline constexpr std::size_t failures_max = 4096;
inline constexpr std::uint32_t machine_faults_max =
    8;                                             // Of one merge or finish, then it is the job's.
inline constexpr std::size_t kept_max = 64 * 1024; // Output held elsewhere.
inline constexpr std::size_t keeping_max = 4096;   // Copies on their way here, for a root.
inline constexpr std::size_t journal_blocks_max = 1024;
inline constexpr Duration journal_every = std::chrono::milliseconds(100);
inline constexpr Duration resend_after = std::chrono::seconds(2);
inline constexpr Duration refused_pause = std::chrono::seconds(1);
// What a thief fetches its input at: a guess, half a line of 1 Gbit/s. And what is fetched before
// anybody knows how long a leaf takes.
inline constexpr double fetch_bytes_a_second = 64 << 20;
inline constexpr std::uint64_t fetch_bytes_free = 1 << 20;
inline constexpr Duration idle_linger =
    std::chrono::seconds(5); // What was learned is kept a while.
inline constexpr Duration round_linger =
    std::chrono::milliseconds(100); // Rounds are many; asks on their way to one are answered.

using HeldKey = std::uint64_t; // Our own number of a lease held. 0: the whole job, rooted here.
inline constexpr HeldKey root_key = 0;

// What goes up with the next result, besides blocks.
struct Aside {
  std::deque<Commitment::Ran> ran;
  std::deque<Signed> commitments;
  std::size_t commitment_bytes = 0;
  std::deque<Block> undone, failed;
  Error reason;
  std::uint64_t cpu_ns = 0;
  Reruns reruns = {};
  std::map<NodeId, NodeShare> shares;
};

// A lease in our care.
struct Held {
  // bound: its lessor answers. orphaned: it fell silent; we go on and bring results to the next
  // ancestor. over: nobody expects it; only what is done already is still offered.
  enum class Bond { bound, orphaned, over };

  Held(BlockTree tree, const std::vector<Block>& covers) : ledger(tree, covers) {}

  HeldKey key = root_key;
  NodeId lessor;
  LeaseId lease = 0;
  std::uint32_t attempt = 0;
  std::vector<NodeId> path; // Root first, lessor last; empty at the root.
  Ledger ledger;
  Time since{};
  std::set<LeaseId> given; // Out of this one.

  Bond bond = Bond::bound;
  std::size_t target = 0; // On the path: who is brought the results.
  Time target_since{};    // Asked since then without an answer.
  Time answered{};        // By any ancestor.
  Time not_before{};      // After a refusal.

  // One result is on its way at a time, so that any order of arrival is the right one.
  std::optional<LeaseResult> out;
  Time sent{};
  Time flush_at{};
  std::uint64_t sequence = 0;
  std::uint64_t covered = 0; // Results up to here outlive the target.
  bool last_taken = false;
  std::uint64_t made_bytes = 0; // Of partials, since the last result.
  std::size_t told_undone = 0;  // Of aside.undone: told ahead of their result.
  Spans upheld;                 // What an ancestor, or the root's journal, has.
  Aside aside;

  bool unmerged = false; // Merging failed, or no slot will merge: siblings go up as they are.
  std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>> narrow; // Where blocks failed:
                                                                           // begin -> {end, size}.
  std::map<Block, std::uint32_t> faults;   // Of machines, by block run or merged.
  std::map<Block, std::uint32_t> failures; // Root: of leaves, by nodes.

  bool rooted() const { return key == root_key; }
  NodeId taker() const { return path.at(target); }
};

// A lease in another's care.
struct Given {
  NodeId thief;
  LeaseId id = 0;
  std::uint32_t attempt = 0;
  HeldKey from = root_key;
  std::vector<Block> blocks;
  Time since{};
  bool returned = false;        // Its last result is taken; the row stays until it is covered.
  bool doubled = false;         // Some of it was started a second time, here or elsewhere.
  std::uint64_t spare_from = 0; // Blocks before this were.
  std::size_t spare_block = 0;
};

// Results of one lease as they come, whether it was given here or brought by an orphan.
struct Account {
  NodeId thief;
  LeaseId lease = 0;
  std::uint64_t taken = 0, covered = 0;
  bool last = false;
  struct Part {
    std::uint64_t sequence;
    HeldKey held;
    std::vector<Block> blocks;
  };
  std::deque<Part> uncovered;
  std::optional<LeaseResult> incoming; // Until its blobs are here.
  std::set<BlobId> missing;
  std::set<BlobId> gone;
  Time heard{};
};
using AccountKey = std::pair<NodeId, LeaseId>;

// Ordered output of which a second copy is on its way, and what others hold of it.
struct Copying {
  BlockResult done;
  std::set<NodeId> holders; // Who have it now, or parts of it.
  NodeId keeper;            // Who is to have it; may be us.
  std::set<NodeId> tried;   // Who would not.
  Time since{}, asked{};
  bool counts = false; // Done already: without it leaves are to run again.
};
struct Kept {
  BlockResult done;
  std::set<NodeId> holders; // Each has all of it.
};

struct Peer {
  std::uint64_t boot = 0; // 0: not told yet.
  Time heard{};
  bool suspected = false;
  std::optional<Time> down_at;
  unsigned differing = 0; // Beats in a row.
  std::optional<Time> table_sent;
  std::set<LeaseId> given; // Open, to it.
  std::set<HeldKey> held;  // Bound, from it.
  bool helped = false;     // Has had a lease of ours.

  bool partner() const { return !given.empty() || !held.empty(); }
};

struct Working {
  enum class Kind { run, merge, finish } kind;
  std::uint32_t slot = 0;
  HeldKey held = root_key;
  Block block;
  Time started{};
  bool spare = false; // Leased to somebody suspected meanwhile.
};

struct Job::Machine {
  JobConfig config;
  SpecPtr spec;
  bool rooted = false, watched = false;
  BlockTree tree;
  Time now{};
  JobEffects out;

  // Leases held, the root's first.
  std::map<HeldKey, Held> held;
  HeldKey next_held = 1;
  std::uint64_t leases_offered = 0;
  // Leases given, and results.
  std::map<LeaseId, Given> given;
  std::map<AccountKey, Account> accounts;
  std::uint64_t lease_offset;
  std::uint64_t leases_made = 0;
  std::map<BlobId, std::set<AccountKey>> pulls;
  // Ordered output, by manifest.
  std::map<BlobId, Copying> copying;
  std::map<BlobId, Kept> kept;
  std::map<NodeId, std::set<BlobId>> kept_by;
  std::set<std::pair<std::uint64_t, BlobId>> kept_from; // By the first leaf of what they are of.
  std::map<BlobId, NodeId> keeping;                     // Here, for whom.
  std::optional<NodeId> root_seen;
  bool keep_output = false; // When ended.
  bool ordered = false;     // Has had a manifest.
  // Peers.
  std::map<NodeId, Peer> peers;
  Time beat_at{};
  // Work.
  BlockSizer sizer;
  std::map<WorkId, Working> working;
  std::map<std::uint32_t, Time> slot_over; // When its last piece of work ended.
  WorkId next_work = 1;
  Spans spare; // Running a second time here.
  // Root.
  Time started{};
  Time ran_at{}; // When a block was done here last; at first when it began.
  std::map<std::uint64_t, std::vector<Block>> journaling;
  std::uint64_t journal_sequence = 0;
  Time journal_at{};
  std::optional<Partial> merged; // Complete: what finish makes the result of.
  bool finishing = false;
  std::uint32_t finish_faults = 0;
  std::map<NodeId, NodeShare> shares;
  std::uint64_t leaves_done_before = 0; // Of leases that are closed.
  std::optional<Time> deadline;
  JobLog log;
  bool begun = false;                         // Told in it.
  std::map<Block, std::string> failure_codes; // Of leaves, the last of each.
  JobState state = JobState::running;
  Partial result;
  std::uint64_t fuel = 0; // That made it.
  RoundEnd round_end;
  Error error;
  std::optional<Time> ended_at;

  bool handing = false;
  bool paused = false;
  bool stalled = false; // What is to be merged or finished takes a paused node too long.
  bool told_idle = false;
  bool told_queue = false;
  std::optional<Time> idle_since;
  std::optional<Time> last_grant_at;
  NodeId last_grantor;
  QueueReport told;
  JobCounters counters;

  Machine(JobConfig c, SpecPtr s, std::uint64_t seed, Time t);

  // job.cpp
  template<class Message>
  void send(NodeId to, Message message) {
    out.emplace_back(std::in_place_type<SendTo>, SendTo{to, std::move(message)});
  }
  const JobId& id() const { return spec->id; }
  bool ended() const { return ended_at.has_value(); }
  bool able() const { return meets(config.worker, spec->spec.require); }
  std::uint32_t slots() const { return paused || !able() ? 0 : config.slots; } // For leaves.
  bool handing_back() const { return handing || paused; }                      // Leases held.
  bool resting() const { return handing || (paused && !rooted); } // Nothing is done here.
  Held* find_held(HeldKey key);
  const Held* find_held(HeldKey key) const;
  Held* find_held(const NodeId& taker, LeaseId lease);
  JobEffects settled();
  std::uint64_t expected_ns(std::uint64_t leaves) const;
  bool worth_fetching(NodeId asker) const;
  QueueReport report() const;
  void tell_idle();
  void tell_queue();
  bool has_partners() const;
  std::uint64_t merges_ready() const;
  bool nothing_left() const;
  Duration linger() const;
  std::optional<Time> next_wake() const;
  void wake();
  void receive(NodeId from, const Message& message);
  JobStatus status() const;
  void check() const;

  // job_work.cpp
  std::uint64_t queued_leaves() const;
  void take(std::uint32_t slot);
  bool take_merge(std::uint32_t slot);
  bool take_finish(std::uint32_t slot);
  bool take_block(std::uint32_t slot);
  bool take_spare(std::uint32_t slot);
  bool suspected(const Given& g) const;
  bool has_spare() const;
  std::optional<Block> next_spare(Given& given, std::uint64_t leaves_max);
  std::uint64_t block_leaves(const Held& h) const;
  void start(std::uint32_t slot, Working what, Work work);
  std::optional<Working> end_work(WorkId id);
  void work_done(WorkId id, const Partial& partial, const Digest& leaves, std::uint64_t cpu_ns,
                 std::uint64_t used, const RoundEnd& round);
  void finished(const Partial& partial, std::uint64_t used, const RoundEnd& round);
  void work_failed(WorkId id, const Error& why);
  void ran(const Working& w, const Partial& partial, const Digest& leaves, std::uint64_t cpu_ns);
  void merge_done(const Working& w, const Partial& partial);
  void run_failed(const Working& w, const Error& why);
  void merge_failed(const Working& w, const Error& why);
  void finish_failed(const Error& why);
  void narrow(Held& h, Block block);
  void leaf_failed(Held& h, Block leaf, const Error& why);
  NodeShare& share(Held* h, const NodeId& node);
  void tell_part(const Held& h, Block block, std::optional<NodeId> node, bool merged);
  void rerun(Held* h, const Reruns& more);
  void rerun(Held* h, std::uint64_t leaves, std::uint64_t Reruns::*why);

  // job_held.cpp
  void leased(NodeId lessor, const Lease& lease);
  bool sound(NodeId lessor, const Lease& lease) const;
  void bind(Held& h);
  void unbind(Held& h);
  void orphan(Held& h);
  void void_held(Held& h);
  void retarget(Held& h, std::size_t target);
  void next_target(Held& h);
  void refused(Held& h);
  void forgotten(Held& h);
  void drop_queued(Held& h);
  void lessor_heard(NodeId lessor);
  void retract(Held& h);
  bool complete(const Held& h) const;
  bool due(const Held& h) const;
  bool has_news(const Held& h) const;
  void send_result(Held& h);
  void tell_undone(Held& h);
  void take_back(const AccountKey& key, const LeaseResult& r);
  bool theirs(const Given& g, Block b) const; // Whether it lies in what this lease covers.
  void probe(Held& h);
  LeaseResult next_result(Held& h);
  void tend(Held& h);
  std::optional<Time> wake_of(const Held& h) const;
  Duration patience_of_orphans() const;
  bool spent(const Held& h) const;
  void close(HeldKey key);
  void on(NodeId from, const Receipt& receipt);
  void hand_back();
  void return_leases();

  // job_given.cpp
  void give(NodeId asker, const StealAsk& ask, double share);
  void give_back(NodeId lessor, std::uint64_t leaves_max);
  bool may_ask(NodeId asker, const StealAsk& ask) const;
  std::vector<Lease> leases_for(NodeId asker, std::uint64_t leaves_max);
  std::uint64_t suspected_leaves() const;
  std::optional<Lease> second_lease(NodeId asker);
  bool may_give(const Held& h, NodeId asker) const;
  LeaseId new_lease_id();
  Lease give_blocks(Held& h, NodeId thief, std::vector<Block> blocks);
  enum class End { returned, gone, silent, voided }; // Gone, silent: reclaimed.
  void end_given(LeaseId id, End how);
  void forget_given(LeaseId id);
  std::uint64_t open_leaves(const Given& g) const;
  void reclaim(NodeId thief, End how);
  void on(NodeId from, const LeaseRefused& refused);

  // job_results.cpp
  void on(NodeId from, const LeaseResult& result);
  bool placeable(Block block) const;
  bool known(const AccountKey& key, const LeaseResult& result) const;
  Account& account(const AccountKey& key);
  void pull(Account& a);
  void blob_here(const BlobId& blob, bool gone);
  void copy_here(const BlobId& blob, bool gone);
  void absorb(Account& a);
  std::optional<HeldKey> place(const BlockResult& r, Given* g);
  Ledger::Verdict put(Held& h, const BlockResult& r);
  void absorb_rest(const LeaseResult& r, Held* h, Given* g);
  void tell_returned(const LeaseResult& r, const NodeId& thief, const std::vector<Block>& done);
  void receipt(Account& a);
  bool upheld(const Account::Part& part) const;
  bool over(const Account& a) const;
  void settle_account(const AccountKey& key);
  void cover_accounts();
  void bytes_lost(const BlobId& blob);
  void prune_accounts();
  void drop_old_accounts();

  // job_kept.cpp
  void copy(const BlockResult& r, NodeId holder);
  void fetch_back(const BlockResult& r, std::set<NodeId> holders);
  void pull_copy(Copying& c);
  std::optional<NodeId> keeper_for(const Copying& c) const;
  void next_keeper(Copying& c);
  void ask_keeper(Copying& c);
  void keeper_failed(Copying& c);
  void copied(const BlobId& manifest, bool gone);
  void note_kept(Kept k);
  void forget_kept(const BlobId& manifest);
  void holder_gone(const NodeId& node);
  void output_lost(Block block);
  void tend_copies();
  Duration copy_patience(const Copying& c) const;
  Holders holders_of(const std::vector<BlockResult>& done) const;
  void on(NodeId from, const KeepAnswer& answer);
  void on(NodeId from, const KeepAsk& ask);
  void kept_here(const BlobId& manifest, bool gone);

  // job_beats.cpp
  Peer& peer(const NodeId& id);
  void heard(const NodeId& from);
  std::map<LeaseId, LeaseTable::Row> rows(const NodeId& with) const;
  Digest table_digest(const NodeId& with) const;
  void send_table(const NodeId& to);
  void beat();
  void check_silence();
  void peer_up(const NodeId& id, std::uint64_t boot);
  void peer_down(const NodeId& id);
  void lost(const NodeId& id, End how);
  bool young(Time since) const;
  void on(NodeId from, const LeaseBeat& beat);
  void on(NodeId from, const LeaseTable& table);
  bool settle_table(NodeId from, const LeaseTable& table);

  // job_root.cpp
  void resume(const std::vector<BlockResult>& frontier, const Holders& holders);
  JobOver over() const;
  void journal();
  void journaled(std::uint64_t sequence);
  void look_finished();
  void end(JobState how, Error why);
  void cancel(const Message& word);
  void drop_all(const Message& word);
  void tell_thieves(const Message& word);
  void on(NodeId from, const JobOver& over);
  void on(NodeId from, const CancelJob& cancel);
  std::optional<Time> deadline_of() const;
  void look_late();

  // job_told.cpp
  std::int64_t unix_ms() const;
  void say(std::string text);
  void say_begun();
  void say_given(const Given& g);
  void say_ended_lease(const Given& g, std::uint64_t open, End how);
  void say_failed(const NodeId& where, Block block, const Error& why);
  void say_over();
  void received(Held* h, std::uint64_t bytes);
  std::vector<JobView::Out> leases_out() const;
  JobView view(std::uint64_t log_since) const;
};

} // namespace tessera
