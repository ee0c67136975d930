#pragma once

#include "actors/shell_actor.hpp"
#include "node/messages_actor.hpp"
#include "node/owner/policy.hpp"

#include <functional>

// The shell of the owner's policy: looks at the machine each few seconds, and tells the node when
// the verdict is another. There is one only where the owner asks for any of it.
namespace tessera {

struct PolicySetup {
  PolicySettings settings;
  std::function<Readings(std::int64_t unix_ms, Time now)> read;
  std::function<std::int64_t()> unix_ms; // The clock on the wall, which may be set.
};

struct PolicyShell {
  static inline const char* name = "policy";
  PolicySetup setup;
  std::optional<Policy> policy;
  caf::actor node;
  std::optional<PolicySays> said;
};

caf::behavior policy_actor(caf::stateful_actor<PolicyShell>* self, PolicySetup setup,
                           caf::actor node);

} // namespace tessera
