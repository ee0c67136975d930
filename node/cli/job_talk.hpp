#pragma once

#include "node/cli/api.hpp"
#include "node/cli/task_lines.hpp"
#include "node/cli/terminal.hpp"

#include <chrono>
#include <optional>
#include <string>

// One job, from its submission to its bytes on the disk.
namespace tessera::cli {

using Json = nlohmann::json;

std::string job_path(std::string_view job); // "/v1/jobs/7f3a"
std::string round_of(const Json& job);      // "round 3/100  "; of a tree job its tasks; else empty.

// Shows progress until the job ends; the job as it ended. E413: it still runs after `timeout`.
Json watch(Api& api, Terminal& terminal, const std::string& job,
           std::optional<std::chrono::seconds> timeout);

// While one lives, Ctrl-C ends the process at once, says that the job goes on, and leaves no
// unfinished file.
class DetachOnInterrupt {
public:
  DetachOnInterrupt(const Common& common, const std::string& job);
  DetachOnInterrupt(const DetachOnInterrupt&) = delete;
  ~DetachOnInterrupt();
};

// Throws the job's own error if it failed, E602 if it was cancelled.
void check_done(const Json& job);

// Microtasks, re-runs, seconds, and each node's share, on stderr.
void summarize(Terminal& terminal, const Json& job, const std::string& file);

// The result to `output`; without one, text to stdout and all else to a file named after the job.
struct Saved {
  std::string file; // Empty: it went to stdout.
  std::string text; // With `keep_text`: text that was asked for without -o.
  TaskLines tasks;  // Of a map of single tasks.
};
Saved save_result(Api& api, const Json& job, const std::string& output, bool keep_text);

} // namespace tessera::cli
