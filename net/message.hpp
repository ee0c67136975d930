#pragma once

#include "crypto/signed.hpp"
#include "net/block.hpp"
#include "net/require.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

// What peers say to each other, as plain values. The codec (net/wire) knows their encoding, the
// session their secrecy; nobody else needs either. A message of which the meaning outlives its
// session is signed: what others pass on carries its envelope (SignedRecord, SignedSpec,
// SignedCancel), what only its receiver acts on is sealed and checked by the codec (Grant,
// LeaseResult, Receipt).
namespace tessera {

using JobId = Digest;          // Hash of the signed spec's body.
using LeaseId = std::uint64_t; // Unique for its lessor: boot counter << 40 | sequence.

struct Address {
  std::string host; // A numeric IP address or a name.
  std::uint16_t port = 0;

  auto operator<=>(const Address&) const = default;
};

// --- Membership
// -------------------------------------------------------------------------------------------

// A node's statement about itself. The newer of two has the larger (boot, sequence).
struct Record {
  NodeId subject;
  std::uint64_t boot = 0;
  std::uint64_t sequence = 0;
  std::int64_t expires_ms = 0; // Unix time.
  std::string name;
  std::string version;
  std::vector<Address> addresses;
  std::uint32_t cores = 0;
  std::uint32_t slots = 0;
  std::uint32_t slots_free = 0;
  double speed = 0; // Start-up benchmark of one slot, millions of mixing rounds a second.
  double load = 0;  // System load average over 1 minute.
  std::uint64_t stealable_ns =
      0; // Queued work a thief could have, in this node's slot time. At least 1 if any.
  std::vector<std::string> kernels; // "name@version"
  bool leaving = false;             // The last record of an orderly leave.
  bool paused = false;              // Its owner wants the machine: it takes no work.
  Worker worker = {};               // Each of them.

  bool operator==(const Record&) const = default;
};

struct SignedRecord {
  Record record;
  Signed seal;
};

struct Records { // Pushed when new; passed on to other active peers once.
  std::vector<std::shared_ptr<const SignedRecord>> records;
};

// HyParView (Leitao, Pereira, Rodrigues 2007) over sessions.
struct Join {};
struct ForwardJoin {
  NodeId joiner;
  std::vector<Address> addresses;
  std::uint8_t ttl = 0;
};
struct Neighbor {
  bool high = false; // High priority: must be taken.
};
struct NeighborReply {
  bool accepted = false;
};
struct Disconnect {
  bool leaving = false; // The session's peer leaves the mesh, not just the view.
};
struct PeerAddress {
  NodeId id;
  std::vector<Address> addresses;
};
struct Shuffle {
  NodeId origin;
  std::vector<Address> addresses; // Of the origin.
  std::uint8_t ttl = 0;
  std::vector<PeerAddress> sample;
};
struct ShuffleReply {
  std::vector<PeerAddress> sample;
};

// Can you dial me? To a peer whom the asker dialled; it tries this port at the address that the
// session comes from.
struct DialBackAsk {
  Address address; // As in the asker's record.
};
struct DialBackAnswer {
  enum class Outcome : std::uint8_t {
    reached = 0,
    failed = 1,
    not_tried = 2
  } outcome = Outcome::not_tried;
  std::string why; // When it failed.
};

// --- Jobs
// -------------------------------------------------------------------------------------------------

enum class Trust : std::uint8_t { trust = 0, spot = 1, quorum = 2 };

// How a job's work comes about: a range of items; a range for each round, on a state that the last
// round left; tasks that spawn tasks.
enum class Shape : std::uint8_t { range = 0, rounds = 1, tree = 2 };

// A blob that a job's workers read. A job has at most one for each role, in this order.
struct Input {
  enum class Role : std::uint16_t {
    data = 0,   // What the items are about: a picture, records. Native kernels have no other.
    module = 1, // The kernel itself, where it is WebAssembly.
    params = 2, // That module's own parameters, slot 0 of its ABI.
    state = 3,  // What a round begins with; of a whole job of rounds, the first. None: no bytes.
  };

  BlobId blob;
  std::uint64_t size = 0;
  Role role = Role::data;

