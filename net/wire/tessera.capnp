@0xeccbe1968974415a;
# What Tessera's peers say to each other. WIRE.md tells how these bytes travel and what they mean.
#
# Everywhere: a NodeId, a digest, a JobId and a BlobId are 32 bytes; a signature is 64; names are printable ASCII,
# prose is UTF-8 without control characters, both of at most 256 bytes; no Float64 is negative, infinite or NaN.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("tessera::wire");

const protocolVersion :UInt16 = 1;

struct Packet {
  # The root of every message between peers.
  protocol @0 :UInt16; # protocolVersion; anything else is refused.
  union {
    records @1 :List(Envelope); # Of Record. At most 64.
    join @2 :Void;
    forwardJoin @3 :ForwardJoin;
    neighbor @4 :Neighbor;
    neighborReply @5 :NeighborReply;
    disconnect @6 :Disconnect;
    shuffle @7 :Shuffle;
    shuffleReply @8 :ShuffleReply;
    stealAsk @9 :StealAsk;
    grant @10 :Envelope;        # Of Grant, by the sender.
    leaseRefused @11 :LeaseRefused;
    leaseResult @12 :Envelope;  # Of LeaseResult, by the sender.
    receipt @13 :Envelope;      # Of Receipt, by the sender.
    leaseBeat @14 :LeaseBeat;
    leaseTable @15 :LeaseTable;
    cancelJob @16 :Envelope;    # Of Cancel, by the job's submitter.
    jobOver @17 :JobOver;
    jobQuery @18 :JobQuery;
    jobAnswer @19 :JobAnswer;
    blobAsk @20 :BlobAsk;
    blobChunk @21 :BlobChunk;
    blobMissing @22 :BlobMissing;
    keepAsk @23 :KeepAsk;
    keepAnswer @24 :KeepAnswer;
    detailAsk @25 :DetailAsk;
    detail @26 :Detail;
    dialBackAsk @27 :Address;
    dialBackAnswer @28 :DialBackAnswer;
  }
}

struct Envelope {
  # What outlives its session. The body is a whole message of its own, and signed as the bytes that it is.
  body @0 :Data;
  key @1 :Data;
  signature @2 :Data;
}

# --- Membership ---

struct Address {
  host @0 :Text; # A numeric IP address or a name; never empty.
  port @1 :UInt16; # Never 0.
}

struct Record {
  # Sealed as type 1 by its subject. The newer of two has the larger (boot, sequence).
  subject @0 :Data;
  boot @1 :UInt64;
  sequence @2 :UInt64;
  expiresMs @3 :Int64; # Unix time.
  name @4 :Text; # Prose.
  version @5 :Text; # Prose.
  addresses @6 :List(Address); # At most 8, wherever there are addresses.
  cores @7 :UInt32;
  slots @8 :UInt32;
  slotsFree @9 :UInt32;
  speed @10 :Float64; # Of one slot, in millions of mixing rounds a second.
  load @11 :Float64;  # System load average over 1 minute.
  stealableNs @12 :UInt64;
  kernels @13 :List(Text); # "name@version", at most 64.
  leaving @14 :Bool;
  paused @15 :Bool; # Takes no work at present.
  workerBytes @16 :UInt64; # Memory that one worker may have. 0: not told.
  arch @17 :Text; # "x86_64", "aarch64", ...: at most 32 of a-z, 0-9, _. Empty: not told.
}

struct PeerAddress {
  id @0 :Data;
  addresses @1 :List(Address);
}

struct DialBackAnswer {
  outcome @0 :UInt8; # 0 reached, 1 failed, 2 not tried; more is refused.
  why @1 :Text; # Prose.
}

struct ForwardJoin {
  joiner @0 :Data;
  addresses @1 :List(Address);
  ttl @2 :UInt8; # At most 16, as every ttl and hops.
}

struct Neighbor {
  high @0 :Bool;
}

struct NeighborReply {
  accepted @0 :Bool;
}

struct Disconnect {
  leaving @0 :Bool;
}

struct Shuffle {
  origin @0 :Data;
  addresses @1 :List(Address);
  ttl @2 :UInt8;
  sample @3 :List(PeerAddress); # At most 32.
}

struct ShuffleReply {
  sample @0 :List(PeerAddress); # At most 32.
}

# --- Jobs ---

enum Trust {
  trust @0;
  spot @1;
  quorum @2;
}

