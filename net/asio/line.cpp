#include "net/asio/line.hpp"

#include "net/asio/pump.hpp"
#include "net/lanes.hpp"

#include <asio/post.hpp>

namespace tessera {

bool Line::send(Bytes message, Lane lane) {
  const std::lock_guard lock{mutex_};
  const auto cost = message.size() + message_overhead_bytes;
  if (state_ != State::open || message.size() > limits_.message_bytes_max ||
      outbox_bytes_ + cost > limits_.outbox_bytes_max || !queued_.may_hold(outbox_bytes_ + cost))
    return false;
  outbox_bytes_ += cost;
  requests_.bytes += cost;
  queued_.hold(requests_.bytes);
  requests_.messages.emplace_back(std::move(message), lane);
  wake_pump();
  return true;
}

void Line::consumed(std::size_t bytes, Lane lane) {
  const std::lock_guard lock{mutex_};
  if (state_ == State::shut)
    return;
  (lane == Lane::bulk ? requests_.bulk_consumed : requests_.control_consumed) += bytes;
  wake_pump();
}

void Line::close(std::string why) {
  const std::lock_guard lock{mutex_};
  if (state_ == State::shut || requests_.close)
    return;
  requests_.close = std::move(why);
  wake_pump();
}

void Line::wake_pump() {
  if (std::exchange(woken_, true))
    return;
  asio::post(io_, [pump = pump_] {
    if (const auto p = pump.lock())
      p->serve();
  });
}

Line::Requests Line::take() {
  const std::lock_guard lock{mutex_};
  woken_ = false;
  queued_.hold(0);
  return std::exchange(requests_, {});
}

void Line::join(std::weak_ptr<Pump> pump) {
  const std::lock_guard lock{mutex_};
  pump_ = std::move(pump);
}

void Line::connected(std::string remote) {
  const std::lock_guard lock{mutex_};
  remote_ = std::move(remote);
}

void Line::opened() {
  const std::lock_guard lock{mutex_};
  state_ = State::open;
}

void Line::show(const Session& state) {
  const std::lock_guard lock{mutex_};
  outbox_bytes_ = state.outbox_bytes() + requests_.bytes;
  rtt_ = state.rtt();
  counters_ = state.counters();
}

void Line::shut() {
  const std::lock_guard lock{mutex_};
  state_ = State::shut;
  requests_ = {};
  queued_.hold(0);
}

void Line::keep(Budget::Share unreturned) {
  const std::lock_guard lock{mutex_};
  unreturned_ = std::move(unreturned);
}

std::optional<Duration> Line::rtt() const {
  const std::lock_guard lock{mutex_};
  return rtt_;
}

Session::Counters Line::counters() const {
  const std::lock_guard lock{mutex_};
  return counters_;
}

std::string Line::remote() const {
  const std::lock_guard lock{mutex_};
  return remote_;
}

} // namespace tessera
