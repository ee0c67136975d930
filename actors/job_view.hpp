#pragma once

#include "actors/job_log.hpp"
#include "net/message.hpp"
#include "net/time.hpp"

#include <string>
#include <vector>

// One job at its root, at one moment: what people are told when they ask why it is not done.
namespace tessera {

struct JobView {
  struct Out { // With one peer, all its leases together.
    NodeId peer;
    std::uint64_t leaves = 0;
    Duration since{};  // The oldest of them.
    Duration silent{}; // Since it was heard last.
    bool suspected = false;
  };
  struct Failed { // A leaf that failed, and may fail the job.
    std::uint64_t leaf = 0;
    std::uint32_t times = 0;
    std::string code;
  };

  JobStatus status;
  std::uint64_t queued = 0, running = 0, leased = 0, done = 0; // Leaves.
  std::uint64_t merges = 0;                                    // Ready to be merged here.
  std::uint64_t copies = 0; // Of ordered output, on their way to a second holder.
  bool finishing = false;
  bool able = true;     // Whether leaves of it may run here.
  bool stalled = false; // What is left takes a paused node too long.
  std::uint64_t inputs_missing = 0;
  std::vector<Out> out;
  std::vector<Failed> failed;
  std::uint64_t leaf_ns = 0; // About what one takes here; 0: not known.
  LogEntries log;            // As far as asked for.
};

} // namespace tessera