  bool operator==(const Input&) const = default;
};

inline constexpr std::int8_t priority_min = -10, priority_max = 10;

struct JobSpec {
  NodeId submitter;
  std::array<std::uint8_t, 16> nonce{};
  std::int64_t submitted_ms = 0; // Unix time, for people.
  std::string kernel;
  std::uint32_t kernel_version = 1;
  Bytes params; // Canonical, as the kernel encodes them.
  std::uint64_t items = 0;
  std::uint64_t leaf_items = 1;
  std::vector<Input> inputs; // Roles rise.
  std::uint64_t ttl_ms = 0; // After this long without an ancestor a lease is dropped whatever else.
  std::uint32_t retries = 1; // Of a failed leaf, on other nodes.
  Trust trust = Trust::trust;
  Shape shape = Shape::range;
  // A job of rounds stays with its root, which has a range job of its own done for each round: one
  // of the same items, with the round's state, whose finish is `step`.
  std::uint32_t rounds = 0; // Of Shape::rounds and tree: at most so many.
  JobId parent;             // Of a round: the job of rounds, and
  std::uint32_t round = 0;  // which of its rounds, from 1. 0: this is no round.
  // A tree job is one of rounds, whose state is the tasks that wait and whose items are lanes, each
  // with a share of them. Of a round: how many tasks a lane runs, 1 or more. Of the whole: the same
  // in each round; 0: as time tells.
  std::uint32_t budget = 0;
  std::int8_t priority = 0;     // Higher goes first: priority_min to priority_max.
  Require require = {};         // Of who runs its leaves.
  std::int64_t deadline_ms = 0; // Unix time by its root's clock; past it the job fails. 0: none.

  // Null: the job has none of this role.
  const Input* input(Input::Role role) const {
    for (const auto& i : inputs)
      if (i.role == role)
        return &i;
    return nullptr;
  }
  bool in_rounds() const { return rounds != 0 || round != 0; }
  std::uint64_t leaves() const { return (items + leaf_items - 1) / leaf_items; }
  bool operator==(const JobSpec&) const = default;
};

struct SignedSpec {
  JobSpec spec;
  JobId id;
  Signed seal;
};
using SpecPtr = std::shared_ptr<const SignedSpec>;

struct SignedCancel { // Signed by the job's submitter, nobody else.
  JobId job;
  Signed seal;
};

// --- Stealing
// ---------------------------------------------------------------------------------------------

struct StealAsk {
  std::uint64_t ask = 0; // Grants echo it.
  std::uint32_t slots = 0;
  double speed = 0;                 // As in the asker's record.
  std::vector<std::string> kernels; // "name@version" that the asker can run.
  // A lifeline: with nothing to give now, answer within this time, once there is something.
  std::uint32_t wait_ms = 0;
  Worker worker = {}; // As in its record.
};

struct Lease {
  JobId job;
  LeaseId id = 0;
  std::uint32_t attempt = 0;
  std::vector<Block> blocks; // Disjoint.
  std::vector<NodeId> path;  // Root first, lessor last. The thief is not on it.

  bool operator==(const Lease&) const = default;
};

// Answer to StealAsk `ask`; without a lease: nothing to give. Sealed by the lessor.
struct Grant {
  std::uint64_t ask = 0;
  SpecPtr spec; // Null without leases. All leases of one grant are of one job.
  std::vector<Lease> leases;
};

// Thief to lessor: this lease will not be worked on (unasked, unknown kernel, no room, pausing). It
// voids.
struct LeaseRefused {
  JobId job;
  LeaseId lease = 0;
  std::string why;
};

// A partial's bytes: here when small, else a blob that `holder` (or anyone) gives.
inline constexpr std::size_t partial_inline_bytes_max = 4096;
struct Partial {
  BlobId digest; // blob_id of the bytes.
  std::uint64_t size = 0;
  Bytes bytes;           // Whole when size <= partial_inline_bytes_max, else empty.
  bool manifest = false; // Of ordered output (net/manifest.hpp); always inline.

  bool operator==(const Partial&) const = default;
};

struct BlockResult {
  Block block;
  Partial partial;

