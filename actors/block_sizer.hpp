#pragma once

#include "net/time.hpp"

#include <algorithm>
#include <cstdint>

// How many leaves one piece of work should have: measured, starting from a single leaf, so that a
// block takes about as long as asked whatever a leaf costs.
namespace tessera {

class BlockSizer {
public:
  explicit BlockSizer(Duration target)
      : target_ns_(double(std::chrono::nanoseconds(target).count())) {}

  // `ns` of a slot's time for this block. Leaf costs differ: newer blocks weigh more.
  void ran(std::uint64_t leaves, double ns) {
    ns_ = ns_ * old_weight + std::max(ns, 1.0);
    leaves_ = leaves_ * old_weight + double(leaves);
    if (leaves > grown_ / growth)
      grown_ = leaves > most / growth ? most : std::max(grown_, leaves * growth);
  }

  bool known() const { return leaves_ > 0; }
  double leaf_ns() const { return leaves_ > 0 ? ns_ / leaves_ : leaf_ns_guess; }

  // Near the end of the queue blocks shrink, so that all slots end together; but not to crumbs.
  std::uint64_t block(std::uint64_t queued, std::uint32_t slots) const {
    const auto whole = std::max(1.0, std::min(target_ns_ / leaf_ns(), double(most)));
    const auto even = std::max(double(queued) / (2.0 * slots), whole / 16);
    return std::clamp<std::uint64_t>(std::uint64_t(std::min(whole, even)), 1, grown_);
  }

private:
  static constexpr double old_weight = 0.75;   // A guess.
  static constexpr double leaf_ns_guess = 1e6; // Before the first is measured.
  static constexpr std::uint64_t growth = 8;   // From one block to the next, at most.
  static constexpr std::uint64_t most = 1ull << 40;

  double target_ns_;
  double ns_ = 0, leaves_ = 0;
  std::uint64_t grown_ = 1;
};

} // namespace tessera
