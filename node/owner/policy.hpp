#pragma once

#include "net/time.hpp"
#include "node/owner/hours.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// When a machine is there for others: while nobody uses it, on mains, in given hours; each only
// where its owner asks for it. A machine: readings and two clocks in, a verdict out.
//
// It stops at once and begins again late: an idle machine is one that has been so for `idle`, and
// mains must have been there for a while. So nothing flickers.
namespace tessera {

struct PolicySettings {
  Duration idle{}; // Zero: whether anybody uses the machine does not matter.
  bool mains = false;
  std::vector<Hours> hours; // None: at any.

  bool any() const { return idle > Duration::zero() || mains || !hours.empty(); }
};

// What the machine says of itself; nothing where it does not tell.
struct Readings {
  std::optional<bool> on_mains;
  std::optional<Duration> since_input;  // By whichever source heard somebody last.
  std::optional<double> cores_used;     // By others, in the foreground, since the last reading.
  std::vector<std::string> input_heard; // "logind", "terminals": those sources that tell.
};

struct Verdict {
  bool may_run = true;
  std::string why;                      // "on battery"; empty: it may run.
  std::optional<std::int64_t> until_ms; // Unix time: when that is over if nothing else happens.

  bool operator==(const Verdict&) const = default;
};

class Policy {
public:
  // Guesses. A desktop that nobody uses takes less of one core in the foreground.
  static constexpr double cores_used_max = 0.25;
  static constexpr Duration mains_settle = std::chrono::seconds(10);

  explicit Policy(PolicySettings settings) : settings_(std::move(settings)) {}

  Verdict judge(const Readings& readings, std::int64_t unix_ms, Time now);

  // What is looked at, and what this machine does not tell: "idle by terminals, processor use".
  std::string sources(const Readings& readings) const;

private:
  std::optional<Verdict> by_hours(std::int64_t unix_ms) const;
  std::optional<Verdict> by_mains(const Readings& readings, Time now);
  std::optional<Verdict> by_use(const Readings& readings, std::int64_t unix_ms, Time now);

  PolicySettings settings_;
  std::optional<Time> used_at_;    // Somebody did something.
  std::optional<Time> battery_at_; // It ran on its battery.
};

} // namespace tessera
