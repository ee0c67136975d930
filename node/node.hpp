#pragma once

#include "actors/messages_actor.hpp"
#include "node/cli/cli.hpp"

#include <memory>

namespace tessera {

// A node in this process: folder, keys, zygote, sockets, and the actors. It forks the zygote when
// made: make it before any thread.
class Node {
public:
  struct Parts;

  // The exit code is 2 where the options cannot be meant, else 1.
  struct CannotStart {
    Error why;
    int code = 1;
  };
  explicit Node(const StartOptions& options); // Throws CannotStart.
  ~Node();

  int run(); // Until SIGTERM, SIGINT, POST /v1/stop or a fault that it cannot mend; the exit code.
  WiringPtr wiring() const;

private:
  std::unique_ptr<Parts> parts_;
};

// Start, run, and tell on stderr why it could not.
int run_node(const StartOptions& options);

} // namespace tessera
