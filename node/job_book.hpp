#pragma once

#include "actors/job.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

// What this node knows of jobs, and how it asks the others: a question floods over sessions, and
// its echo comes back with every root's answer (Chang 1982). A machine: effects out, nothing done.
//
//   asker --JobQuery(hops)--> peers --JobQuery(hops - 1)--> theirs ...
//         <--JobAnswer------- once all whom they asked have answered, fell away, or are too late;
//                             at once, and empty, where the same question came before
namespace tessera {

struct JobBookConfig {
  NodeId self;
  std::uint8_t hops = 6; // A mesh of thousands is not wider (HyParView).
  Duration patience_base = std::chrono::milliseconds(50);
  Duration patience_hop = std::chrono::milliseconds(100); // For each hop further.
  std::size_t questions_max = 1024;                       // Under way, others' included.
  std::size_t seen_max = 4096;  // Remembered, so that no question circles.
  std::size_t ended_max = 4096; // Ended jobs of ours kept; oldest out.
};

struct JobsFound { // Ends ask(): each root's own words, one for each job.
  std::uint64_t ticket;
  std::vector<JobStatus> jobs;
};
using JobBookEffect = std::variant<SendTo, JobsFound>;
using JobBookEffects = std::vector<JobBookEffect>;

bool ended(JobState state);

class JobBook {
public:
  JobBook(JobBookConfig config, std::uint64_t seed);

  // --- What is rooted here.
  void learned(const JobStatus& status);
  const JobStatus* rooted(const JobId& id) const; // Null: not here.
  std::vector<JobStatus> rooted() const;          // The newest first.

  // --- Questions.
  // Jobs whose id begins with `prefix` (hex, lower case; empty: all), here and elsewhere. Of a
  // whole id, the first answer ends it. `root`: only that peer is asked.
  JobBookEffects ask(std::uint64_t ticket, const std::string& prefix, std::optional<NodeId> root,
                     Time now);

  // --- Peers.
  void peer_up(NodeId peer);
  JobBookEffects peer_down(NodeId peer, Time now);
  JobBookEffects receive(NodeId from, const JobQuery& query, Time now);
  JobBookEffects receive(NodeId from, const JobAnswer& answer, Time now);

  std::optional<Time> next_wake() const;
  JobBookEffects wake(Time now);

private:
  using Name = std::pair<NodeId, std::uint64_t>; // Asker, and its number.
  struct Question {
    std::optional<NodeId> parent; // Nothing: ours.
    std::uint64_t ticket = 0;
    bool one = false; // A whole id.
    std::set<NodeId> waiting;
    std::map<JobId, JobStatus> found;
    Time until;
  };

  std::map<JobId, JobStatus> matches(const std::string& prefix) const;
  void spread(const Name& name, Question question, const std::string& prefix, std::uint8_t hops,
              const std::vector<NodeId>& to, JobBookEffects& out, Time now);
  void settle(const Name& name, JobBookEffects& out);
  bool first_time(const Name& name);

  JobBookConfig config_;
  std::uint64_t next_query_;
  std::map<JobId, JobStatus> rooted_;
  std::vector<JobId> ended_; // The oldest first.
  std::set<NodeId> peers_;
  std::map<Name, Question> questions_;
  std::set<Name> seen_;
  std::vector<Name> seen_order_; // A ring, once full.
  std::size_t seen_next_ = 0;
};

} // namespace tessera