  bool operator==(const BlockResult&) const = default;
};

// Which blocks one executor ran itself, each with the Merkle root over its leaves' digests (under
// Trust::trust: the partial's digest). Signed by the executor; who merges passes it on unread.
struct Commitment {
  JobId job;
  struct Ran {
    Block block;
    Digest root;
    bool operator==(const Ran&) const = default;
  };
  std::vector<Ran> ran;
};

// Leaves that are run more than once, by why, for people; counts only grow.
struct Reruns {
  std::uint64_t peer_gone = 0;  // Who had them fell away, or started anew.
  std::uint64_t silent = 0;     // Who had them said nothing for too long.
  std::uint64_t crashed = 0;    // Their worker died, or was stopped.
  std::uint64_t failed = 0;     // One of their block failed: it is run in parts, or elsewhere.
  std::uint64_t duplicated = 0; // Run a second time at the end, or by one suspected.
  std::uint64_t lost = 0;       // All who held their output fell away.
  std::uint64_t untold = 0;     // Nobody said why.

  std::uint64_t sum() const {
    return peer_gone + silent + crashed + failed + duplicated + lost + untold;
  }
  Reruns& operator+=(const Reruns& more) {
    peer_gone += more.peer_gone;
    silent += more.silent;
    crashed += more.crashed;
    failed += more.failed;
    duplicated += more.duplicated;
    lost += more.lost;
    untold += more.untold;
    return *this;
  }
  bool operator==(const Reruns&) const = default;
};

// One node's part in a job, for people; counts only grow.
struct NodeShare {
  NodeId node;
  std::uint64_t leaves = 0; // Whose partial counted, run by this node.
  std::uint64_t steals = 0; // Grants taken.
  std::uint64_t merges = 0;
  std::uint64_t cpu_ns = 0;         // Of its leaves.
  std::uint64_t received_bytes = 0; // Partials, inputs and copies that came over sessions.
  std::uint32_t slots = 0;          // It works with so many.

