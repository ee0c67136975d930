#pragma once

#include "net/message.hpp"
#include "net/time.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <vector>

// Cancellations on their way from here to a root elsewhere: each is said again until the job is
// known to have ended, so that a session that breaks loses none. A machine.
namespace tessera {

struct CancelsConfig {
  Duration again_min = std::chrono::seconds(2), again_max = std::chrono::minutes(1); // Doubles.
  Duration keep = std::chrono::hours(24);
  std::size_t words_max = 1024; // The oldest goes.
};

class Cancels {
public:
  using Word = std::shared_ptr<const SignedCancel>;
  struct Say {
    NodeId root;
    Word word;
  };

  explicit Cancels(CancelsConfig config = {}) : config_(config) {}

  std::vector<Say> add(NodeId root, Word word, Time now);
  void ended(const JobId& job) { words_.erase(job); } // Or gone.
  std::vector<Say> wake(Time now);
  std::optional<Time> next_wake() const;
  std::size_t size() const { return words_.size(); }

private:
  struct Pending {
    Say say;
    Time since, next;
    Duration gap;
  };
  CancelsConfig config_;
  std::map<JobId, Pending> words_;
};

} // namespace tessera
