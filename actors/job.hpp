#pragma once

#include "actors/job_view.hpp"
#include "actors/ledger.hpp"
#include "net/message.hpp"
#include "net/time.hpp"

#include <memory>
#include <optional>
#include <variant>
#include <vector>

// One job on one node: rooted here, leased from others, or both. Owns the ledgers; grants leases,
// takes results, merges, returns them, and notices when partners fall silent (architecture 4.2
// - 4.6). A machine: effects out, nothing done.
namespace tessera {

struct JobConfig {
  NodeId self;
  std::uint64_t boot = 1; // Upper bits of the lease ids given here.
  std::uint32_t slots = 1;
  double speed = 1; // As in our record; shares of grants go by it.
  Duration block_target = std::chrono::milliseconds(20); // What one RunWork should take.
  Duration beat_every = std::chrono::seconds(1);
  Duration suspect_after = std::chrono::seconds(3);
  Duration reclaim_after = std::chrono::seconds(15);
  Duration down_grace = std::chrono::seconds(1);  // Socket closed and not back: reclaim.
  Duration flush_every = std::chrono::seconds(5); // Long leases return what is done.
  Duration orphan_after = std::chrono::seconds(60);
  std::size_t leases_max = 4096;    // Given, at a time.
  Worker worker = {};               // What each slot has.
  std::int64_t unix_ms_at_zero = 0; // Of Time; for deadlines and logs.
};

// What a slot is asked to compute.
struct RunWork {
  Block block;
};
struct MergeWork {
  Block block; // The parent.
  Partial left, right;
};
struct FinishWork {
  Partial partial;
};
using Work = std::variant<RunWork, MergeWork, FinishWork>;
using WorkId = std::uint64_t; // Unique in one Job machine.

// The job was not done in time.
inline constexpr const char* late_code = "E460";

// A slot of a paused node did not do it, or not to its end; which is nobody's fault.
inline constexpr const char* paused_code = "E733";

struct SendTo {
  NodeId to;
  Message message;
};
struct StartWork {
  std::uint32_t slot;
  WorkId id;
  Work work;
};
struct PullBlob { // Answered by blob_here or blob_gone. From `holders`, or any who has it.
  BlobId blob;
  std::uint64_t size;
  std::vector<NodeId> holders;
  Bytes manifest; // Not empty: `blob` is these bytes, and all blobs under them are wanted.
};
struct JournalBlocks { // Root only; answered by journaled(sequence).
  std::uint64_t sequence;
  std::vector<BlockResult> done;
  Holders holders = {};
  LogEntries log = {}; // New in it.
};
// What the scheduler must know of this job's queue; sent when it changes.
struct QueueReport {
  std::uint64_t runnable =
      0; // Pieces of work that a slot could start now (merges, blocks, finish).
  std::uint64_t queued_leaves = 0; // Stealable.
  // Estimated slot time of these here; 0 if they could only be had a second time, from a suspected
  // thief.
  std::uint64_t queued_ns = 0;
  std::uint64_t piece_ns = 0; // Estimated slot time of the next block.
  std::uint64_t leases = 0;   // Offered to this job so far, taken or refused.

  bool operator==(const QueueReport&) const = default;
};
// What a round's finish says besides its bytes.
struct RoundEnd {
  bool over = false;                           // There is none after it.
  std::uint64_t tasks_run = 0, tasks_left = 0; // Of a tree job: in it, and after it.
  std::uint64_t cpu_ns = 0;                    // Of all its leaves, as far as told.
};
struct JobEnded { // Root: the job is over. Result only when done.
  JobState state;
  Partial result;
  Error error;
  RoundEnd round = {};
  LogEntries log = {}; // All of it.
};
// Root, while it is watched: of a block run here or returned, or of siblings merged. For people.
struct PartDone {
  Block block;
  std::optional<NodeId> node; // Who ran it; nothing: several did.
  bool merged = false;
};
struct JobIdle {     // Nothing of this job is left here; the shell may end the actor.
  bool keep = false; // But for blobs that the job's result names.
};

using JobEffect = std::variant<SendTo, StartWork, PullBlob, JournalBlocks, QueueReport, PartDone,
                               JobEnded, JobIdle>;
using JobEffects = std::vector<JobEffect>;

// For people, events and tests.
struct JobCounters {
  std::uint64_t leaves_run = 0;   // Here.
  std::uint64_t leaves_rerun = 0; // Known to be run more than once, here and below.
  Reruns reruns = {};             // The same, by why.
  std::uint64_t steals = 0;       // Grants taken here.
  std::uint64_t leases_given = 0, leases_reclaimed = 0, leases_returned = 0, leases_void = 0;
  std::uint64_t hand_backs = 0; // Asks of a lessor answered with some of its lease.
  std::uint64_t merges = 0;
  std::uint64_t duplicates = 0;   // Results dropped because a done block contains them.
  std::uint64_t overlaps = 0;     // Results that replaced done descendants.
  std::uint64_t copies_asked = 0; // Of others, of ordered output.
  std::uint64_t outputs_lost = 0; // With all who held it.
  std::uint64_t conflicts = 0;    // Different digests for one block: evidence of a lie, or a bug.

