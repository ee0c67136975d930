#pragma once

#include <cstdint>
#include <wasmtime.h>

// Linear memories of our own making, for one difference: where this machine has no memory left for
// one to grow, we hear of it. A module that is told no by a machine, and not by its job's limit,
// would give other bytes here than elsewhere; its call must fail.
namespace tessera::wasm {

// Makes all memories of an engine. Each reserves what the engine asks for, with a guard on both
// sides, so that it never moves. `refusals` counts those that the machine refused, and outlives the
// engine; one thread at a time.
void set_memory_maker(wasm_config_t* config, std::uint64_t* refusals);

} // namespace tessera::wasm
