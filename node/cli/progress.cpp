#include "node/cli/progress.hpp"

#include "node/cli/terminal.hpp"

#include <algorithm>
#include <cmath>

namespace tessera::cli {

namespace {

constexpr std::size_t seen_max = 64;
constexpr std::uint64_t window_ms = 10'000;
constexpr std::uint64_t bar_cells = 16;
constexpr double to_go_max = 1e9; // Seconds; beyond, nobody plans.

// 0 to `whole`; `whole` only when all is done.
std::uint64_t part(const Seen& s, std::uint64_t whole) {
  if (s.total == 0)
    return 0;
  return std::uint64_t(double(whole) * (double(std::min(s.done, s.total)) / double(s.total)));
}

} // namespace

void Progress::see(const Seen& seen) {
  if (!seen_.empty() && seen.done < seen_.back().done)
    seen_.clear(); // Done blocks were lost with their holders; the old rate says nothing.
  seen_.push_back(seen);
  while (seen_.size() > seen_max ||
         (seen_.size() > 2 && seen_.front().at_ms + window_ms < seen.at_ms))
    seen_.pop_front();
}

double Progress::rate() const {
  if (seen_.size() < 2 || seen_.back().at_ms <= seen_.front().at_ms)
    return 0;
  return 1000.0 * double(seen_.back().done - seen_.front().done) /
         double(seen_.back().at_ms - seen_.front().at_ms);
}

std::optional<std::uint64_t> Progress::seconds_to_go() const {
  const auto per_second = rate();
  if (per_second <= 0 || seen_.back().done > seen_.back().total)
    return {};
  const auto to_go = std::ceil(double(seen_.back().total - seen_.back().done) / per_second);
  return to_go > to_go_max ? std::nullopt : std::optional{std::uint64_t(to_go)};
}

std::string Progress::line() const {
  if (seen_.empty())
    return "";
  const auto& now = seen_.back();
  auto out = std::to_string(part(now, 100)) + " %  " + std::to_string(now.done) + "/" +
             std::to_string(now.total);
  if (const auto per_second = rate(); per_second > 0)
    out += per_second < 10 ? "  " + std::to_string(std::lround(per_second * 60)) + "/min"
                           : "  " + std::to_string(std::lround(per_second)) + "/s";
  out += "  " + std::to_string(now.peers) + (now.peers == 1 ? " peer" : " peers");
  if (const auto to_go = seconds_to_go())
    out += "  ETA " + seconds(*to_go * 1000);
  return out;
}

std::string Progress::bar() const {
  if (seen_.empty())
    return "";
  const auto full = part(seen_.back(), bar_cells);
  return "[" + std::string(full, '#') + std::string(bar_cells - full, '.') + "] " + line();
}

} // namespace tessera::cli
