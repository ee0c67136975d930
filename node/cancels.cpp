#include "node/cancels.hpp"

#include <algorithm>

namespace tessera {

std::vector<Cancels::Say> Cancels::add(NodeId root, Word word, Time now) {
  const Say say{root, std::move(word)};
  if (words_.size() >= config_.words_max && !words_.contains(say.word->job))
    words_.erase(std::min_element(words_.begin(), words_.end(), [](const auto& a, const auto& b) {
      return a.second.since < b.second.since;
    }));
  words_[say.word->job] = {say, now, now + config_.again_min, config_.again_min};
  return {say};
}

std::vector<Cancels::Say> Cancels::wake(Time now) {
  std::erase_if(words_, [&](const auto& p) { return now >= p.second.since + config_.keep; });
  std::vector<Say> due;
  for (auto& [job, p] : words_)
    if (now >= p.next) {
      p.gap = std::min(2 * p.gap, config_.again_max);
      p.next = now + p.gap;
      due.push_back(p.say);
    }
  return due;
}

std::optional<Time> Cancels::next_wake() const {
  std::optional<Time> next;
  for (const auto& [job, p] : words_)
    next = next ? std::min(*next, p.next) : p.next;
  return next;
}

} // namespace tessera
