#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

// What GET /metrics tells, in Prometheus's text format, by its C++ library. Values are set when
// somebody asks; only what has no value at a moment, such as how long jobs took, is kept here.
namespace tessera {

struct MetricValues {
  std::string version;
  // Of this node since its start.
  std::uint64_t microtasks = 0, microtasks_again = 0, merges = 0;
  std::uint64_t steals_in = 0, steals_out = 0; // Leases taken, and given.
  std::uint64_t leases_returned = 0, leases_reclaimed = 0, leases_void = 0;
  std::uint64_t results_duplicate = 0, results_overlap = 0, results_conflict = 0;
  std::uint64_t outputs_lost = 0, outputs_copied = 0;
  std::uint64_t sent_bytes = 0, received_bytes = 0, events = 0;
  std::map<std::pair<std::string, int>, std::uint64_t> requests; // By route and status.
  // Now.
  std::map<std::string, std::uint64_t> jobs; // Rooted here, by state.
  std::uint64_t peers = 0, sessions = 0, slots_running = 0, slots_free = 0, streams = 0;
  std::uint64_t blobs = 0, blob_bytes = 0, blob_quota_bytes = 0;
  bool paused = false;
};

class Metrics {
public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void job_ended(const std::string& state, double seconds);
  std::string text(const MetricValues& values); // And of this process.

private:
  struct Families;
  std::unique_ptr<Families> families_;
};

} // namespace tessera
