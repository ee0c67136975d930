#pragma once

#include "actors/messages_actor.hpp"

#include <caf/actor_clock.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>

#include <algorithm>
#include <optional>

// What every shell does: ask the clock, and wake its machine when it wants to.
namespace tessera {

template<class Self>
Time now(Self self) {
  return self->clock().now();
}

// A wake-up that comes too early is harmless, so none is ever cancelled.
template<class Self, class Machine>
void arm(Self self, std::optional<Time>& armed, const Machine& machine) {
  const auto due = machine.next_wake();
  if (!due || (armed && *armed <= *due))
    return;
  armed = due;
  self->delayed_send(self, std::max(Duration::zero(), *due - now(self)), wake_atom_v);
}

template<class... Args>
void tell(const caf::actor& whom, Args&&... args) {
  if (whom) // Not wired yet, or dead: as good as a message lost.
    caf::anon_send(whom, std::forward<Args>(args)...);
}

} // namespace tessera
