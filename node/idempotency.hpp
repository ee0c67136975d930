#pragma once

#include "crypto/digest.hpp"
#include "net/time.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>

// Keys of submissions that must happen once, however often they are sent (the field's
// Idempotency-Key): the first with a key is done, and its answer is replayed to the same again. A
// machine. Those of accepted jobs are in the journal beside their jobs, and restored from there: a
// refusal is not, as it left nothing that could happen twice.
namespace tessera {

// A job that was accepted with a key, as the journal keeps it.
struct Submission {
  std::string key;
  Digest body;
  std::string answer;        // With status 201.
  std::int64_t since_ms = 0; // Unix time.
};

struct IdempotencyConfig {
  Duration keep = std::chrono::hours(24);
  std::size_t keys_max = 4096; // The oldest answered goes; those in flight stay.
  std::size_t key_bytes_max = 255;
};

class Idempotency {
public:
  struct Fresh {};    // Do it, then say answered() or dropped().
  struct InFlight {}; // The same is being done.
  struct Other {};    // The key stands for another body.
  struct Full {};     // Too many are in flight.
  struct Replay {
    int status = 0;
    std::string body;
  };
  using Verdict = std::variant<Fresh, InFlight, Other, Full, Replay>;

  explicit Idempotency(IdempotencyConfig config = {}) : config_(config) {}

  bool valid(const std::string& key) const; // Printable ASCII, not empty, not too long.
  Verdict begin(const std::string& key, const Digest& body, Time now);
  void answered(const std::string& key, int status, std::string body, Time now);
  void dropped(const std::string& key); // Not for the same reason again: it may be tried anew.
  // What was answered so long ago, before a restart; the oldest first.
  void restore(const std::string& key, const Digest& body, Replay answer, Duration ago, Time now);
  std::size_t size() const { return keys_.size(); }

private:
  struct Entry {
    Digest body;
    Time since;
    std::optional<Replay> answer;
  };
  void expire(Time now);

  IdempotencyConfig config_;
  std::map<std::string, Entry> keys_;
  std::deque<std::string> answered_; // The oldest first.
};

} // namespace tessera
