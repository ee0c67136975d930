#include "node/event_stream.hpp"

namespace tessera {
namespace {

std::shared_ptr<const std::string> resync(std::string_view why) {
  const auto data = R"({"schema":1,"why":")" + std::string{why} + "\"}";
  return std::make_shared<const std::string>(event_frame({}, "resync", data));
}

} // namespace

EventStream::EventStream(EventStreamConfig config, Time now)
    : config_(std::move(config)), beat_at_(now + config_.beat_every) {}

bool EventStream::wants(const Event& event) const {
  if (!config_.topics.has(event.topic))
    return false;
  return config_.job.empty() || event.job.empty() || event.job == config_.job;
}

void EventStream::queue(Frame frame) {
  bytes_ += frame->size();
  queue_.push_back(std::move(frame));
}

// What waits would be old when it is read. It is dropped at once, for its memory.
void EventStream::fall_behind() {
  state_ = State::behind;
  queue_.clear();
  bytes_ = 0;
}

void EventStream::snapshot(std::uint64_t id, std::shared_ptr<const std::string> frame) {
  if (state_ != State::fresh)
    return;
  state_ = State::flowing;
  wish_ = false;
  seen_ = id;
  queue(std::move(frame));
}

void EventStream::resumed(std::uint64_t id, const Events& since) {
  state_ = State::flowing;
  wish_ = false;
  seen_ = id;
  came(since);
}

void EventStream::gone() {
  queue(resync("gone"));
}

void EventStream::came(const Events& batch) {
  if (state_ != State::flowing)
    return; // The snapshot will tell.
  for (const auto& event : batch) {
    if (event->id <= seen_)
      continue;
    const bool gap = event->id != seen_ + 1; // The log was too short for one batch.
    seen_ = event->id;
    if (gap)
      return fall_behind();
    if (!wants(*event))
      continue;
    // A snapshot of any size may wait, but nothing on top of it that is too much.
    if (bytes_ + event->frame.size() > config_.queue_bytes_max && !queue_.empty())
      return fall_behind();
    queue(Frame{event, &event->frame});
  }
}

bool EventStream::take_wish() {
  return state_ == State::fresh && std::exchange(wish_, false);
}

std::string EventStream::take(Time now) {
  if (state_ == State::behind) {
    state_ = State::fresh;
    wish_ = true;
    queue(resync("slow"));
  }
  std::string piece;
  while (!queue_.empty() &&
         (piece.empty() || piece.size() + queue_.front()->size() <= config_.piece_bytes_max)) {
    piece += *queue_.front();
    bytes_ -= queue_.front()->size();
    queue_.pop_front();
  }
  if (beat_at_ <= now) {
    piece += ": beat\n\n";
    beat_at_ = now + config_.beat_every;
  }
  return piece;
}

std::optional<Time> EventStream::next_wake() const {
  return beat_at_;
}

} // namespace tessera
