#pragma once

#include "actors/job_view.hpp"
#include "node/eligible.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

// What a job waits for: a few lines for people, each from how things are at this moment. A pure
// function of what its root sees.
namespace tessera {

struct WhyView {
  JobView job;
  std::vector<Record> nodes;     // All known, the root's own first.
  std::vector<JobStatus> others; // Unended jobs that the root has a hand in, but for this one.
  bool root_paused = false;
  std::int64_t now_ms = 0; // Unix time.
  std::function<std::string(const NodeId&)> name;
};

struct Why {
  std::vector<std::string> lines; // The most important first.
  std::string fix;                // A command, or what else to do; empty: nothing needs doing.
  double rate = 0;                // Microtasks a second, since it was begun.
  std::optional<std::uint64_t> eta_ms;
};

Why why(const WhyView& view);
nlohmann::json why_json(const WhyView& view);
nlohmann::json log_json(const JobStatus& status, const LogEntries& log);

} // namespace tessera
