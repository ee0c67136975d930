#pragma once

#include "node/cli/cli.hpp"

namespace tessera {

// Runs a node in this process until it is told to stop (SIGTERM, SIGINT, POST /v1/stop) or must
// end. Call before any thread was made: it forks the zygote. Answers the exit code, and tells why
// on stderr.
int run_node(const StartOptions& options);

} // namespace tessera
