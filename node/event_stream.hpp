#pragma once

#include "node/event_log.hpp"

#include <deque>

// One follower's way through the event log: which events are for it, what waits until it has read
// what is on its way, and what it is told when it cannot keep up. A machine.
//
//   fresh --snapshot--> flowing --queue full--> behind --it reads again: resync--> fresh
//      \--resumed------>
namespace tessera {

struct EventStreamConfig {
  Topics topics;
  std::string job = {}; // Of topics jobs and work, only this job's. Empty: all.
  std::size_t queue_bytes_max = 256 * 1024;
  std::size_t piece_bytes_max = 64 * 1024; // What is on its way at a time.
  Duration beat_every = std::chrono::seconds(10);
};

class EventStream {
public:
  EventStream(EventStreamConfig config, Time now);

  // --- What comes.
  // The state with all events up to `id`. `frame` is shared by all who get the same.
  void snapshot(std::uint64_t id, std::shared_ptr<const std::string> frame);
  // Goes on behind `id`: all that came since, as the log has it. Instead of the first snapshot.
  void resumed(std::uint64_t id, const Events& since);
  // It wanted to go on behind an event that is no longer in the log: before its snapshot it is
  // told.
  void gone();
  void came(const Events& batch);

  // --- What goes.
  // Once, when a snapshot is needed.
  bool take_wish();
  // The reader has read all so far: what is next. Empty: wait.
  std::string take(Time now);
  std::optional<Time> next_wake() const; // Something is to be sent then, a heartbeat at least.

private:
  enum class State { fresh, flowing, behind };
  using Frame = std::shared_ptr<const std::string>;

  bool wants(const Event& event) const;
  void queue(Frame frame);
  void fall_behind();

  EventStreamConfig config_;
  State state_ = State::fresh;
  bool wish_ = true;
  std::uint64_t seen_ = 0; // The last event, for us or not.
  std::deque<Frame> queue_;
  std::size_t bytes_ = 0;
  Time beat_at_;
};

} // namespace tessera
