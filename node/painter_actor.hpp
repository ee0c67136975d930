#pragma once

#include "actors/shell_actor.hpp"
#include "node/messages_actor.hpp"

// Draws the api's previews, on a thread of its own as gently as workers run: decoding and deflating
// take milliseconds that no actor's thread has. Ends with its api.
namespace tessera {

struct PainterShell {
  static inline const char* name = "painter";
};

caf::behavior painter_actor(caf::stateful_actor<PainterShell>* self, caf::actor api);

} // namespace tessera
