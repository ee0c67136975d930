#include "node/eligible.hpp"

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

Eligible eligible_of(const JobSpec& spec, const std::vector<Record>& nodes) {
  Eligible eligible;
  for (const auto& record : nodes) {
    const auto fit = fit_of(spec, record);
    eligible.nodes += fit != Fit::leaving;
    eligible.able += fit == Fit::able;
    eligible.paused += fit == Fit::paused;
    eligible.no_slots += fit == Fit::no_slots;
    eligible.memory += fit == Fit::memory;
    eligible.arch += fit == Fit::arch;
    eligible.kernel += fit == Fit::kernel;
    if (fit == Fit::able)
      eligible.slots_free += record.slots_free;
  }
  return eligible;
}

std::string lacks_of(const JobSpec& spec, const Eligible& eligible) {
  std::string text;
  const auto say = [&](std::size_t n, const std::string& one, const std::string& many) {
    if (n > 0)
      text += (text.empty() ? "" : ", ") + std::to_string(n) + " " + (n == 1 ? one : many);
  };
  const auto memory = "less than " + cli::bytes(spec.require.memory_bytes) + " for a worker";
  say(eligible.memory, "has " + memory, "have " + memory);
  say(eligible.arch, "is not " + spec.require.arch, "are not " + spec.require.arch);
  say(eligible.kernel, "does not run " + spec.kernel, "do not run " + spec.kernel);
  say(eligible.paused, "is paused", "are paused");
  say(eligible.no_slots, "has no slots", "have no slots");
  return text;
}

std::optional<Error> nobody_can(const JobSpec& spec, const Eligible& eligible) {
  if (!spec.require.any() || eligible.ever())
    return std::nullopt;
  return Error{"E601",
               "0 of " + std::to_string(eligible.nodes) +
                   (eligible.nodes == 1 ? " node can run this" : " nodes can run this"),
               lacks_of(spec, eligible),
               "require less, or let it wait for a node that can: --wait-for-peers"};
}

} // namespace tessera
