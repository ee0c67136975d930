#pragma once

#include "actors/shell_actor.hpp"
#include "net/wire/codec.hpp"
#include "node/messages_actor.hpp"
#include "node/store/blobs.hpp"
#include "node/store/copy.hpp"
#include "node/store/pulls.hpp"

#include <map>
#include <set>

// The shell of journal, blobs and pulls: the one actor that does blocking I/O. Spawn it detached.
namespace tessera {

struct StoreSetup {
  NodeId self;
  std::filesystem::path journal, blobs;
  std::uint64_t quota_bytes = 0;
  std::shared_ptr<const Codec> codec;
  std::chrono::seconds results_keep = std::chrono::hours(24);   // After a job's end.
  std::chrono::seconds blobs_keep = std::chrono::hours(24 * 7); // What no job needs, after its use.
};

struct StoreShell {
  static inline const char* name = "store";
  std::optional<Journal> journal;
  std::optional<Blobs> blobs;
  std::shared_ptr<const Codec> codec;
  NodeId self;
  std::chrono::seconds results_keep, blobs_keep;
  UsageBook usage;
  WiringPtr wiring;
  Pulls pulls;
  std::map<BlobId, std::vector<caf::actor>> wanted_by; // What is being pulled.
  std::deque<NodeId> gave; // Who gave blobs, the last first: what lies beside them is there too.
  struct Copying {
    Copy copy;
    std::vector<NodeId> holders;
    std::vector<caf::actor> wanted_by;
    std::uint64_t pulled_bytes = 0;
  };
  using CopyKey = std::pair<JobId, BlobId>; // The manifest's.
  std::map<CopyKey, Copying> copies;
  std::deque<CopyKey> copies_waiting;       // Of these: not begun.
  std::map<JobId, std::set<BlobId>> needed; // Pinned until the job has ended.
  struct Released {
    Time since;
    bool keep; // What is pinned stays a while longer.
  };
  std::map<JobId, Released> released; // Jobs that are over here.
  std::optional<Time> armed;
};

// Throws when journal or blobs cannot be opened: the node is told, and refuses new work.
caf::behavior store_actor(caf::stateful_actor<StoreShell>* self, StoreSetup setup,
                          WiringPtr wiring);

} // namespace tessera
