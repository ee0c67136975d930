#include "actors/job_machine.hpp"

#include <algorithm>

// What a root tells people of its job: the log of what happened, and how it stands.
namespace tessera {
namespace {

constexpr std::size_t failures_told_max = 16;

std::string text_of(std::uint64_t leaves) {
  return std::to_string(leaves) + (leaves == 1 ? " microtask" : " microtasks");
}

std::int64_t ms(Duration span) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
}

} // namespace

std::int64_t Job::Machine::unix_ms() const {
  return config.unix_ms_at_zero + ms(now.time_since_epoch());
}

void Job::Machine::say(std::string text) {
  if (rooted && state == JobState::running)
    log.say(unix_ms(), std::move(text));
}

void Job::Machine::say_begun() {
  if (rooted && !begun && (!working.empty() || !given.empty())) {
    begun = true;
    say("begun");
  }
}

void Job::Machine::say_given(const Given& g) {
  std::uint64_t leaves = 0;
  for (const auto& b : g.blocks)
    leaves += tree.size(b);
  say("to " + short_id(g.thief) + ": " + text_of(leaves));
}

void Job::Machine::say_ended_lease(const Given& g, std::uint64_t open, End how) {
  const auto who = short_id(g.thief);
  const auto again = open ? ": " + text_of(open) + " queued again" : std::string{};
  if (how == End::returned)
    say(who + " is done with a lease" + again);
  else if (how == End::gone)
    say(who + " is gone" + again);
  else if (how == End::silent)
    say(who + " said nothing for too long" + again);
  else if (open)
    say(who + " does not have its lease" + again);
}

void Job::Machine::say_failed(const NodeId& where, Block block, const Error& why) {
  const auto first = tree.begin(block), last = tree.end(block) - 1;
  say((first == last ? "microtask " + std::to_string(first)
                     : "microtasks " + std::to_string(first) + " to " + std::to_string(last)) +
      " failed at " + short_id(where) + ": " + why.code + " " + why.what);
}

void Job::Machine::say_over() {
  if (!rooted)
    return;
  const std::string how = state == JobState::done        ? "done"
                          : state == JobState::cancelled ? "cancelled by its submitter"
                                                         : "failed";
  log.say(unix_ms(), how + " after " + std::to_string(ms(now - started)) + " ms" +
                         (state == JobState::failed ? ": " + error.code + " " + error.what : ""));
}

// `h`: for which lease; null: for any.
void Job::Machine::received(Held* h, std::uint64_t bytes) {
  if (bytes == 0)
    return;
  if (!h && !held.empty())
    h = &held.begin()->second;
  if (h)
    share(h, config.self).received_bytes += bytes;
}

std::vector<JobView::Out> Job::Machine::leases_out() const {
  std::map<NodeId, JobView::Out> by_peer;
  for (const auto& [id, g] : given) {
    if (g.returned)
      continue;
    auto& out = by_peer[g.thief];
    const auto& p = peers.at(g.thief);
    out.peer = g.thief;
    out.leaves += open_leaves(g);
    out.since = std::max(out.since, now - g.since);
    out.silent = now - p.heard;
    out.suspected = p.suspected;
  }
  std::vector<JobView::Out> all;
  for (const auto& [id, out] : by_peer)
    all.push_back(out);
  return all;
}

JobView Job::Machine::view(std::uint64_t log_since) const {
  JobView v;
  v.status = status();
  for (const auto& [key, h] : held) {
    v.queued += h.ledger.queued_leaves();
    v.running += h.ledger.running_leaves();
    v.leased += h.ledger.leased_leaves();
    v.done += h.ledger.done_leaves();
  }
  v.merges = merges_ready();
  v.copies = copying.size();
  v.finishing = merged.has_value();
  v.able = able();
  v.stalled = stalled;
  v.out = leases_out();
  v.leaf_ns = sizer.known() ? expected_ns(1) : 0;
  if (const auto* h = find_held(root_key))
    for (const auto& [leaf, times] : h->failures)
      if (const auto code = failure_codes.find(leaf);
          v.failed.size() < failures_told_max && code != failure_codes.end())
        v.failed.push_back({tree.begin(leaf), times, code->second});
  if (log_since > 0)
    v.log = log.since(log_since);
  return v;
}

} // namespace tessera
