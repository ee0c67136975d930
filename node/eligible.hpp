#pragma once

#include "crypto/result.hpp"
#include "net/message.hpp"

#include <optional>
#include <string>
#include <vector>

// Which of the nodes known here can run a job, and what the others lack: pure functions of their
// records.
namespace tessera {

enum class Fit : std::uint8_t { able, paused, no_slots, memory, arch, kernel, leaving };

Fit fit_of(const JobSpec& spec, const Record& record);

struct Eligible {
  std::size_t nodes = 0; // Of all.
  std::size_t able = 0, paused = 0, no_slots = 0, memory = 0, arch = 0, kernel = 0;
  std::uint32_t slots_free = 0; // Of the able.

  bool ever() const { return able + paused > 0; } // Once they are resumed.
};

// Who leaves does not count.
Eligible eligible_of(const JobSpec& spec, const std::vector<Record>& nodes);

std::string lacks_of(const JobSpec& spec,
                     const Eligible& eligible); // "3 have less than 4 GiB, ..."

// E601, unless somebody can, at least later. Of a job that requires nothing it is not asked: it
// waits for nodes, as it always did.
std::optional<Error> nobody_can(const JobSpec& spec, const Eligible& eligible);

} // namespace tessera
