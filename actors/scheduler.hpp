#pragma once

#include "actors/job.hpp"

#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

// Which job's work runs next on this node, and from whom work is stolen. Holds no blocks: jobs hold
// the ledgers (architecture 4.3).
namespace tessera {

struct SchedulerConfig {
  NodeId self;
  std::uint32_t slots = 1;    // 0: a submitter that only watches.
  std::uint32_t pipeline = 2; // Pieces of work in one slot's care, so that it never waits for us.
  double speed = 1;
  std::vector<std::string> kernels; // "name@version"
  Worker worker = {};
  std::size_t sample = 4;    // d, architecture 4.3 (our simulation).
  std::size_t lifelines = 4; // Laid at a time. A guess: about an active view.
  Duration ask_patience = std::chrono::milliseconds(1000);
  Duration retry_min = std::chrono::milliseconds(
      20); // After an empty grant, while somebody has stealable work; doubles.
  Duration retry_max = std::chrono::milliseconds(1000);
  Duration rtt_guess = std::chrono::milliseconds(5); // Before a session has measured its own.
  std::size_t jobs_max = 1024;
};

struct TakeWork { // Answered by took().
  JobId job;
  std::uint32_t slot;
};
struct GiveWork { // The job answers the asker itself, in any case.
  JobId job;
  NodeId asker;
  StealAsk ask;
  double share;
};
struct AcceptLeases { // A grant that we asked for; the shell finds or spawns the job.
  NodeId lessor;
  SpecPtr spec;
  std::vector<Lease> leases;
};
struct WantSession { // With a victim; then peer_up or peer_unreachable.
  NodeId peer;
};
struct OwnLoad { // For our record.
  std::uint32_t slots_free;
  std::uint64_t stealable_ns; // Rounded down to a power of two, so that gossip is quiet.
  bool paused = false;

  bool operator==(const OwnLoad&) const = default;
};
using SchedulerEffect =
    std::variant<SendTo, TakeWork, GiveWork, AcceptLeases, WantSession, OwnLoad>;
using SchedulerEffects = std::vector<SchedulerEffect>;

class Scheduler {
public:
  Scheduler(SchedulerConfig config, std::uint64_t seed);
  Scheduler(Scheduler&&) noexcept;
  Scheduler& operator=(Scheduler&&) noexcept;
  ~Scheduler();

  // --- Jobs' news.
  // `kernel`: "name@version".
  SchedulerEffects job_opened(const JobId& job, NodeId submitter, std::string kernel, Time now,
                              int priority = 0, const Require& require = {});
  SchedulerEffects queue_changed(const JobId& job, const QueueReport& report, Time now);
  SchedulerEffects took(const JobId& job, std::uint32_t slot, bool got, Time now);
  SchedulerEffects job_closed(const JobId& job, Time now);

  // --- Slots' news: one piece of work of a slot is over, or its worker is new.
  SchedulerEffects slot_free(std::uint32_t slot, Time now);
  SchedulerEffects slot_reset(std::uint32_t slot,
                              Time now); // Its worker died; nothing is in its care.

  // --- Peers.
  SchedulerEffects peer_up(NodeId peer, Time now);
  SchedulerEffects peer_down(NodeId peer, Time now);
  SchedulerEffects peer_unreachable(NodeId peer, Time now);
  SchedulerEffects peer_record(const Record& record, Time now); // New statement of a peer.
  SchedulerEffects peer_forgotten(NodeId peer, Time now);
  SchedulerEffects rtt_measured(NodeId peer, Duration rtt, Time now);
  SchedulerEffects receive(NodeId from, const Message& message, Time now); // StealAsk, Grant.

  // As if it had no slots: asks nobody, gives all, and takes no more than what jobs rooted here
  // have to merge and finish, a piece at a time.
  SchedulerEffects pause(Time now);
  SchedulerEffects resume(Time now);
  SchedulerEffects leave(Time now); // For good, and nothing more is taken.

  std::optional<Time> next_wake() const;
  SchedulerEffects wake(Time now);

  OwnLoad load() const;

private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
};

} // namespace tessera
