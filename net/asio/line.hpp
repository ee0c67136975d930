#pragma once

#include "net/asio/link.hpp"

#include <mutex>
#include <vector>

// The end of a link that its owners hold: what they ask for gathers here under a lock, and one post
// wakes the pump for all of it. Outlives its pump, and the io_context, in peace.
namespace tessera {

class Pump;

class Line final : public Link {
public:
  Line(asio::io_context& io, SessionLimits limits, std::string remote)
      : io_(io), limits_(limits), remote_(std::move(remote)) {}

  bool send(Bytes message, Lane lane) override;
  void consumed(std::size_t bytes, Lane lane) override;
  void close(std::string why) override;
  std::optional<Duration> rtt() const override;
  Session::Counters counters() const override;
  std::string remote() const override;

  // For the pump.
  struct Requests {
    std::vector<std::pair<Bytes, Lane>> messages;
    std::size_t bytes = 0; // What the messages will cost of the outbox.
    std::size_t control_consumed = 0, bulk_consumed = 0;
    std::optional<std::string> close;
  };
  Requests take();
  void join(std::weak_ptr<Pump> pump);
  void connected(std::string remote);
  void opened();                   // From here on messages are taken.
  void show(const Session& state); // What owners may read of it.
  void shut();                     // Nothing is taken any more.
  // Of a session that is gone, till the last message of it is let go: each holds its link.
  void keep(Budget::Share unreturned);

private:
  void wake_pump();

  enum class State { connecting, open, shut };

  mutable std::mutex mutex_; // Of all below.
  asio::io_context& io_;     // Touched only before shut().
  const SessionLimits limits_;
  State state_ = State::connecting;
  std::weak_ptr<Pump> pump_;
  Requests requests_;
  Budget::Share queued_{limits_.budget}, unreturned_;
  bool woken_ = false;           // A post is under way.
  std::size_t outbox_bytes_ = 0; // The session's, and what is on its way there.
  std::string remote_;
  std::optional<Duration> rtt_;
  Session::Counters counters_;
};

} // namespace tessera
