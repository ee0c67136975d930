#pragma once

#include "actors/parts.hpp"
#include "actors/pause.hpp"
#include "actors/rounds.hpp"
#include "actors/scheduler.hpp"
#include "net/asio/link.hpp"
#include "net/membership.hpp"
#include "net/reach.hpp"

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/atom.hpp>
#include <caf/type_id.hpp>

#include <memory>
#include <string>
#include <vector>

// What the actors of one process tell each other. None of it leaves the process: what crosses the
// wire is net/'s.
namespace tessera {

// Who is who, whether the node is paused, and whether anybody follows the work as it is done. Sent
// to all again whenever that changes.
struct Wiring {
  caf::actor node, mesh, scheduler, store, api;
  std::vector<caf::actor> slots;
  std::optional<Pause> pause; // The owner's word, or else by his policy.
  std::string policy;         // What his policy looks at; empty: he has none.
  bool followed = false;
};
using WiringPtr = std::shared_ptr<const Wiring>;
using MessagePtr = std::shared_ptr<const Message>;
using LinkPtr = std::shared_ptr<Link>;

// --- Peers ---
struct ToPeer { // To mesh: send this to that peer, over a session that may have to be dialled.
  NodeId to;
  MessagePtr message;
};
struct FromPeer { // From a session, to whom the message is for.
  NodeId from;
  MessagePtr message;
};
struct ConnectTo {
  NodeId peer;
};
struct SessionOpened { // Session to mesh.
  NodeId peer;
  std::uint64_t boot = 0;
  bool dialled = false;
  std::string host = {}; // The other end's, as a number.
};
struct Probed { // From the port that probes, to mesh.
  NodeId asker;
  bool reached = false;
  std::string why;
};
struct ReachNews { // Mesh to node and api: whether others can dial us.
  Reach reach;
};
struct SessionEnded {
  std::string why;
};
struct PeerNews { // Mesh to scheduler, jobs, store, api.
  enum class Kind : std::uint8_t { up, down, unreachable } kind = Kind::up;
  NodeId peer;
  std::uint64_t boot = 0;
};
struct RttNews {
  NodeId peer;
  Duration rtt{};
  std::uint64_t sent = 0, received = 0; // Bytes of this session so far.
};

// --- Jobs ---
struct OpenLeases { // Scheduler to node: find or spawn the job, then hand it the leases.
  AcceptLeases accepted;
};
struct OpenRoot { // Api, journal or a job of rounds to node.
  SpecPtr spec;
  std::vector<BlockResult> frontier;
  Holders holders = {};
  JobStatus told = {}; // As the journal has it, of a job of rounds.
  LogEntries log = {};
};
struct ViewAsk { // To node, which asks the job; answered by JobView, without a spec: not here.
  JobId job;
  std::uint64_t log_since = 0; // 0: no log.
};
struct ForJob { // To node: tell this job, if it is here.
  JobId job;
  FromPeer letter;
};
struct JobHere { // Job to scheduler: route this job's messages there.
  SpecPtr spec;
  caf::actor job;
};
struct JobGone { // Job to node, node to scheduler; of a round also to the job that it is of.
  JobId job;
};
struct LeasedFrom { // Node to job.
  NodeId lessor;
  Lease lease;
};
struct QueueChanged { // Job to scheduler.
  JobId job;
  QueueReport report;
};
struct Took {
  JobId job;
  std::uint32_t slot = 0;
  bool got = false;
};
struct JobNews { // Job to api, when its status changes.
  JobStatus status;
  bool rooted = false;
};

struct WorkNews { // Job to api, while somebody follows. Of a round: its job's.
  JobId job;
  std::vector<PartSpan> parts;
  std::vector<StealSeen> steals;
};
struct CountNews { // Job to api: what it counted so far.
  JobId job;
  JobCounters counters;
};
struct FrontierAsk { // Api to node, which passes it on; answered by Frontier.
  JobId job;
};
struct Frontier { // None: that job is not rooted here, or over.
  std::vector<BlockResult> done;
};

struct RoundNews { // The job of a round to node, which tells its parent; not the api.
  JobStatus status;
  Partial result; // And the rest of its JobEnded.
  RoundEnd end;
};

// --- Slots ---
struct StartFor { // Job to slot.
  caf::actor job;
  SpecPtr spec;
  WorkId id = 0;
  Work work;
  bool scheduled = true; // The scheduler counts it, and hears of its end.
};
struct DropJob { // Job to slots: nothing of this job is wanted any more, what runs included.
  JobId job;
};
struct WorkDone { // Slot to job.
  WorkId id = 0;
  Partial partial;
  Digest leaves;
  std::uint64_t cpu_ns = 0;
  std::uint64_t fuel = 0;
  RoundEnd round = {}; // Of a round's finish.
};
struct WorkFailed {
  WorkId id = 0;
  Error why;
};
struct SlotFree { // Slot to scheduler: one piece of work is over.
  std::uint32_t slot = 0;
};
struct SlotReset { // Its worker is new.
  std::uint32_t slot = 0;
};

// --- Store ---
struct PullFor { // Job (or slot, or api) to store; answered to the sender by BlobHere or BlobGone.
  BlobId blob;
  std::vector<NodeId> holders;
};
// Job to store: all blobs under a manifest, pinned for the job. Answered by BlobHere or BlobGone of
// the manifest's own id.
struct CopyFor {
  JobId job;
  Bytes manifest;
  std::vector<NodeId> holders;
};
struct ReleaseJob { // Job to store: what it pinned goes, at once or after a while.
  JobId job;
  bool keep = false;
};
struct BlobHere {
  BlobId blob;
  std::uint64_t pulled_bytes = 0; // Of it, over sessions; told to the first who waited for it.
};
struct BlobGone {
  BlobId blob;
};
struct JournalFor { // Root job to store; answered by Journaled.
  JobId job;
  JournalBlocks blocks;
};
struct Journaled {
  std::uint64_t sequence = 0;
};
struct JournalEnd { // Root job to store.
  JobStatus status;
  Partial result;
  JobId round; // Of a job of rounds: the job of the last, which goes with this. Else zero.
  LogEntries log = {};
};
struct RoundBegun { // Answers a BeginRound.
  JobId round;
};

} // namespace tessera

