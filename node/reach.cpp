#include "node/reach.hpp"

#include "node/cli/terminal.hpp"

#include <algorithm>

namespace tessera {

Fit fit_of(const JobSpec& spec, const Record& record) {
  const auto kernel = spec.kernel + "@" + std::to_string(spec.kernel_version);
  if (record.leaving)
    return Fit::leaving;
  if (record.slots == 0)
    return Fit::no_slots;
  if (std::ranges::find(record.kernels, kernel) == record.kernels.end())
    return Fit::kernel;
  switch (lack(spec.require, record.worker)) {
  case Lack::memory:
    return Fit::memory;
  case Lack::arch:
    return Fit::arch;
  case Lack::nothing:
    break;
  }
  return record.paused ? Fit::paused : Fit::able;
}

Reach reach_of(const JobSpec& spec, const std::vector<Record>& nodes) {
  Reach reach;
  for (const auto& record : nodes) {
    const auto fit = fit_of(spec, record);
    reach.nodes += fit != Fit::leaving;
    reach.able += fit == Fit::able;
    reach.paused += fit == Fit::paused;
    reach.no_slots += fit == Fit::no_slots;
    reach.memory += fit == Fit::memory;
    reach.arch += fit == Fit::arch;
    reach.kernel += fit == Fit::kernel;
    if (fit == Fit::able)
      reach.slots_free += record.slots_free;
  }
  return reach;
}

std::string lacks_of(const JobSpec& spec, const Reach& reach) {
  std::string text;
  const auto say = [&](std::size_t n, const std::string& one, const std::string& many) {
    if (n > 0)
      text += (text.empty() ? "" : ", ") + std::to_string(n) + " " + (n == 1 ? one : many);
  };
  const auto memory = "less than " + cli::bytes(spec.require.memory_bytes) + " for a worker";
  say(reach.memory, "has " + memory, "have " + memory);
  say(reach.arch, "is not " + spec.require.arch, "are not " + spec.require.arch);
  say(reach.kernel, "does not run " + spec.kernel, "do not run " + spec.kernel);
  say(reach.paused, "is paused", "are paused");
  say(reach.no_slots, "has no slots", "have no slots");
  return text;
}

std::optional<Error> nobody_can(const JobSpec& spec, const Reach& reach) {
  if (!spec.require.any() || reach.ever())
    return std::nullopt;
  return Error{"E601",
               "0 of " + std::to_string(reach.nodes) +
                   (reach.nodes == 1 ? " node can run this" : " nodes can run this"),
               lacks_of(spec, reach),
               "require less, or let it wait for a node that can: --wait-for-peers"};
}

} // namespace tessera
