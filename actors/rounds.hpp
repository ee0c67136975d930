#pragma once

#include "actors/job.hpp"

#include <functional>

// A job of rounds, or a tree job, at its root (architecture 4.7): which round it is in, and what
// follows from the end of one. Each round is a range job of its own, rooted here and run as any
// other; its finish is `step`, so what it results in is the state of the next round, or the job's
// result. A machine. Of a tree job the state is the tasks that wait, and a round's budget of tasks
// is such that a lane takes about lane_target.
//
//   begin --BeginRound--> (on the disk) --OpenRound--> (its job runs) --done--> begin of the next
//                                                                     --over, or the last--> ended
namespace tessera {

using SealSpec = std::function<SpecPtr(const JobSpec&)>; // One spec has one envelope.

struct RoundsConfig {
  NodeId self;
  SealSpec seal;
  Duration lane_target = std::chrono::milliseconds(20); // A guess.
  Duration linger = std::chrono::seconds(15);           // After the end, as jobs do.
  std::int64_t unix_ms_at_zero = 0;                     // Of Time.
  LogEntries log = {};                                  // Of before a restart.
};

// The spec of a round's job: always the same, so that whoever resumes goes on with it.
// `budget`: of a tree job.
JobSpec round_spec(const SignedSpec& job, std::uint32_t round, const BlobId& state,
                   std::uint64_t state_size, std::uint32_t budget = 0);

struct BeginRound {    // Answered by begun(), once all of it lasts and `before` is forgotten.
  SpecPtr round;       // Its job.
  Partial state;       // Which it begins with; bytes only where nobody has kept them yet.
  JobStatus told;      // Of the whole job, to resume from.
  JobId before;        // The job of the round before; zero: this is the first, or is resumed.
  LogEntries log = {}; // New in it.
};
struct OpenRound {
  SpecPtr round;
};
struct CancelRound {
  JobId round;
};
using RoundsEffect = std::variant<BeginRound, OpenRound, CancelRound, JobEnded, JobIdle>;
using RoundsEffects = std::vector<RoundsEffect>;

class Rounds {
public:
  // `told`: as a BeginRound had it; without a round (0): the job is new.
  Rounds(RoundsConfig config, SpecPtr spec, const JobStatus& told, Time now);

  RoundsEffects start(Time now);
  RoundsEffects begun(const JobId& round, Time now);
  // What the job of a round tells of itself, and of its end once it is done.
  RoundsEffects round_told(const JobStatus& status, const Partial& result, const RoundEnd& end,
                           Time now);
  // The actor of a round's job is no more. If it has told its end, nobody heard.
  RoundsEffects round_gone(const JobId& round, Time now);
  RoundsEffects cancel(const CancelJob& word, Time now);

  std::optional<Time> next_wake() const;
  RoundsEffects wake(Time now);

  const JobId& round() const { return round_->id; } // Its job.
  JobStatus status(Time now) const;
  const JobLog& log() const { return log_; }

private:
  RoundsEffects begin(std::uint32_t round, Partial state, const JobId& before, Time now);
  RoundsEffects end(JobState how, Partial result, Error why, Time now);
  void add(const JobStatus& round);
  void count(const RoundEnd& round);
  bool ended() const { return ended_at_.has_value(); }
  std::int64_t unix_ms(Time now) const;
  std::string begin_for_log() const;
  std::string end_for_log() const;
  RoundsEffects late(Time now);

  RoundsConfig config_;
  SpecPtr spec_;
  JobStatus sum_; // Of the rounds that are over.
  Time started_;
  SpecPtr round_;
  bool open_ = false;
  JobStatus told_; // By the round's job.
  Partial state_;
  JobState how_ = JobState::running;
  Partial result_;
  Error error_;
  std::optional<Time> ended_at_;
  bool idle_ = false;
  std::optional<Time> deadline_;
  JobLog log_;
};

} // namespace tessera
