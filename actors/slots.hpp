#pragma once

#include "crypto/digest.hpp"
#include "net/message.hpp"
#include "net/time.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

// The scheduler's book of its worker slots: what was asked of jobs for each, what each has in its
// care, and when it will have nothing to do. Slots' numbers come from elsewhere: one that there is
// none of changes nothing.
namespace tessera {

class Slots {
public:
  explicit Slots(std::uint32_t count) : all_(count) {} // At least 1.

  // --- Jobs' side.
  void asked(std::uint32_t slot, const JobId& job); // For a piece of work.
  // `piece`: how long it should take; nothing: the job had none. False: it was not asked.
  bool answered(std::uint32_t slot, const JobId& job, std::optional<Duration> piece, Time now);
  void forget(const JobId& job); // It will not answer any more.

  // --- Slots' side.
  void freed(std::uint32_t slot, Time now); // A piece of work is over.
  void reset(std::uint32_t slot);           // Its worker died; nothing is in its care.

  // Pieces of work, those asked for included.
  std::size_t care(std::uint32_t slot) const { return all_[slot].care(); }
  std::uint32_t least_busy() const;
  std::uint32_t idle() const; // How many have nothing in their care.

  // How long the slots together will have nothing to do in the span ahead, but for what is queued.
  Duration idle_in(Duration span, Time now) const;
  // When a slot's end comes near enough to make idle_in more than nothing.
  std::optional<Time> dry_at(Duration span, Time now) const;

private:
  struct Slot {
    std::vector<JobId> asked;  // Without an answer.
    std::deque<Duration> held; // Pieces of work in its care, as long as they should take.
    Time since{};              // The first of them runs.
    std::uint32_t early = 0;   // Over before the job said that they were taken.

    std::size_t care() const;
    Duration left(Time now) const; // Until it has nothing to do.
    bool overdue(Time now) const { return !held.empty() && now - since >= held.front(); }
    void hold(Duration piece, Time now);
  };
  std::vector<Slot> all_;
};

} // namespace tessera
