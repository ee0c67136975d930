#pragma once

#include "actors/messages_actor.hpp"
#include "node/event_log.hpp"
#include "node/http/server.hpp"
#include "node/kernels/preview.hpp"
#include "node/store/journal.hpp"
#include "node/store/usage_book.hpp"
#include "node/worker/worker.hpp"

// What the node's own actors ask of store and slots, beyond what jobs do.
namespace tessera {

using FdPtr = std::shared_ptr<Fd>;
using PayloadPtr = std::shared_ptr<Payload>;

struct FilesAsk { // To store; answered by FilesAnswer, in the same order.
  std::vector<BlobId> blobs;
};
struct FilesAnswer {
  std::vector<FdPtr> files; // Empty when one is missing: see why.
  Error why;
};
struct KeepBlob { // To store; answered by Kept.
  BlobId id;      // As the worker says, or the API's caller.
  PayloadPtr bytes;
  bool check = false; // Whether the id must be proven first (E113).
};
struct KeepPieces { // To store; answered by Kept. Ordered output, pinned for its job.
  JobId job;
  PayloadPtr pieces; // One behind the other.
  std::vector<PieceRow> rows;
};
struct AcceptJob { // To store; answered by Kept once it is in the journal.
  SpecPtr spec;
  std::optional<Submission> submission = {}; // Kept beside it.
};
struct Kept {
  bool ok = false;
  Error why;
};
struct RootsAsk {}; // To store; answered by Roots.
struct Roots {
  struct Root {
    JobStatus status;
    std::vector<BlockResult> frontier;
    Holders holders = {};
    LogEntries log = {}; // Of one that runs.
  };
  std::vector<Root> roots;
  std::vector<Submission> submissions = {};
};
struct LogAsk { // To store; answered by LogAnswer. As far as the journal has it.
  JobId job;
};
struct LogAnswer {
  LogEntries log;
  Error why; // With a code: it cannot be read.
};
struct ForgetJob { // To store; answered by Kept: an ended job goes, with its result. E464: it runs.
  JobId job;
};
struct PrepareFor { // To a slot; answered by Prepared.
  std::string kernel;
  Bytes params;
  BlobId input;
};
struct Prepared {
  BlobId input;
  std::uint64_t size = 0;
  Bytes head; // Its first bytes, at most 64.
  Error why;  // With a code: refused.
};
struct HttpCall { // From the server to api.
  std::shared_ptr<HttpRequest> request;
  HttpRespond respond;
};
struct NextPiece { // From the server to api: of a result that goes out piece by piece.
  std::uint64_t fetch = 0;
  std::function<void(std::shared_ptr<const Bytes>)> give; // Empty: nobody wants more.
};
using EventsPtr = std::shared_ptr<const Events>;
struct EventBatch { // Api to its streams.
  EventsPtr events;
};
struct StreamBegin { // Api to a stream that goes on behind an event it had; or cannot.
  std::uint64_t after = 0;
  EventsPtr events; // Null: they are gone.
};
struct SnapshotAsk {}; // A stream to the api; answered by Snapshot.
struct Snapshot {
  std::uint64_t id = 0;
  std::shared_ptr<const std::string> frame;
};
struct StreamReady { // From the server to a stream: what went before is written.
  std::function<void(std::shared_ptr<const Bytes>)> give;
};
struct PaintWork { // Api to its painter; answered by Painted.
  struct Piece {
    std::uint64_t first = 0, end = 0; // Tiles.
    FdPtr file;                       // Null: in `bytes`.
    Bytes bytes;
    std::size_t skip = 0; // Bytes before their pixels.
  };
  std::shared_ptr<Preview> preview; // The painter's until it answers.
  std::vector<Piece> pieces;
  FdPtr whole; // Instead: the finished picture's file.
};
struct Painted {
  std::shared_ptr<const Bytes> png;
  Error why; // With a code: there is none.
};
struct BlobCountAsk {}; // To store.
struct BlobCount {
  std::uint64_t blobs = 0, bytes = 0, quota = 0;
};
struct SavePeers { // To store.
  std::vector<PeerAddress> peers;
};
struct SavePause { // To store; answered by Kept.
  std::optional<Pause> pause;
};
struct PauseFor { // Api to node; answered by PauseSet.
  bool resume = false;
  std::optional<std::chrono::seconds> time; // At most pause_max; nothing: until it is resumed.
};
struct PauseSet {
  std::optional<Pause> pause; // Now, whatever became of its saving.
  Error why;                  // With a code: a restart of the node will not know it.
};
struct PolicySays { // Policy to node, when its verdict is another.
  std::optional<Pause> pause;
  std::string sources; // What it looks at.
};
struct UsedFor { // Slot to store.
  NodeId submitter;
  JobId job;
  std::string kernel;
  Usage usage;
};
struct UsageAsk {}; // To store; answered by UsageTold.
struct UsageTold {
  UsageBook::Told told;
};
struct JobsExpired { // Store to api: those that it has forgotten since.
  std::vector<ExpiredJob> jobs;
};
struct FollowWork { // Api to node: whether jobs are to tell of their work as it is done.
  bool followed = false;
};
struct LogNews { // Node to api: a line of its log.
  std::string level, text;
};
struct ChildrenAsk {}; // To node; answered by Children.
struct Children {
  std::vector<std::pair<std::string, caf::actor>> named; // As in the log; "session" many times.
};

} // namespace tessera

