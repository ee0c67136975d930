#include "node/event_log.hpp"

#include <algorithm>

namespace tessera {
namespace {

std::optional<Topic> topic_of(std::string_view name) {
  if (name == "jobs")
    return Topic::jobs;
  if (name == "peers")
    return Topic::peers;
  if (name == "node")
    return Topic::node;
  if (name == "work")
    return Topic::work;
  return std::nullopt;
}

} // namespace

std::optional<Topics> topics_of(std::string_view list) {
  Topics all;
  for (;;) {
    const auto comma = list.find(',');
    const auto topic = topic_of(list.substr(0, comma));
    if (!topic)
      return std::nullopt;
    all.add(*topic);
    if (comma == list.npos)
      return all;
    list.remove_prefix(comma + 1);
  }
}

std::string event_frame(std::optional<std::uint64_t> id, std::string_view kind,
                        std::string_view data) {
  std::string frame;
  frame.reserve(data.size() + kind.size() + 48);
  if (id)
    frame.append("id: ").append(std::to_string(*id)).append("\n");
  return frame.append("event: ").append(kind).append("\ndata: ").append(data).append("\n\n");
}

EventLog::EventLog(EventLogConfig config)
    : config_(config), last_id_(config.first_id - 1), sent_(last_id_) {}

void EventLog::opened(Time now) {
  prune(now);
  ++streams_;
  kept_until_.reset();
}

void EventLog::closed(Time now) {
  if (--streams_ == 0)
    kept_until_ = now + config_.linger;
}

bool EventLog::followed(Time now) const {
  return streams_ > 0 || (kept_until_ && now < *kept_until_);
}

// What nobody follows any more goes. The number that is left out tells who comes back too late.
void EventLog::prune(Time now) {
  if (followed(now) || !kept_until_)
    return;
  log_.clear();
  things_.clear();
  due_.clear();
  bytes_ = 0;
  sent_ = ++last_id_;
  kept_until_.reset();
}

void EventLog::add(Topic topic, std::string_view kind, std::string_view data,
                   const std::string& job, Time now) {
  if (!followed(now))
    return prune(now);
  const auto id = ++last_id_;
  log_.push_back(std::make_shared<const Event>(Event{id, topic, job, event_frame(id, kind, data)}));
  bytes_ += log_.back()->frame.size();
  while (log_.size() > config_.events_max || (bytes_ > config_.bytes_max && log_.size() > 1)) {
    bytes_ -= log_.front()->frame.size();
    log_.pop_front();
  }
}

void EventLog::tell(const std::string& key, Thing& thing, Time now) {
  due_.erase({thing.due, key});
  thing.due = now + thing.gap;
  due_.emplace(thing.due, key);
  const auto data = std::exchange(thing.data, nullptr);
  add(thing.topic, thing.kind, data(), thing.job, now);
}

void EventLog::changed(const std::string& key, Topic topic, std::string kind, Duration gap,
                       Data data, const std::string& job, Time now) {
  if (!followed(now))
    return prune(now);
  if (things_.size() >= config_.things_max && !things_.contains(key))
    return add(topic, kind, data(), job, now);
  const auto [at, fresh] = things_.try_emplace(key);
  auto& thing = at->second;
  thing.gap = gap;
  thing.topic = topic;
  thing.kind = std::move(kind);
  thing.job = job;
  thing.data = std::move(data);
  if (gap == Duration::zero())
    batch_at_ = std::min(batch_at_, urgent_at_);
  if (fresh || thing.due <= now || gap == Duration::zero())
    tell(key, thing, now);
}

void EventLog::forget(const std::string& key) {
  const auto thing = things_.find(key);
  if (thing == things_.end())
    return;
  due_.erase({thing->second.due, key});
  things_.erase(thing);
}

// Quiet things are forgotten: their next news is told at once, as it would be anyway.
void EventLog::tell_due(Time now) {
  while (!due_.empty() && due_.begin()->first <= now) {
    const auto key = due_.begin()->second;
    if (auto& thing = things_.at(key); thing.data)
      tell(key, thing, now);
    else
      forget(key);
  }
}

std::optional<Events> EventLog::since(std::uint64_t id) const {
  if (id > last_id_ || last_id_ - id > log_.size())
    return std::nullopt;
  return Events(log_.end() - std::ptrdiff_t(last_id_ - id), log_.end());
}

std::optional<Time> EventLog::next_wake() const {
  std::optional<Time> next;
  const auto sooner = [&](Time t) { next = next ? std::min(*next, t) : t; };
  if (sent_ < last_id_ && streams_ > 0)
    sooner(batch_at_);
  if (!due_.empty())
    sooner(due_.begin()->first);
  if (kept_until_)
    sooner(*kept_until_);
  return next;
}

Events EventLog::wake(Time now) {
  prune(now);
  tell_due(now);
  if (sent_ == last_id_ || now < batch_at_ || streams_ == 0)
    return {};
  const auto news = std::min<std::uint64_t>(last_id_ - sent_, log_.size());
  sent_ = last_id_;
  batch_at_ = now + config_.batch_gap;
  urgent_at_ = now + config_.urgent_gap;
  return Events(log_.end() - std::ptrdiff_t(news), log_.end());
}

} // namespace tessera
