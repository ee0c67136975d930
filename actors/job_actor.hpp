#pragma once

#include "actors/shell_actor.hpp"

#include <map>
#include <set>

// The shell of one job machine.
namespace tessera {

struct JobShell {
  static inline const char* name = "job";
  std::optional<Job> job;
  SpecPtr spec;
  NodeId own;
  std::optional<Time> armed;
  WiringPtr wiring;
  std::set<BlobId> inputs_missing; // Nothing runs here before they came.
  std::map<BlobId, PullBlob>
      pulls; // Asked of the store, not answered yet; asked again of a new one.
  std::map<std::uint64_t, JournalBlocks> journaling;
  struct InCareOf {
    std::uint32_t number;
    caf::actor_addr slot;
  };
  std::map<WorkId, InCareOf> working;
  QueueReport report;
  bool told_soon = false; // A status is on its way to the api, and with it:
  std::vector<PartSpan> parts;
  std::vector<StealSeen> steals;
  JobCounters counted; // As the api knows.
  std::optional<JournalEnd> ended;
  RoundEnd round; // As JobEnded says.
};

struct JobOpening {
  JobConfig config;
  SpecPtr spec;
  bool root = false;
  std::vector<BlockResult> frontier;
  Holders holders;
  std::uint64_t seed = 0;
  LogEntries log = {};
};

caf::behavior job_actor(caf::stateful_actor<JobShell>* self, JobOpening opening, WiringPtr wiring);

} // namespace tessera
