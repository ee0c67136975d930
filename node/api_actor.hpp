#pragma once

#include "actors/shell_actor.hpp"
#include "actors/spans.hpp"
#include "net/manifest.hpp"
#include "net/wire/codec.hpp"
#include "node/api_json.hpp"
#include "node/cancels.hpp"
#include "node/event_stream.hpp"
#include "node/idempotency.hpp"
#include "node/job_book.hpp"
#include "node/mesh_file.hpp"
#include "node/metrics.hpp"
#include "node/module_book.hpp"
#include "node/ordered_picture.hpp"
#include "node/store_asks_actor.hpp"

#include <functional>
#include <map>
#include <set>

// The shell of the local API: what each call of node/http/API.md means. Also answers peers'
// questions about jobs.
namespace tessera {

struct ApiSetup {
  std::shared_ptr<const Codec> codec;
  Record own; // As the mesh starts with it.
  MeshMembership mesh;
  std::string listen; // "10.0.0.5:7700"
  std::uint64_t seed = 0;
  Time started;
  std::int64_t unix_ms_at_zero = 0;                    // Of the clock.
  std::uint64_t memory_bytes = 0;                      // Of one slot.
  bool modules = false;                                // Whether WebAssembly runs here.
  std::size_t body_bytes_max = 0, connections_max = 0; // As the server has them.
  bool painter_apart = true;                           // On a thread of its own.
};

// Who waits for an answer, and what was asked.
struct Caller {
  HttpRespond respond;
  std::string path;
  std::shared_ptr<const Submission> submission = nullptr; // It has a key: kept with its job.
};

struct ApiShell {
  static inline const char* name = "api";
  ApiSetup setup;
  WiringPtr wiring;
  std::optional<JobBook> book;
  std::optional<Time> armed;

  using Found = std::function<void(std::vector<JobStatus>)>;
  std::map<std::uint64_t, Found> tickets;
  std::uint64_t next_ticket = 1;

  struct Waiter { // GET /v1/jobs/ID?wait=S
    JobStatus last;
    Time until;
    Caller caller;
  };
  std::vector<Waiter> waiters;
  bool polling = false; // A tick for those whose job is rooted elsewhere is on its way.
  JobId polled;         // The last of them that was asked for.

  StoreAsks store_asks;
  using Pulled = std::function<void(bool here)>;
  struct Pulling {
    std::vector<NodeId> holders;
    std::vector<Pulled> then;
  };
  std::map<BlobId, Pulling> pulls;

  // A result that is a manifest, on its way out.
  struct Fetch {
    ManifestWalk walk;
    std::vector<NodeId> holders;
    struct Piece {
      BlobId blob;
      std::uint64_t size;
      std::optional<bool> here;
      std::uint64_t first = 0, end = 0; // What of it is wanted.
    };
    std::deque<Piece> ahead = {};                     // Asked for, in order.
    std::uint64_t skip = 0, left = ~std::uint64_t{0}; // Bytes not wanted, then those that are.
    bool entering = false;                            // A manifest is asked for.
    bool failed = false;                              // No more is asked for.
    std::function<void(bool)> opened = {};            // Told once, whether there is a first piece.
    std::function<void(std::shared_ptr<const Bytes>)> give = {};
  };
  std::map<std::uint64_t, Fetch> fetches;
  std::uint64_t next_fetch = 1;

  std::map<std::uint64_t, Caller> preparing; // Their input, in the first slot.

  // --leaf auto: runs one leaf of growing size in the first slot.
  struct Calibration {
    JobRequest request;
    JobSpec spec;
    SpecPtr trial;
    Caller caller;
  };
  std::map<WorkId, Calibration> calibrations;

  bool resumed = false; // The journal's jobs are known.
  bool leaving = false;
  std::vector<HttpCall> early; // Until then.

  Idempotency once;
  Cancels cancels;
  struct DetailAsked { // Of a job rooted elsewhere.
    NodeId root;
    std::function<void(std::string json)> then;
  };
  std::map<std::uint64_t, DetailAsked> details;
  std::size_t details_told = 0; // To others, within the last second.

  std::map<JobId, JobStatus> working;        // Jobs that have an actor here, as it told them last.
  std::map<std::string, ExpiredJob> expired; // By their ids in hex; as many as the journal has.
  ModuleBook modules;
  std::map<NodeId, std::shared_ptr<const SignedRecord>> records;
  std::set<NodeId> up;
  std::map<NodeId, Duration> rtts;
  Reach reach;
  OwnLoad load;

  // Event streams.
  std::optional<EventLog> log;
  std::optional<Time> log_armed;
  struct Follower {
    caf::actor stream;
    EventStreamConfig what;
  };
  std::map<caf::actor_addr, Follower> followers; // At most streams_max.
  std::map<std::string, JobStatus> followed;     // One job that a stream is of, as known last.
  bool follows_work = false;                     // The node was told so.
  bool load_ticks = false;                       // One is on its way.
  std::uint64_t microtasks_told = 0;             // By the last.
  struct Shown {
    EventStreamConfig what;
    Time made;
    std::uint64_t id = 0;
    std::shared_ptr<const std::string> frame;
  };
  std::optional<Shown> snapshot; // The last that was made: many may ask for the same.

  // Previews of pictures, by job and width.
  struct Sketch {
    std::shared_ptr<Preview> preview; // Null: not begun.
    Spans painted;                    // Tiles that the painter was sent.
    bool whole = false;               // From the finished file.
    std::shared_ptr<const Bytes> png; // And of which state it is:
    Time made{};
    JobState state{};
    std::uint64_t done = 0;
    bool busy = false; // Being painted, for:
    struct Asker {
      Caller caller;
      std::string if_none_match;
    };
    std::vector<Asker> askers; // At most as many as the server has connections.
    PaintWork next;
    std::size_t awaited = 0; // Pieces asked of the store.

    // Of a picture in bands whose bytes stay where they were made:
    std::optional<OrderedPicture> bands;
    struct Wanted { // A blob, and where its bytes lie in the result.
      BlobId blob;
      std::uint64_t at = 0, size = 0;
      bool manifest = false;
      std::size_t skip = 0; // Bytes before those.
    };
    std::deque<Wanted> wanted; // Painted in batches, and then answered.
    std::vector<NodeId> holders;
  };
  using SketchKey = std::pair<JobId, std::uint32_t>;
  std::map<SketchKey, Sketch> sketches; // At most sketches_max.
  caf::actor painter;                   // Null: not needed yet.

  // What is counted, since the start.
  std::map<JobId, JobCounters> counts; // Of each job here, as it told them last.
  JobCounters counted;                 // Of all jobs.
  struct Traffic {
    std::uint64_t sent = 0, received = 0; // Bytes.
  };
  std::map<NodeId, Traffic> lines; // Of each session, as it told last.
  Traffic traffic;                 // Of all.
  std::map<NodeId, Duration> rtts_told;
  std::map<std::pair<std::string, int>, std::uint64_t> requests; // By route and status.
  Metrics metrics;
};

caf::behavior api_actor(caf::stateful_actor<ApiShell>* self, ApiSetup setup, WiringPtr wiring);

} // namespace tessera