  bool operator==(const JobCounters&) const = default;
};

class Job {
public:
  // A lessee starts without leases; a root with the whole job. `frontier`, `holders`: what a
  // journal held, empty for a new job.
  static Job lessee(JobConfig config, SpecPtr spec, std::uint64_t seed, Time now);
  static Job root(JobConfig config, SpecPtr spec, std::vector<BlockResult> frontier,
                  std::uint64_t seed, Time now, const Holders& holders = {},
                  const LogEntries& log = {});
  Job(Job&&) noexcept;
  Job& operator=(Job&&) noexcept;
  ~Job();

  JobEffects start(Time now); // First QueueReport, beats armed.

  // --- The scheduler's wishes.
  JobEffects take(std::uint32_t slot, Time now); // One StartWork for this slot, or none.
  // A grant for the asker, sent in any case (empty if nothing): up to `share` (0 ... 0.5) of what
  // is queued. A lessor of ours is handed that much back instead.
  JobEffects give(NodeId asker, const StealAsk& ask, double share, Time now);
  JobEffects leased(NodeId lessor, const Lease& lease, Time now); // A grant that we asked for.

  // --- Slots' news.
  // `leaves`: Merkle root over the digests of the leaves run (RunWork under spot/quorum), else
  // ignored.
  // `fuel`: of a FinishWork, the whole job's (JobStatus); `round`: what it says of its round.
  JobEffects work_done(WorkId id, Partial partial, const Digest& leaves, std::uint64_t cpu_ns,
                       Time now, std::uint64_t fuel = 0, const RoundEnd& round = {});
  // `deterministic`: the kernel said no (E7xx); otherwise the worker died.
  JobEffects work_failed(WorkId id, const Error& why, Time now);

  // --- Blobs and journal.
  // `pulled`: so many bytes of it came over sessions; it may have been here before.
  JobEffects blob_here(const BlobId& blob, Time now, std::uint64_t pulled = 0);
  void input_here(std::uint64_t pulled);
  JobEffects blob_gone(const BlobId& blob, Time now); // Nobody who was asked gives it.
  JobEffects journaled(std::uint64_t sequence, Time now);

  // --- Peers.
  JobEffects receive(NodeId from, const Message& message, Time now); // Job messages only (assert).
  JobEffects peer_up(NodeId peer, std::uint64_t boot,
                     Time now); // A new boot voids what the old one held.
  JobEffects peer_down(NodeId peer, Time now);

  // --- People.
  JobEffects cancel(Time now); // Checked by the caller.
  // Orderly leave: queued blocks go back to their lessors, running ones finish and are
  // returned. JobIdle when all is back; leases given are told to their thieves' next ancestor by
  // their silence.
  JobEffects hand_back(Time now);
  // The owner wants the machine. Leases held go back as by hand_back(); what is rooted here is for
  // others to run, and is merged and finished here as without slots. A merge or finish that fails
  // with paused_code waits for resume().
  JobEffects pause(Time now);
  JobEffects resume(Time now);

  void watch(bool watched); // Whether PartDone is wanted.

  std::optional<Time> next_wake() const;
  JobEffects wake(Time now);

  const SignedSpec& spec() const;
  bool rooted() const;
  std::vector<BlockResult> frontier() const; // Of the root's lease, lowest first; none once ended.
  JobStatus status(Time now) const;          // Meaningful at the root; at a lessee: its own part.
  const JobCounters& counters() const;
  // `log_since`: the first entry of its log that is wanted; 0: none.
  JobView view(std::uint64_t log_since, Time now) const;
  void check() const; // L1 - L4, aborts.

private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
  explicit Job(std::unique_ptr<Machine> machine);
};

} // namespace tessera