  // Of one node.
  NodeShare& operator+=(const NodeShare& more) {
    leaves += more.leaves;
    steals += more.steals;
    merges += more.merges;
    cpu_ns += more.cpu_ns;
    received_bytes += more.received_bytes;
    slots = std::max(slots, more.slots);
    return *this;
  }
  bool operator==(const NodeShare&) const = default;
};

// Thief to lessor: maximal done blocks of a lease. The last one ends it. Sealed by the thief.
struct LeaseResult {
  JobId job;
  LeaseId lease = 0;
  std::uint32_t attempt = 0;
  std::uint64_t sequence = 0; // Of this lease's results, from 1.
  std::vector<BlockResult> done;
  std::vector<Block> undone; // Handed back unfinished, by an orderly leave or pause.
  std::vector<Block> failed; // Failed here, with `reason` (one leaf each).
  Error reason;
  bool last = false;                // The thief keeps nothing of this lease to run.
  NodeId holder;                    // Who has the blobs of partials that are not inline.
  std::vector<Commitment::Ran> ran; // The thief's own; the codec seals them as its Commitment.
  std::vector<Signed> commitments;  // Its children's, as they came.
  std::uint64_t cpu_ns = 0; // Task time spent on this lease here and below, since the last result.
  std::vector<NodeShare> shares; // Of the thief and those below it, since its last result.
  Reruns reruns = {};            // Below, as far as known.
};

// Lessor to thief: results up to `sequence` are taken, their bytes included. `covered`: an ancestor
// of the lessor (or the root's journal) has them too, so the thief may forget. Sealed by the
// lessor.
struct Receipt {
  JobId job;
  LeaseId lease = 0;
  std::uint64_t sequence = 0;
  bool covered = false;
};

// Each second between partners of a job: a digest over the table of leases that both should know.
struct LeaseBeat {
  JobId job;
  Digest table;
};

// Sent when digests differ twice or a session is new. Every lease of `job` shared by the two ends,
// as the sender sees it.
struct LeaseTable {
  JobId job;
  struct Row {
    LeaseId lease = 0;
    std::uint32_t attempt = 0;
    bool lessor = false;        // Whether the sender is the lessor.
    std::uint64_t sequence = 0; // Lessor: results taken. Thief: results sent.
    auto operator<=>(const Row&) const = default;
  };
  std::vector<Row> rows;
};

struct CancelJob {
  std::shared_ptr<const SignedCancel> cancel;
};

// Root or lessor to thieves: the job is over; drop its leases.
struct JobOver {
  JobId job;
  bool keep = false; // Its result names blobs that the receiver may hold: they stay a while.
};

// Who holds what lies under a manifest, by its blob id.
using Holders = std::map<BlobId, std::vector<NodeId>>;

// Root to a partner: hold a second copy of all blobs under this manifest, so that they need not
// pass through the root (architecture 4.4). `holder` gives them.
struct KeepAsk {
  JobId job;
  Bytes manifest; // Encoded.
  NodeId holder;
};
struct KeepAnswer {
  JobId job;
  BlobId manifest; // Blob id of those bytes.
  bool kept = false;
};

// --- Questions of people, answered for the whole mesh
// ----------------------------------------------------

enum class JobState : std::uint8_t { queued = 0, running = 1, done = 2, failed = 3, cancelled = 4 };

// What the root of a job tells about it. Of a job of rounds leaves are those of the round that it
// is in, all else is of the whole job.
struct JobStatus {
  SpecPtr spec;
  NodeId root;
  JobState state = JobState::queued;
  std::uint64_t leaves_done = 0;
  Reruns reruns = {};
  std::uint64_t elapsed_ms = 0;
  std::uint32_t peers = 0; // Working on it now, the root included.
  Error error;             // When failed.
  BlobId result;           // When done; of a job of rounds, until then, the state of its round.
  std::uint64_t result_size = 0;
  bool manifest = false; // `result` is a manifest of that much output; the shares' nodes have it.
  std::vector<NodeShare> shares;
  std::uint64_t fuel = 0;  // When done, of a module that counts it: all calls that made the result.
  std::uint32_t round = 0; // Of a job of rounds: which one it is in, or ended in, from 1.
  // Of a tree job: tasks that ran and that wait, as the last round left them, and what a lane of
  // this round may run.
  std::uint64_t tasks_run = 0, tasks_left = 0;
  std::uint32_t budget = 0;
};

struct JobQuery { // Asks who roots a job whose id starts with `prefix` (hex, lower case; empty:
                  // all).
  std::uint64_t query = 0;
  NodeId asker; // With `query`: its name, so that nobody answers or passes it on twice.
  std::string prefix;
  std::uint8_t hops = 0; // May be passed on so many times.
};
struct JobAnswer {
  std::uint64_t query = 0;
  NodeId asker;
  std::vector<JobStatus> jobs;
};

// Asks the root of a job for more than its status tells, for people.
struct DetailAsk {
  enum class What : std::uint16_t { log = 0, why = 1 };

  std::uint64_t query = 0;
  JobId job;
  What what = What::log;
  std::uint64_t since = 0; // Of a log: entries from this number on.
};
struct Detail { // Answers it: JSON as node/http/API.md has it; none: there is no such job here.
  std::uint64_t query = 0;
  JobId job;
  std::string json;
};

// --- Blobs
// ------------------------------------------------------------------------------------------------

struct BlobAsk {
  BlobId blob;
  std::uint64_t first_chunk = 0;
  std::uint32_t chunks = 1;
};
struct BlobChunk {
  BlobId blob;
  std::uint64_t size = 0; // Of the whole blob.
  std::uint64_t chunk = 0;
  Bytes bytes;
  std::vector<Digest> proof;
};
struct BlobMissing {
  BlobId blob;
};

using Message =
    std::variant<Records, Join, ForwardJoin, Neighbor, NeighborReply, Disconnect, Shuffle,
                 ShuffleReply, StealAsk, Grant, LeaseRefused, LeaseResult, Receipt, LeaseBeat,
                 LeaseTable, CancelJob, JobOver, JobQuery, JobAnswer, BlobAsk, BlobChunk,
                 BlobMissing, KeepAsk, KeepAnswer, DetailAsk, Detail, DialBackAsk, DialBackAnswer>;

} // namespace tessera
