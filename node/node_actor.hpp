#pragma once

#include "actors/job_actor.hpp"
#include "actors/mesh_actor.hpp"
#include "actors/rounds_actor.hpp"
#include "actors/scheduler_actor.hpp"
#include "node/api_actor.hpp"
#include "node/policy_actor.hpp"
#include "node/slot_actor.hpp"
#include "node/store_actor.hpp"

#include <deque>
#include <functional>
#include <mutex>

// Spawns all other actors of a node, starts those again that died, and ends the process when one
// keeps dying.
namespace tessera {

// The wiring of now, for those outside who make actors or talk to one: the Asio thread.
class Switchboard {
public:
  WiringPtr wiring() const {
    const std::lock_guard lock{mutex_};
    return wiring_;
  }
  void set(WiringPtr wiring) {
    const std::lock_guard lock{mutex_};
    wiring_ = std::move(wiring);
  }

private:
  mutable std::mutex mutex_;
  WiringPtr wiring_ = std::make_shared<const Wiring>();
};

struct NodeSetup {
  StoreSetup store;
  SchedulerConfig scheduler;
  JobConfig job;
  MeshSetup mesh;
  ApiSetup api;
  std::vector<SlotSetup> slots;
  std::shared_ptr<Switchboard> board;
  std::optional<Pause> pause;        // The owner's word, as it was saved.
  std::optional<PolicySetup> policy; // None: he asks for nothing.
  std::function<void(const std::string& what)> log;
  std::function<void(std::optional<Error> why)> ended; // Once; nothing: it left in good order.
};

struct NodeShell {
  static inline const char* name = "node";
  ~NodeShell(); // All children go with it, and the process; sessions see to themselves.

  NodeSetup setup;
  Wiring wiring;
  caf::actor policy;
  std::optional<Pause> by_owner, by_policy;        // In this order.
  std::map<caf::actor_addr, std::string> children; // And what each is, as in the log.
  std::map<caf::actor_addr, caf::actor> sessions;
  struct KnownJob {
    caf::actor actor;
    bool root = false;
    JobId parent; // Of a round.
  };
  std::map<JobId, KnownJob> jobs;
  std::map<std::string, std::deque<Time>> deaths; // Of each child, in the last minute.
  std::uint64_t mesh_starts = 0;
  std::optional<Time> armed; // For the end of a pause.
  bool leaving = false, left = false, over = false;
};

caf::behavior node_actor(caf::stateful_actor<NodeShell>* self, NodeSetup setup);

} // namespace tessera
