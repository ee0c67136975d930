#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

// A job's progress, seen now and then: rate over the last seconds, time to go, a bar.
namespace tessera::cli {

struct Seen {
  std::uint64_t at_ms = 0;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::uint64_t peers = 0;
};

class Progress {
public:
  void see(const Seen& seen);
  double rate() const; // Microtasks a second; 0: not known yet.
  std::optional<std::uint64_t> seconds_to_go() const;
  std::string bar() const;  // "[##########......] 66 %  2710/4096  430/s  3 peers  ETA 3 s"
  std::string line() const; // The same without the bar, for a log.

private:
  std::deque<Seen> seen_; // Of the last 10 s, the newest behind; at most 64.
};

} // namespace tessera::cli
