#pragma once

#include "node/owner/logind.hpp"
#include "node/owner/policy.hpp"

#include <filesystem>
#include <map>
#include <sys/types.h>

// Reads what a Linux machine says of its use and its power, below a root of its /proc, /sys, /dev
// and /run: a few small files, and two words with logind.
namespace tessera {

class Machine {
public:
  // `own`: the processes whose use is ours, with their children; the first is this one.
  explicit Machine(std::filesystem::path root, std::vector<pid_t> own = {})
      : root_(std::move(root)), own_(std::move(own)),
        logind_(root_ / "run/dbus/system_bus_socket") {}

  Readings read(std::int64_t unix_ms, Time now);

private:
  std::optional<bool> on_mains() const;
  std::optional<Duration> since_terminal(std::int64_t unix_ms) const;
  std::optional<double> cores_used(Time now);
  std::uint64_t own_ticks();

  std::filesystem::path root_;
  std::vector<pid_t> own_;
  Logind logind_;
  std::map<pid_t, std::uint64_t> ticks_; // Of ours, when they were read last.
  std::uint64_t all_ticks_ = 0;          // Of everybody, in the foreground.
  std::optional<Time> read_at_;
};

} // namespace tessera
