#pragma once

#include "actors/scheduler.hpp"

#include <utility>
#include <vector>

// Names for nodes and jobs, and what a scheduler's effects hold of one kind.
namespace tessera::rig {

constexpr Time t0{};

inline NodeId node(std::uint8_t n) {
  NodeId id;
  id.key[0] = n;
  return id;
}
inline JobId job(std::uint8_t n) {
  JobId id;
  id.bytes[0] = n;
  return id;
}

template<class E>
std::vector<E> all(const SchedulerEffects& effects) {
  std::vector<E> found;
  for (const auto& effect : effects)
    if (const auto* e = std::get_if<E>(&effect))
      found.push_back(*e);
  return found;
}
template<class M>
std::vector<std::pair<NodeId, M>> sent(const SchedulerEffects& effects) {
  std::vector<std::pair<NodeId, M>> found;
  for (const auto& send : all<SendTo>(effects))
    if (const auto* m = std::get_if<M>(&send.message))
      found.emplace_back(send.to, *m);
  return found;
}

} // namespace tessera::rig
