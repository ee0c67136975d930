#pragma once

#include "node/cli/progress.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

// What `watch` shows: from what the node said to the lines of a screen. Pure, so that tests see
// them.
namespace tessera::cli {

struct WatchView {
  nlohmann::json status;                    // As GET /v1/status says it.
  std::vector<nlohmann::json> peers;        // As in GET /v1/peers.
  std::vector<nlohmann::json> jobs;         // As in GET /v1/jobs; of one job that alone.
  nlohmann::json why;                       // Of one job: as its /why says it, else null.
  std::map<std::string, Progress> progress; // By job.
  bool one = false;                         // Shown in detail.
  std::string trouble;                      // Why the last look failed; empty: it did not.
  std::vector<std::string> notes;           // Of lines lost and found since the last look.

  void see(std::uint64_t at_ms); // The jobs as they are now, for their rates.
};

struct WatchSize {
  std::size_t width = 80, height = 24;
  bool colour = false;
};

// At most `height` lines, each of at most `width` cells (but for colours).
std::vector<std::string> watch_lines(const WatchView& view, const WatchSize& size);

// The same for a log: one line for each job that runs, or whose state is news.
std::string watch_line(const WatchView& view, const nlohmann::json& job);

} // namespace tessera::cli
