#include "actors/job_machine.hpp"

#include <algorithm>

// What only the root does: journal, finish, end; and how the end reaches all.
namespace tessera {
namespace {

constexpr std::int64_t deadline_most_ms = 100ll * 366 * 24 * 3600 * 1000; // Fits into Time.

} // namespace

void Job::Machine::resume(const std::vector<BlockResult>& frontier, const Holders& holders) {
  auto& h = held.at(root_key);
  for (const auto& r : frontier) {
    if (h.ledger.done(r.block, r.partial).kind != Ledger::Verdict::accepted)
      continue;
    h.upheld.add(tree.begin(r.block), tree.end(r.block));
    if (const auto by = holders.find(r.partial.digest); by != holders.end())
      fetch_back(r, {by->second.begin(), by->second.end()});
  }
  while (!h.ledger.take_fresh(journal_blocks_max).empty()) {} // The journal has them.
  say(log.empty()
          ? "accepted: " + std::to_string(tree.leaves()) + " microtasks of " + spec->spec.kernel
          : "goes on after a restart: " + std::to_string(h.ledger.done_leaves()) + " of " +
                std::to_string(tree.leaves()) + " microtasks are done");
}

std::optional<Time> Job::Machine::deadline_of() const {
  if (spec->spec.deadline_ms == 0)
    return std::nullopt;
  const auto left = spec->spec.deadline_ms - config.unix_ms_at_zero;
  return Time{std::chrono::milliseconds(std::clamp(left, std::int64_t{0}, deadline_most_ms))};
}

void Job::Machine::look_late() {
  if (!rooted || ended() || !deadline || now < *deadline)
    return;
  end(JobState::failed,
      {late_code, "the job was not done in time",
       std::to_string(held.at(root_key).ledger.done_leaves()) + " of " +
           std::to_string(tree.leaves()) + " microtasks were done when its time to live was over",
       "submit it again with a longer --ttl"});
}

void Job::Machine::journal() {
  if (!rooted || ended() || now < journal_at || journaling.size() >= journaling_max)
    return;
  auto done = held.at(root_key).ledger.take_fresh(journal_blocks_max);
  if (done.empty())
    return;
  auto& blocks = journaling[++journal_sequence];
  for (const auto& r : done)
    blocks.push_back(r.block);
  journal_at = now + journal_every;
  auto holders = holders_of(done);
  out.emplace_back(
      std::in_place_type<JournalBlocks>,
      JournalBlocks{journal_sequence, std::move(done), std::move(holders), log.take_fresh()});
}

void Job::Machine::journaled(std::uint64_t sequence) {
  const auto blocks = journaling.extract(sequence);
  auto* h = find_held(root_key);
  if (blocks.empty() || !h)
    return;
  for (const auto& b : blocks.mapped())
    h->upheld.add(tree.begin(b), tree.end(b));
  cover_accounts();
}

void Job::Machine::look_finished() {
  if (rooted && !ended() && !merged && copying.empty() && held.at(root_key).ledger.complete())
    merged = held.at(root_key).ledger.partial(tree.root());
}

void Job::Machine::end(JobState how, Error why) {
  if (ended())
    return;
  state = how;
  error = std::move(why);
  keep_output = state == JobState::done && result.manifest;
  round_end.cpu_ns = held.at(root_key).aside.cpu_ns;
  say_over();
  out.emplace_back(std::in_place_type<JobEnded>,
                   JobEnded{state, result, error, round_end, log.since(0)});
  drop_all(over());
}

JobOver Job::Machine::over() const {
  return {id(), keep_output};
}

// Done beats cancelled: whichever came first at the root stays.
void Job::Machine::cancel(const Message& word) {
  if (ended())
    return;
  state = JobState::cancelled;
  say_over();
  if (rooted)
    out.emplace_back(std::in_place_type<JobEnded>, JobEnded{state, {}, {}, {}, log.since(0)});
  drop_all(word);
}

void Job::Machine::tell_thieves(const Message& word) {
  std::set<NodeId> thieves;
  for (const auto& [lease, g] : given)
    thieves.insert(g.thief);
  for (const auto& [key, a] : accounts)
    thieves.insert(a.thief);
  for (const auto& t : thieves)
    send(t, word);
}

void Job::Machine::drop_all(const Message& word) {
  tell_thieves(word);
  while (!given.empty())
    end_given(given.begin()->first, End::voided);
  for (auto& [key, h] : held)
    leaves_done_before += h.ledger.done_leaves();
  held.clear();
  accounts.clear();
  pulls.clear();
  copying.clear();
  kept.clear();
  kept_by.clear();
  kept_from.clear();
  keeping.clear();
  working.clear();
  journaling.clear();
  for (auto& [id, p] : peers)
    p.held.clear();
  merged.reset();
  ended_at = now;
}

void Job::Machine::on(NodeId from, const JobOver& word) {
  if (rooted || ended())
    return;
  const bool above = std::any_of(held.begin(), held.end(), [&](const auto& h) {
    const auto& path = h.second.path;
    return std::find(path.begin(), path.end(), from) != path.end();
  });
  if (!above)
    return;
  state = JobState::done;
  keep_output = word.keep;
  drop_all(over());
}

void Job::Machine::on(NodeId, const CancelJob& word) {
  if (word.cancel && word.cancel->job == id() && word.cancel->seal.key == spec->spec.submitter)
    cancel(word);
}

} // namespace tessera
