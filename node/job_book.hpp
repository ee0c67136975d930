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
//                             at once, and empty, where the same question came before, or one peer
//                             asks too much
namespace tessera {

struct JobBookConfig {
  NodeId self;
  // The copy that comes first came by many quick hops, seldom by few: simulated, a question goes
  // up to 16 hops to reach all of 1,000 nodes. hops_max of the wire, too.
  std::uint8_t hops = 16;
  Duration patience_base = std::chrono::milliseconds(50);
  // For each hop further: above a round trip, so that one silent node does not hide those who
  // answer beside it.
  Duration patience_hop = std::chrono::milliseconds(300);
  std::size_t questions_max = 1024; // Of others, under way: more are not passed on.
  std::size_t seen_max = 4096;      // Remembered, so that no question circles.
  std::size_t ended_max = 4096;     // Ended jobs of ours kept; oldest out.
  std::size_t found_bytes_max = std::size_t{64} << 20; // Answers held; more are dropped.
  // New questions of one peer, 50 a second with a burst of 100. Guesses.
  Duration query_every = std::chrono::milliseconds(20);
  std::uint32_t query_burst = 100;
  std::size_t askers_max = 1024; // Peers whose rate is known at a time; others wait.
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
  // Says which ended job made room, if one did.
  std::optional<JobId> learned(const JobStatus& status, Time now);
  const JobStatus* rooted(const JobId& id) const; // Null: not here.
  void forget(const JobId& id);                   // One that has ended.
  std::vector<JobStatus> rooted(Time now) const;  // The newest first.
  // A word on a job: one that has not ended here goes on ageing while nothing new is told of it.
  JobStatus as_of(JobStatus status, Time now) const;
  std::size_t unended() const { return rooted_.size() - ended_.size(); }

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

  struct Held { // At the moment.
    std::size_t questions, seen, askers, found_bytes;
  };
  Held held() const;

private:
  using Name = std::pair<NodeId, std::uint64_t>; // Asker, and its number.
  struct Question {
    std::optional<NodeId> parent; // Nothing: ours.
    std::uint64_t ticket = 0;
    std::string prefix;
    std::set<NodeId> waiting;
    std::map<JobId, JobStatus> found; // By others; what is rooted here joins at the end.
    std::size_t found_bytes = 0;
    Time until;
  };
  using Questions = std::map<Name, Question>;

  Name fresh_name();
  void remember(const Name& name);
  bool in_time(const NodeId& peer, Time now);
  std::map<JobId, JobStatus> matches(const std::string& prefix, Time now) const;
  void spread(const Name& name, Question question, std::uint8_t hops, Time now,
              JobBookEffects& out);
  void settle(const Name& name, Time now, JobBookEffects& out);
  Question close(Questions::iterator it);

  JobBookConfig config_;
  std::uint64_t seed_, asked_ = 0;
  std::map<JobId, JobStatus> rooted_;
  std::map<JobId, Time> begun_; // Of those that have not ended: when they were accepted.
  std::vector<JobId> ended_;    // The oldest first.
  std::set<NodeId> peers_;
  Questions questions_;
  std::size_t of_others_ = 0, found_bytes_ = 0; // Of these.
  std::set<Name> seen_;
  std::vector<Name> seen_order_; // A ring, once full.
  std::size_t seen_next_ = 0;
  std::map<NodeId, Time> busy_; // Until when a peer's questions are paid for.
};

} // namespace tessera
