#pragma once

#include <cstdint>

// A worker that takes no more of a processor than its owner allows: each few milliseconds of its
// own processor time a signal comes, and its handler sleeps until as much of the clock's time has
// gone by as that allows. So it holds within one long call of a module, too, and what waits for the
// processor anyway is not made to wait again.
namespace tessera {

// 1 to 99; otherwise nothing happens. Once, before the sandbox closes.
void hold_processor_to(std::uint32_t percent);

} // namespace tessera
