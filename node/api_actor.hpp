#pragma once

#include "actors/shell_actor.hpp"
#include "net/manifest.hpp"
#include "net/wire/codec.hpp"
#include "node/api_json.hpp"
#include "node/cancels.hpp"
#include "node/idempotency.hpp"
#include "node/job_book.hpp"
#include "node/mesh_file.hpp"
#include "node/module_book.hpp"
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
};

// Who waits for an answer, and what was asked.
struct Caller {
  HttpRespond respond;
  std::string path;
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
    };
    std::deque<Piece> ahead = {};          // Asked for, in order.
    bool entering = false;                 // A manifest is asked for.
    bool failed = false;                   // No more is asked for.
    std::function<void(bool)> opened = {}; // Told once, whether there is a first piece.
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

  bool resumed = false;        // The journal's jobs are known.
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
};

caf::behavior api_actor(caf::stateful_actor<ApiShell>* self, ApiSetup setup, WiringPtr wiring);

} // namespace tessera
