#pragma once

#include "actors/shell_actor.hpp"

#include <deque>
#include <map>
#include <set>

// The shell of the scheduler machine. Also routes peers' messages to the jobs they are for.
namespace tessera {

struct SchedulerShell {
  static inline const char* name = "scheduler";
  std::optional<Scheduler> scheduler;
  std::optional<Time> armed;
  WiringPtr wiring;
  std::map<JobId, caf::actor> jobs;
};

caf::behavior scheduler_actor(caf::stateful_actor<SchedulerShell>* self, SchedulerConfig config,
                              std::uint64_t seed, WiringPtr wiring);

} // namespace tessera
