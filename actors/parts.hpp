#pragma once

#include "crypto/identity.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

// Which parts of a job were done, and by whom, for people who watch it grow. Told in few words:
// neighbours join.
namespace tessera {

struct PartSpan {
  std::uint64_t first = 0, leaves = 0;
  std::optional<NodeId> node; // Who ran it; nothing: several did.
  bool merged = false;

  std::uint64_t end() const { return first + leaves; }
  bool operator==(const PartSpan&) const = default;
};

struct StealSeen { // A lease granted.
  NodeId from, to;
  std::uint64_t leaves = 0;
};

inline constexpr std::size_t parts_told_max = 1024; // At a time; then they are told at once.

// Runs of one node that touch become one; a merge covers those that it is made of.
inline void add_part(std::vector<PartSpan>& parts, PartSpan next) {
  constexpr std::size_t looked_at_max = 16; // Newest first: what touches was done about now.
  for (auto looked = std::min(parts.size(), looked_at_max); looked > 0; --looked) {
    const auto last = parts.end() - std::ptrdiff_t(looked);
    if (last->merged != next.merged || last->node != next.node)
      continue;
    const bool inside = next.merged && next.first <= last->first && last->end() <= next.end();
    const bool touches = !next.merged && (last->end() == next.first || next.end() == last->first);
    if (!inside && !touches)
      continue;
    const auto end = std::max(next.end(), last->end());
    next.first = std::min(next.first, last->first);
    next.leaves = end - next.first;
    parts.erase(last);
  }
  parts.push_back(next);
}

} // namespace tessera
