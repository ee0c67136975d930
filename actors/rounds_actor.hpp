#pragma once

#include "actors/rounds.hpp"
#include "actors/shell_actor.hpp"
#include "net/wire/codec.hpp"

// The shell of a job of rounds, at its root.
namespace tessera {

struct RoundsOpening {
  NodeId self;
  SpecPtr spec;
  JobStatus told; // From the journal; without a round: the job is new.
  std::shared_ptr<const Codec> codec;
  std::int64_t unix_ms_at_zero = 0;
  LogEntries log = {};
};

struct RoundsShell {
  static inline const char* name = "rounds";
  std::optional<Rounds> rounds;
  RoundsOpening opening;
  WiringPtr wiring;
  std::optional<Time> armed;
  std::optional<BeginRound> beginning; // Asked of the store, not answered yet.
  std::optional<JournalEnd> ended;
  bool told_soon = false; // A status is on its way to the api.
};

caf::behavior rounds_actor(caf::stateful_actor<RoundsShell>* self, RoundsOpening opening,
                           WiringPtr wiring);

} // namespace tessera