enum Shape {
  range @0;
  rounds @1;
  tree @2;
}

enum Role {
  data @0;   # What the items are about.
  module @1; # The kernel, where it is WebAssembly.
  params @2; # That module's own parameters.
  state @3;  # What a round begins with.
}

struct Input {
  blob @0 :Data;
  size @1 :UInt64;
  role @2 :Role;
}

struct JobSpec {
  # Sealed as type 2 by its submitter. Its JobId is the BLAKE2b-256 of these very bytes.
  submitter @0 :Data;
  nonce @1 :Data; # 16 bytes.
  submittedMs @2 :Int64; # Unix time.
  kernel @3 :Text;
  kernelVersion @4 :UInt32;
  params @5 :Data; # At most 65,536 bytes.
  items @6 :UInt64;     # 1 to 2^63.
  leafItems @7 :UInt64; # 1 to 2^63.
  inputs @8 :List(Input); # At most one of each role, in the order of the roles.
  ttlMs @9 :UInt64;
  retries @10 :UInt32;
  trust @11 :Trust;
  shape @12 :Shape;
  rounds @13 :UInt32; # At most so many, 1 or more, in a job of rounds or a tree job; else 0.
  parent @14 :Data;   # Of a round: the JobId of its job. Else null.
  round @15 :UInt32;  # Of a round: which, from 1. Else 0.
  budget @16 :UInt32; # Of a round of a tree job: tasks that a lane runs, 1 or more. Of a tree job: the same, or 0.
  priority @17 :Int8; # -10 to 10; higher goes first.
  workerBytes @18 :UInt64; # Memory that a worker must have to run leaves of it. 0: any will do.
  arch @19 :Text; # Of the machines that run its leaves. Empty: any will do.
  deadlineMs @20 :Int64; # Unix time by the clock of its root; past it the job fails. 0: none.
}

struct Cancel {
  # Sealed as type 3 by the job's submitter.
  job @0 :Data;
}

# --- Stealing ---

struct Block {
  # Leaves [index * 2^level, (index + 1) * 2^level), cut at the job's last leaf.
  index @0 :UInt64; # Below 2^(63 - level).
  level @1 :UInt8;  # At most 63.
}

struct StealAsk {
  ask @0 :UInt64;
  slots @1 :UInt32;
  speed @2 :Float64;
  kernels @3 :List(Text); # At most 64.
  waitMs @4 :UInt32;      # 0: answer at once.
  workerBytes @5 :UInt64; # As in the asker's record, as the next.
  arch @6 :Text;
}

struct Lease {
  job @0 :Data;
  id @1 :UInt64;
  attempt @2 :UInt32;
  blocks @3 :List(Block); # 1 to 1,024.
  path @4 :List(Data);    # NodeIds: root first, lessor last. 1 to 64.
}

struct Grant {
  # Sealed as type 4 by the lessor.
  ask @0 :UInt64;
  spec @1 :Envelope; # Of JobSpec. Null without leases.
  leases @2 :List(Lease); # At most 64, all of the job of `spec`.
}

struct LeaseRefused {
  job @0 :Data;
  lease @1 :UInt64;
  why @2 :Text; # Prose.
}

struct Partial {
  digest @0 :Data; # The blob id of the bytes.
  size @1 :UInt64;
  bytes @2 :Data;  # All of them up to 4,096, else none.
  manifest @3 :Bool; # The bytes are a manifest; always inline.
}

struct BlockResult {
  block @0 :Block;
  partial @1 :Partial;
}

struct Failure {
  # Prose, as every line that people read.
  code @0 :Text;
  what @1 :Text;
  why @2 :Text;
  fix @3 :Text;
}

struct NodeShare {
  node @0 :Data;
  leaves @1 :UInt64;
  steals @2 :UInt64;
  merges @3 :UInt64;
  cpuNs @4 :UInt64; # Of its leaves.
  receivedBytes @5 :UInt64; # Partials, inputs and copies that came to it over sessions.
  slots @6 :UInt32; # It works with so many. Of two words on one node the larger; all else adds up.
}

struct Reruns {
  # Leaves that are run more than once, by why.
  peerGone @0 :UInt64;
  silent @1 :UInt64;
  crashed @2 :UInt64;
  failed @3 :UInt64;
  duplicated @4 :UInt64;
  lost @5 :UInt64;
}

struct Ran {
  block @0 :Block;
  root @1 :Data; # Digest.
}