CAF_BEGIN_TYPE_ID_BLOCK(tessera, first_custom_type_id)
CAF_ADD_TYPE_ID(tessera, (tessera::WiringPtr))
CAF_ADD_TYPE_ID(tessera, (tessera::MessagePtr))
CAF_ADD_TYPE_ID(tessera, (tessera::LinkPtr))
CAF_ADD_TYPE_ID(tessera, (tessera::SessionNews))
CAF_ADD_TYPE_ID(tessera, (tessera::ToPeer))
CAF_ADD_TYPE_ID(tessera, (tessera::FromPeer))
CAF_ADD_TYPE_ID(tessera, (tessera::ConnectTo))
CAF_ADD_TYPE_ID(tessera, (tessera::SessionOpened))
CAF_ADD_TYPE_ID(tessera, (tessera::SessionEnded))
CAF_ADD_TYPE_ID(tessera, (tessera::PeerNews))
CAF_ADD_TYPE_ID(tessera, (tessera::Probed))
CAF_ADD_TYPE_ID(tessera, (tessera::ReachNews))
CAF_ADD_TYPE_ID(tessera, (tessera::RecordNews))
CAF_ADD_TYPE_ID(tessera, (tessera::RttNews))
CAF_ADD_TYPE_ID(tessera, (tessera::OwnLoad))
CAF_ADD_TYPE_ID(tessera, (tessera::OpenLeases))
CAF_ADD_TYPE_ID(tessera, (tessera::OpenRoot))
CAF_ADD_TYPE_ID(tessera, (tessera::JobHere))
CAF_ADD_TYPE_ID(tessera, (tessera::JobGone))
CAF_ADD_TYPE_ID(tessera, (tessera::LeasedFrom))
CAF_ADD_TYPE_ID(tessera, (tessera::TakeWork))
CAF_ADD_TYPE_ID(tessera, (tessera::GiveWork))
CAF_ADD_TYPE_ID(tessera, (tessera::QueueChanged))
CAF_ADD_TYPE_ID(tessera, (tessera::Took))
CAF_ADD_TYPE_ID(tessera, (tessera::JobNews))
CAF_ADD_TYPE_ID(tessera, (tessera::StartFor))
CAF_ADD_TYPE_ID(tessera, (tessera::DropJob))
CAF_ADD_TYPE_ID(tessera, (tessera::WorkDone))
CAF_ADD_TYPE_ID(tessera, (tessera::WorkFailed))
CAF_ADD_TYPE_ID(tessera, (tessera::SlotFree))
CAF_ADD_TYPE_ID(tessera, (tessera::SlotReset))
CAF_ADD_TYPE_ID(tessera, (tessera::PullFor))
CAF_ADD_TYPE_ID(tessera, (tessera::CopyFor))
CAF_ADD_TYPE_ID(tessera, (tessera::ReleaseJob))
CAF_ADD_TYPE_ID(tessera, (tessera::BlobHere))
CAF_ADD_TYPE_ID(tessera, (tessera::BlobGone))
CAF_ADD_TYPE_ID(tessera, (tessera::JournalFor))
CAF_ADD_TYPE_ID(tessera, (tessera::Journaled))
CAF_ADD_TYPE_ID(tessera, (tessera::JournalEnd))
CAF_ADD_TYPE_ID(tessera, (tessera::ForJob))
CAF_ADD_TYPE_ID(tessera, (tessera::RoundNews))
CAF_ADD_TYPE_ID(tessera, (tessera::WorkNews))
CAF_ADD_TYPE_ID(tessera, (tessera::CountNews))
CAF_ADD_TYPE_ID(tessera, (tessera::FrontierAsk))
CAF_ADD_TYPE_ID(tessera, (tessera::Frontier))
CAF_ADD_TYPE_ID(tessera, (tessera::BeginRound))
CAF_ADD_TYPE_ID(tessera, (tessera::RoundBegun))
CAF_ADD_TYPE_ID(tessera, (tessera::ViewAsk))
CAF_ADD_TYPE_ID(tessera, (tessera::JobView))
CAF_ADD_ATOM(tessera, tessera, wake_atom, "wake")
CAF_ADD_ATOM(tessera, tessera, tick_atom, "tick")
CAF_ADD_ATOM(tessera, tessera, close_atom, "close")
CAF_ADD_ATOM(tessera, tessera, leave_atom, "leave")
CAF_ADD_ATOM(tessera, tessera, left_atom, "left")
CAF_ADD_ATOM(tessera, tessera, readable_atom, "readable")
CAF_END_TYPE_ID_BLOCK(tessera)

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::WiringPtr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::MessagePtr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::LinkPtr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::SessionNews)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::ToPeer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::FromPeer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::ConnectTo)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::SessionOpened)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::SessionEnded)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::PeerNews)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::Probed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::ReachNews)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::RecordNews)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::RttNews)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::OwnLoad)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::OpenLeases)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::OpenRoot)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::JobHere)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::JobGone)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::LeasedFrom)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::TakeWork)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::GiveWork)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::QueueChanged)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::Took)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::JobNews)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::StartFor)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::DropJob)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::WorkDone)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::WorkFailed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::SlotFree)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::SlotReset)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::PullFor)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::CopyFor)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::ReleaseJob)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::BlobHere)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::BlobGone)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::JournalFor)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::Journaled)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::JournalEnd)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::ForJob)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::RoundNews)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::WorkNews)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::CountNews)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::FrontierAsk)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::Frontier)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::BeginRound)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::RoundBegun)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::ViewAsk)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::JobView)
