#pragma once

#include "crypto/identity.hpp"
#include "net/time.hpp"

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

// Whom to ask for work, and how much to give: pure functions of what records and asks say
// (architecture 4.3). What they say is a peer's claim, so anything out of range counts as nothing.
namespace tessera {

// What a node can do in a second: speed times slots. 0 for claims that make no sense.
double power_of(double speed, std::uint32_t slots);

// The part of a victim's queue that goes to a thief: by their powers, at most half. A victim
// without power keeps nothing; a thief without power gets nothing.
double steal_share(double victim_power, double thief_power);

struct Victim {
  NodeId node;
  std::uint64_t stealable_ns = 0; // In its own slot time.
  double speed = 0;
  std::uint32_t slots = 0;
  Duration rtt{}; // One round trip, a dial's included where there is no session.
};

// The time that the victim is rid of when the thief takes its share, in ns.
double steal_gain_ns(const Victim& victim, double thief_power);

// gain / (gain + RTT): 0 ... 1.
double steal_score(const Victim& victim, double thief_power);

// The best of `sample` dice throws among all. Throws may fall on one twice, so that not even among
// few is the best of all always asked: stale records would make a herd of the thieves.
std::optional<NodeId> pick_victim(const std::vector<Victim>& victims, double thief_power,
                                  std::size_t sample, std::mt19937_64& dice);

} // namespace tessera
