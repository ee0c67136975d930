#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

// The bytes that all sessions of a node hold together: messages that came and are not let go yet,
// messages that are half here, and what waits to go. No session has a part of its own; each may
// hold, of what came and of what waits to go, as much as is free just then (dynamic thresholds:
// Choudhury, Hahne 1998). So n that want all of it get 1/(n+1) each, and as much stays free for the
// next one; and however full it is, each may hold share_bytes_min. Past its share a session reads
// no more, or refuses to send: nothing is dropped that was taken, nobody is closed.
//
// What cannot be refused still counts: a message that is half here (one of each lane, of at most
// message_bytes_max), and what one read brings. With n sessions at most bytes_max and
// n * (2 * (share_bytes_min + message_bytes_max) + one read) are held.
namespace tessera {

class Budget {
public:
  // Both are guesses: an eighth of what the smallest node that we think of has, of which 512
  // sessions can use a half at least.
  static constexpr std::size_t bytes_max_default = 256 << 20;
  static constexpr std::size_t share_bytes_min_default = 256 << 10;

  explicit Budget(std::size_t bytes_max = bytes_max_default,
                  std::size_t share_bytes_min = share_bytes_min_default)
      : bytes_max_(bytes_max), share_bytes_min_(share_bytes_min) {}

  std::size_t used() const { return used_; }
  // What one session may hold now of either kind.
  std::size_t share_bytes_max() const;

  // What one holder has of it; given back at the end of its life. Without a budget: no bound.
  class Share {
  public:
    Share() = default;
    explicit Share(std::shared_ptr<Budget> budget) : budget_(std::move(budget)) {}
    Share(Share&& other) noexcept;
    Share& operator=(Share&& other) noexcept;
    ~Share() { hold(0); }

    void hold(std::size_t bytes); // So much from now on. Never refused: ask first.
    bool may_hold(std::size_t bytes) const {
      return !budget_ || bytes <= budget_->share_bytes_max();
    }

  private:
    std::shared_ptr<Budget> budget_;
    std::size_t bytes_ = 0;
  };

private:
  const std::size_t bytes_max_, share_bytes_min_;
  std::atomic<std::size_t> used_ = 0; // Owners let go of messages on any thread.
};

} // namespace tessera
