#pragma once

#include "node/cli/local.hpp"

// Runs a module's job in a worker of this process, four times over: its microtasks upwards in one
// instance, downwards in another, shuffled with a fresh instance for each, and all in one call as
// a mesh would run a block. What comes out must be the same bytes. So each round, whose step is run
// in two instances.
namespace tessera {

Result<LocalReport> run_local(const LocalTask& task, const LocalProgress& progress);

} // namespace tessera