CAF_BEGIN_TYPE_ID_BLOCK(tessera_node, caf::id_block::tessera::end)
CAF_ADD_TYPE_ID(tessera_node, (tessera::FilesAsk))
CAF_ADD_TYPE_ID(tessera_node, (tessera::FilesAnswer))
CAF_ADD_TYPE_ID(tessera_node, (tessera::KeepBlob))
CAF_ADD_TYPE_ID(tessera_node, (tessera::KeepPieces))
CAF_ADD_TYPE_ID(tessera_node, (tessera::AcceptJob))
CAF_ADD_TYPE_ID(tessera_node, (tessera::Kept))
CAF_ADD_TYPE_ID(tessera_node, (tessera::RootsAsk))
CAF_ADD_TYPE_ID(tessera_node, (tessera::Roots))
CAF_ADD_TYPE_ID(tessera_node, (tessera::PrepareFor))
CAF_ADD_TYPE_ID(tessera_node, (tessera::Prepared))
CAF_ADD_TYPE_ID(tessera_node, (tessera::HttpCall))
CAF_ADD_TYPE_ID(tessera_node, (tessera::NextPiece))
CAF_ADD_TYPE_ID(tessera_node, (tessera::SavePeers))
CAF_ADD_TYPE_ID(tessera_node, (tessera::SavePause))
CAF_ADD_TYPE_ID(tessera_node, (tessera::PauseFor))
CAF_ADD_TYPE_ID(tessera_node, (tessera::PauseSet))
CAF_ADD_TYPE_ID(tessera_node, (tessera::PolicySays))
CAF_ADD_TYPE_ID(tessera_node, (tessera::UsedFor))
CAF_ADD_TYPE_ID(tessera_node, (tessera::UsageAsk))
CAF_ADD_TYPE_ID(tessera_node, (tessera::UsageTold))
CAF_ADD_TYPE_ID(tessera_node, (tessera::JobsExpired))
CAF_ADD_TYPE_ID(tessera_node, (tessera::FollowWork))
CAF_ADD_TYPE_ID(tessera_node, (tessera::LogNews))
CAF_ADD_TYPE_ID(tessera_node, (tessera::EventBatch))
CAF_ADD_TYPE_ID(tessera_node, (tessera::StreamBegin))
CAF_ADD_TYPE_ID(tessera_node, (tessera::SnapshotAsk))
CAF_ADD_TYPE_ID(tessera_node, (tessera::Snapshot))
CAF_ADD_TYPE_ID(tessera_node, (tessera::StreamReady))
CAF_ADD_TYPE_ID(tessera_node, (tessera::PaintWork))
CAF_ADD_TYPE_ID(tessera_node, (tessera::Painted))
CAF_ADD_TYPE_ID(tessera_node, (tessera::BlobCountAsk))
CAF_ADD_TYPE_ID(tessera_node, (tessera::BlobCount))
CAF_ADD_TYPE_ID(tessera_node, (tessera::ChildrenAsk))
CAF_ADD_TYPE_ID(tessera_node, (tessera::Children))
CAF_ADD_TYPE_ID(tessera_node, (tessera::LogAsk))
CAF_ADD_TYPE_ID(tessera_node, (tessera::LogAnswer))
CAF_ADD_TYPE_ID(tessera_node, (tessera::ForgetJob))
CAF_END_TYPE_ID_BLOCK(tessera_node)

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::FilesAsk)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::FilesAnswer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::KeepBlob)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::KeepPieces)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::AcceptJob)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::Kept)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::RootsAsk)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::Roots)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::PrepareFor)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::Prepared)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::HttpCall)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::NextPiece)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::SavePeers)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::SavePause)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::PauseFor)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::PauseSet)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::PolicySays)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::UsedFor)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::UsageAsk)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::UsageTold)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::JobsExpired)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::FollowWork)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::LogNews)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::EventBatch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::StreamBegin)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::SnapshotAsk)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::Snapshot)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::StreamReady)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::PaintWork)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::Painted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::BlobCountAsk)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::BlobCount)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::ChildrenAsk)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::Children)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::LogAsk)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::LogAnswer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tessera::ForgetJob)
