#include "node/idempotency.hpp"

#include <algorithm>

namespace tessera {

bool Idempotency::valid(const std::string& key) const {
  return !key.empty() && key.size() <= config_.key_bytes_max &&
         std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

void Idempotency::expire(Time now) {
  while (!answered_.empty() && now - keys_.at(answered_.front()).since >= config_.keep) {
    keys_.erase(answered_.front());
    answered_.pop_front();
  }
}

Idempotency::Verdict Idempotency::begin(const std::string& key, const Digest& body, Time now) {
  expire(now);
  if (const auto known = keys_.find(key); known != keys_.end()) {
    if (known->second.body != body)
      return Other{};
    return known->second.answer ? Verdict{*known->second.answer} : Verdict{InFlight{}};
  }
  if (keys_.size() >= config_.keys_max) {
    if (answered_.empty())
      return Full{};
    keys_.erase(answered_.front());
    answered_.pop_front();
  }
  keys_[key] = {body, now, {}};
  return Fresh{};
}

void Idempotency::answered(const std::string& key, int status, std::string body, Time now) {
  const auto known = keys_.find(key);
  if (known == keys_.end() || known->second.answer)
    return;
  known->second.answer = Replay{status, std::move(body)};
  known->second.since = now;
  answered_.push_back(key);
}

void Idempotency::restore(const std::string& key, const Digest& body, Replay answer, Duration ago,
                          Time now) {
  if (ago >= config_.keep || keys_.size() >= config_.keys_max)
    return;
  if (keys_.try_emplace(key, Entry{body, now - ago, std::move(answer)}).second)
    answered_.push_back(key);
}

void Idempotency::dropped(const std::string& key) {
  if (const auto known = keys_.find(key); known != keys_.end() && !known->second.answer)
    keys_.erase(known);
}

} // namespace tessera
