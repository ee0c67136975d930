#include "actors/steal.hpp"

#include <algorithm>
#include <cmath>

namespace tessera {
namespace {

constexpr double speed_max = 1e9;         // A claim above is a lie: 2024's fastest do about 1e3.
constexpr std::uint32_t slots_max = 4096; // Likewise.
constexpr double share_max = 0.5;

} // namespace

double power_of(double speed, std::uint32_t slots) {
  if (!(speed > 0) || speed > speed_max || slots > slots_max) // NaN fails the first.
    return 0;
  return speed * slots;
}

double steal_share(double victim_power, double thief_power) {
  if (!(thief_power > 0))
    return 0;
  if (!(victim_power > 0))
    return 1;
  return std::min(share_max, thief_power / (thief_power + victim_power));
}

double steal_gain_ns(const Victim& victim, double thief_power) {
  const auto share = steal_share(power_of(victim.speed, victim.slots), thief_power);
  return share * double(victim.stealable_ns) / std::max<std::uint32_t>(1, victim.slots);
}

double steal_score(const Victim& victim, double thief_power) {
  const auto gain = steal_gain_ns(victim, thief_power);
  const auto rtt = std::max(
      1.0, double(std::chrono::duration_cast<std::chrono::nanoseconds>(victim.rtt).count()));
  return gain / (gain + rtt);
}

std::optional<NodeId> pick_victim(const std::vector<Victim>& victims, double thief_power,
                                  std::size_t sample, std::mt19937_64& dice) {
  std::optional<NodeId> best;
  double best_score = -1;
  for (std::size_t i = 0; i < sample && !victims.empty(); ++i) {
    const auto& victim = victims[dice() % victims.size()];
    if (const auto score = steal_score(victim, thief_power); score > best_score) {
      best_score = score;
      best = victim.node;
    }
  }
  return best;
}

} // namespace tessera
