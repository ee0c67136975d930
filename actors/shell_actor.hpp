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

// None is ever cancelled: one that a sooner one has overtaken is stale when it comes.
template<class Self>
void arm(Self self, std::optional<Time>& armed, std::optional<Time> due) {
  if (!due || (armed && *armed <= *due))
    return;
  armed = due;
  self->delayed_send(self, std::max(Duration::zero(), *due - now(self)), wake_atom_v);
}

// Whether a wake-up is one to heed. Stale ones are not, or each would arm a successor for ever.
template<class Self>
bool woken(Self self, std::optional<Time>& armed) {
  const bool due = armed && *armed <= now(self);
  if (due)
    armed.reset();
  return due;
}

template<class... Args>
void tell(const caf::actor& whom, Args&&... args) {
  if (whom) // Not wired yet, or dead: as good as a message lost.
    caf::anon_send(whom, std::forward<Args>(args)...);
}

} // namespace tessera
