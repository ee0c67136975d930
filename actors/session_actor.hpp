#pragma once

#include "actors/shell_actor.hpp"
#include "net/wire/codec.hpp"

// The shell of one session: link news in, decoded messages to whom they are for; messages out,
// encoded.
namespace tessera {

struct SessionShell {
  ~SessionShell() {
    if (link)
      link->close("its actor ended"); // Unless it is closed already.
  }

  static inline const char* name = "session";
  std::shared_ptr<const Codec> codec;
  bool dialled = false;
  WiringPtr wiring;
  LinkPtr link;
  std::optional<PeerHello> peer;
  std::vector<SessionNews> early; // Came before the link itself did.
  bool violated = false;          // By a message: what follows it is not read.
};

// `dialled`: by us. Waits for a LinkPtr, then carries until SessionDown.
caf::behavior session_actor(caf::stateful_actor<SessionShell>* self,
                            std::shared_ptr<const Codec> codec, bool dialled, WiringPtr wiring);

} // namespace tessera
