#pragma once

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"
#include "net/message.hpp"

#include <functional>

// `tessera run --local`: a module's job without a mesh. The command line says what to run and shows
// what came of it; main supplies who runs it.
namespace tessera {

struct LocalTask {
  JobSpec spec; // Kernel, params, items, leaf_items; its inputs are these:
  Bytes module, module_params, data, state;
};

struct LocalReport {
  Bytes result;
  std::uint64_t microtasks = 0;   // Of all rounds.
  double seconds = 0;             // Of one slot, for all of them and their merges.
  std::uint64_t fuel = 0;         // 0: not counted.
  std::uint64_t memory_bytes = 0; // Of the module, at its largest.
  std::uint64_t leaf_items = 0;   // Suggested: a microtask of about a millisecond.
  std::uint64_t rounds = 0;       // Of a job of rounds.
  std::uint64_t tasks = 0;        // Of a tree job.
  std::uint64_t calls = 0;        // Of the module, for all of them and their merges...
  std::uint64_t calls_again = 0;  // ...and how many ran a second time, for a NaN.
};

using LocalProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;
// In rounds, each of them. E740: bytes depend on the order of the microtasks, or on what ran before
// in an instance; the first that differs is named. Else what workers say (E5xx, E7xx).
using RunLocal = std::function<Result<LocalReport>(const LocalTask&, const LocalProgress&)>;

} // namespace tessera
