#pragma once

#include "actors/shell_actor.hpp"
#include "node/event_stream.hpp"
#include "node/messages_actor.hpp"

// The shell of one follower's event stream: between the api, which has the log, and the server,
// which asks for a piece when the one before was written. Ends with its client or with the api.
namespace tessera {

struct StreamShell {
  static inline const char* name = "stream";
  std::optional<EventStream> stream;
  std::optional<Time> armed;
  caf::actor api;
  std::function<void(std::shared_ptr<const Bytes>)> give; // The server waits.
};

caf::behavior stream_actor(caf::stateful_actor<StreamShell>* self, EventStreamConfig config,
                           caf::actor api);

// What the server pulls from. With its last copy the stream ends.
std::shared_ptr<HttpReply::Stream> body_of(const caf::actor& stream);

} // namespace tessera