struct Commitment {
  # Sealed as type 7 by the executor.
  job @0 :Data;
  ran @1 :List(Ran); # 1 to 2,048.
}

struct LeaseResult {
  # Sealed as type 5 by the thief.
  job @0 :Data;
  lease @1 :UInt64;
  attempt @2 :UInt32;
  sequence @3 :UInt64; # From 1. 0: asks for the receipt of the lease, and says nothing but `undone`.
  done @4 :List(BlockResult); # At most 128.
  undone @5 :List(Block); # At most 1,024.
  failed @6 :List(Block); # At most 1,024.
  reason @7 :Failure; # Of those that failed; may be null.
  last @8 :Bool;
  holder @9 :Data;
  ran @10 :Envelope; # Of Commitment, by the thief itself. Null: it ran nothing since its last result.
  commitments @11 :List(Envelope); # Of those below it. With `ran` at most 256.
  cpuNs @12 :UInt64;
  shares @13 :List(NodeShare); # At most 1,024.
  reruns @14 :UInt64;
  rerunWhy @15 :Reruns; # Of those that one knows why. May be null.
}

struct Receipt {
  # Sealed as type 6 by the lessor.
  job @0 :Data;
  lease @1 :UInt64;
  sequence @2 :UInt64;
  covered @3 :Bool;
}

struct LeaseBeat {
  job @0 :Data;
  table @1 :Data; # Digest.
}

struct LeaseTable {
  job @0 :Data;
  rows @1 :List(Row); # At most 4,096.

  struct Row {
    lease @0 :UInt64;
    sequence @1 :UInt64;
    attempt @2 :UInt32;
    lessor @3 :Bool;
  }
}

struct JobOver {
  job @0 :Data;
  keep @1 :Bool; # Its result is a manifest: keep what you have of it.
}

struct KeepAsk {
  job @0 :Data;
  manifest @1 :Data;
  holder @2 :Data;
}

struct KeepAnswer {
  job @0 :Data;
  manifest @1 :Data; # The blob id of its bytes.
  kept @2 :Bool;
}

# --- Questions of people ---

enum JobState {
  queued @0;
  running @1;
  done @2;
  failed @3;
  cancelled @4;
}

struct JobStatus {
  spec @0 :Envelope; # Of JobSpec.
  root @1 :Data;
  state @2 :JobState;
  leavesDone @3 :UInt64;
  leavesRerun @4 :UInt64;
  elapsedMs @5 :UInt64;
  peers @6 :UInt32;
  error @7 :Failure; # May be null.
  result @8 :Data; # Blob id; 32 zero bytes while there is none.
  resultSize @9 :UInt64; # Of the output, also where `result` is a manifest of it.
  shares @10 :List(NodeShare); # At most 1,024.
  fuel @11 :UInt64; # When done, of a module that counts it.
  round @12 :UInt32; # Of a job of rounds: which one it is in, from 1.
  tasksRun @13 :UInt64; # Of a tree job: before this round, as the next two.
  tasksLeft @14 :UInt64;
  budget @15 :UInt32;
  manifest @16 :Bool; # `result` is a manifest.
  rerunWhy @17 :Reruns; # As in a result.
}

struct JobQuery {
  query @0 :UInt64;
  asker @1 :Data;
  prefix @2 :Text; # At most 64 digits 0-9, a-f. Empty: all jobs.
  hops @3 :UInt8;
}

struct JobAnswer {
  query @0 :UInt64;
  asker @1 :Data;
  jobs @2 :List(JobStatus); # At most 256, each job once.
}

enum What {
  log @0;
  why @1;
}

struct DetailAsk {
  query @0 :UInt64;
  job @1 :Data;
  what @2 :What;
  since @3 :UInt64; # Of a log: entries from this number on.
}

struct Detail {
  query @0 :UInt64;
  job @1 :Data;
  json @2 :Text; # Of at most 262,144 bytes. Empty: there is no such job here.
}

# --- Blobs ---

struct BlobAsk {
  blob @0 :Data;
  firstChunk @1 :UInt64;
  chunks @2 :UInt32; # 1 or more.
}

struct BlobChunk {
  blob @0 :Data;
  size @1 :UInt64; # Of the whole blob.
  chunk @2 :UInt64;
  bytes @3 :Data; # At most 65,536 bytes.
  proof @4 :List(Data); # Digests, from the chunk's level up. At most 64.
}

struct BlobMissing {
  blob @0 :Data;
}
