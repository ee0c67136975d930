#include "node/store/pulls.hpp"

#include <algorithm>

namespace tessera {

namespace {

constexpr int losses_max = 8; // A holder that always leaves out the same chunk does not have it.

} // namespace

PullEffects Pulls::want(const BlobId& blob, std::vector<NodeId> holders, Time now) {
  if (const auto known = pulls_.find(blob); known != pulls_.end()) {
    for (const auto& holder : holders)
      known->second.pull.add_holder(holder);
    return {};
  }
  if (holders.empty())
    return {NotPulled{blob, "nobody is known to have it"}};
  if (pulls_.size() >= pulls_max)
    return {NotPulled{blob, "too many others are being pulled"}};
  const auto holder = holders.front();
  queue(pulls_.emplace(blob, Entry{Pull{blob, std::move(holders), blob_bytes_max}}).first);
  fill(holder, now);
  return take();
}

void Pulls::queue(Known pull) {
  auto& [blob, e] = *pull;
  if (std::exchange(e.queued, true))
    return;
  forget_idle_lines();
  auto& line = lines_[*e.pull.holder()];
  (e.pull.fresh() ? line.fresh : line.rest).push_back(blob);
}

void Pulls::forget_idle_lines() {
  if (lines_.size() >= lines_max)
    std::erase_if(lines_, [](const auto& l) { return l.second.idle(); });
}

// New and old in turns; an old one has all the turns of the old until it is asked for whole.
Pulls::Known Pulls::next_turn(const NodeId& holder, Line& line) {
  while (!line.fresh.empty() || !line.rest.empty()) {
    auto& turns =
        line.rest.empty() || (line.fresh_next && !line.fresh.empty()) ? line.fresh : line.rest;
    const auto pull = pulls_.find(turns.front());
    if (pull != pulls_.end() && *pull->second.pull.holder() == holder) {
      line.fresh_next = &turns == &line.rest;
      return pull;
    }
    turns.pop_front();
  }
  return pulls_.end();
}

void Pulls::fill(const NodeId& holder, Time now) {
  auto& line = lines_[holder];
  for (auto room = line.asks.room(); room > 0; room = line.asks.room()) {
    const auto pull = next_turn(holder, line);
    if (pull == pulls_.end())
      return;
    if (const auto ask = pull->second.pull.next_ask(room)) {
      line.asks.asked(*ask, now);
      out_.push_back(AskHolder{holder, *ask});
      continue;
    }
    pull->second.queued = false;
    std::erase(line.fresh, pull->first);
    std::erase(line.rest, pull->first);
  }
}

// What was asked for and proves itself is welcome from anyone: it may have been given up there.
PullEffects Pulls::received(const NodeId& from, const BlobChunk& chunk, Time now) {
  const auto line = lines_.find(from);
  if (line != lines_.end())
    if (const auto overtaken = line->second.asks.arrived(chunk.blob, chunk.chunk, now))
      for (const auto& asked : *overtaken)
        lost(asked, from, now);
  if (const auto pull = pulls_.find(chunk.blob); pull != pulls_.end())
    took(pull, pull->second.pull.received(chunk), from, now);
  if (lines_.contains(from))
    fill(from, now);
  return take();
}

void Pulls::lost(const AskLine::Asked& asked, const NodeId& by, Time now) {
  const auto pull = pulls_.find(asked.blob);
  if (pull == pulls_.end() || *pull->second.pull.holder() != by)
    return;
  pull->second.pull.lost(asked.chunk);
  if (++pull->second.losses > losses_max)
    next_holder(pull, by, "no answer", now);
  else
    queue(pull);
}

void Pulls::took(Known pull, Pull::Took took, const NodeId& from, Time now) {
  auto& [blob, e] = *pull;
  if (took == Pull::Took::lie)
    return next_holder(pull, from, "a chunk does not prove itself", now);
  if (took == Pull::Took::nothing)
    return;
  e.losses = 0;
  if (took == Pull::Took::part)
    return queue(pull);
  if (took == Pull::Took::whole)
    out_.push_back(Pulled{blob, from, e.pull.take()});
  else
    out_.push_back(NotPulled{blob, "it is larger than this node takes"});
  pulls_.erase(pull);
}

// What has proven itself stays; the next one is asked for the rest.
void Pulls::next_holder(Known pull, const NodeId& failed, std::string why, Time now) {
  auto& [blob, e] = *pull;
  const bool asked = e.pull.drop_holder(failed);
  if (!e.pull.holder()) {
    out_.push_back(NotPulled{blob, std::move(why)});
    pulls_.erase(pull);
  } else if (asked) {
    e.losses = 0;
    e.queued = false;
    queue(pull);
    fill(*e.pull.holder(), now);
  }
}

PullEffects Pulls::missing(const NodeId& from, const BlobId& blob, Time now) {
  if (const auto line = lines_.find(from); line != lines_.end())
    line->second.asks.missing(blob, now);
  if (const auto pull = pulls_.find(blob); pull != pulls_.end())
    next_holder(pull, from, "it is gone there", now);
  if (lines_.contains(from))
    fill(from, now);
  return take();
}

PullEffects Pulls::gone(const NodeId& holder, Time now) {
  lines_.erase(holder);
  leave(holder, "it is gone there", true, now);
  return take();
}

// Those who have no other holder stay, unless it is the end of all.
void Pulls::leave(const NodeId& holder, const std::string& why, bool last_too, Time now) {
  for (auto pull = pulls_.begin(); pull != pulls_.end();) {
    const auto here = pull++;
    if (last_too || (*here->second.pull.holder() == holder && here->second.pull.has_another()))
      next_holder(here, holder, why, now);
  }
}

std::optional<Time> Pulls::next_wake() const {
  std::optional<Time> next;
  for (const auto& [holder, line] : lines_)
    if (const auto due = line.asks.due(); due && (!next || *due < *next))
      next = due;
  return next;
}

PullEffects Pulls::wake(Time now) {
  std::vector<NodeId> due;
  for (const auto& [holder, line] : lines_)
    if (line.asks.due() && *line.asks.due() <= now)
      due.push_back(holder);
  for (const auto& holder : due)
    if (const auto line = lines_.find(holder); line != lines_.end())
      silent(holder, line->second, now);
  return take();
}

void Pulls::silent(const NodeId& holder, Line& line, Time now) {
  if (line.asks.dead()) {
    lines_.erase(holder);
    leave(holder, "no answer", true, now);
    return;
  }
  leave(holder, "no answer", false, now);
  probe(holder, line, now);
}

// The newest that somebody still waits for; when nobody does, nothing is waited for.
void Pulls::probe(const NodeId& holder, Line& line, Time now) {
  const auto& all = line.asks.in_flight();
  const auto newest = std::find_if(all.rbegin(), all.rend(), [&](const AskLine::Asked& a) {
    const auto pull = pulls_.find(a.blob);
    return pull != pulls_.end() && *pull->second.pull.holder() == holder;
  });
  if (newest == all.rend()) {
    line.asks.give_up();
    fill(holder, now);
    return;
  }
  line.asks.probed(now);
  out_.push_back(AskHolder{holder, {newest->blob, newest->chunk, 1}});
}

} // namespace tessera
