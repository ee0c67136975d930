#pragma once

#include "net/message.hpp"
#include "node/cli/local.hpp"
#include "node/owner/policy.hpp"
#include "node/paths.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

// The command line: parses, talks to a running node's API, prints. `start` alone runs a node, which
// main supplies.
namespace tessera {

inline constexpr std::uint16_t default_port = 7700;

struct StartOptions {
  Paths paths;
  std::vector<Address> seeds;
  Address listen{"0.0.0.0", default_port};
  bool listen_given = false;  // Otherwise another port is tried when the default one is in use.
  std::uint16_t api_port = 0; // On 127.0.0.1; 0: any.
  bool open = false;
  std::string invite; // "tess1..."; empty: none.
  std::optional<std::uint32_t>
      slots; // Default: all cores but one, at least one. 0: submits and serves, runs nothing.
  std::string name;                                    // Default: the host's name.
  std::uint64_t memory_bytes = std::uint64_t{1} << 30; // Of one worker.
  std::uint64_t blob_quota_bytes = std::uint64_t{8} << 30;
  bool wasm = true;                     // Whether modules of others may run here.
  std::uint32_t cpu_percent = 100;      // Of one processor, for each worker.
  std::uint64_t memory_total_bytes = 0; // Of all workers; in memory_bytes already. 0: no bound.
  std::uint64_t upload_bytes = 0, download_bytes = 0; // A second, of all sessions. 0: no bound.
  PolicySettings when;
  std::chrono::seconds results_keep = std::chrono::hours(24);
  std::chrono::seconds blobs_keep = std::chrono::hours(24 * 7);
  std::filesystem::path system_root = "/"; // Of /proc, /sys and /dev.
  bool json = false;
};

// Runs a node until it is told to stop; its exit code.
using StartNode = std::function<int(const StartOptions&)>;

// Whole process: parse, do, print; answers the exit code, 0 (ok) to 8 (nothing can run it).
int run_cli(int argc, char** argv, const StartNode& start, const RunLocal& local = {});

} // namespace tessera
