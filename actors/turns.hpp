#pragma once

#include "actors/job.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>

// Whose turn it is: of the jobs here, the next that gets a slot, and the next that a thief gets
// work of. The highest priority goes first; within one, round-robin among submitters, then among
// each one's jobs. One turn in eight asks for no priority, so that a lower one never starves.
namespace tessera {

inline constexpr std::uint64_t piece_ns_max = 200'000'000; // Longer is long: 10 x the usual block.
inline constexpr std::uint64_t plain_turn_every = 8;       // A guess.

struct JobEntry {
  NodeId submitter;
  std::string kernel;
  int priority = 0;
  Require require;
  bool able = true;           // Its leaves may run here.
  std::uint64_t given_at = 0; // Which grant gave of it last.
  QueueReport report;
  std::uint64_t asked = 0;       // TakeWork without an answer.
  std::uint64_t promised = 0;    // Leaves to lifelines since the report, about.
  std::optional<Time> dry_until; // It had nothing for a slot though its report says so.

  bool busy() const { return report.runnable > 0 || report.queued_leaves > 0; }
  bool ready() const { return !dry_until && report.runnable > asked; }
  // Long work must not wait behind other long work in one slot while a thief could have it.
  bool is_short() const { return report.queued_ns / piece_ns_max < report.runnable; }
};

// A job that reports nothing has no turn, and costs none: many that are over stay known a while.
class Turns {
public:
  using Jobs = std::map<JobId, JobEntry>;

  void open(const JobId& job, JobEntry entry);
  void report(const JobId& job, const QueueReport& report); // Of a job that is known.
  void close(const JobId& job);

  const Jobs& busy() const { return busy_; } // Those that report something.
  std::size_t size() const { return busy_.size() + resting_.size(); }
  JobEntry* find(const JobId& job);
  JobEntry& at(const JobId& job) { return *find(job); }

  // For a slot; an idle one takes long work, too. Its turn is over then.
  std::optional<JobId> next(bool idle_slot);

  // Of what the asker can run, the highest priority, and of that the job with the most queued time;
  // in a plain turn the one that was not given of for longest.
  std::optional<JobId> choose(const StealAsk& wish) const;
  void gave(const JobId& job) { at(job).given_at = ++grants_; }

  void tick(Time now);

private:
  struct Turn {
    NodeId submitter;
    std::deque<JobId> jobs;
  };
  std::deque<Turn>::iterator turn_of(const NodeId& submitter);
  void enter(const Jobs::value_type& job);
  void withdraw(const Jobs::value_type& job);
  std::optional<int> priority_now(bool idle_slot) const;

  Jobs busy_, resting_;
  std::deque<Turn> turns_; // Of the busy ones; whose turn it is first.
  std::uint64_t taken_ = 0, grants_ = 0;
};

} // namespace tessera
