#pragma once

#include "node/store/ask_line.hpp"
#include "node/store/pull.hpp"

#include <variant>

// All blobs on their way here. A machine: blobs of one holder come down its line one after the
// other, the oldest first, but each new one may ask for its first chunk before the next turn of an
// old one, so that the small do not wait for the large. A pull goes on with its next holder when
// one lies, is gone, or is silent; the last one is waited for, for as long as its line bears.
namespace tessera {

struct AskHolder {
  NodeId holder;
  BlobAsk ask;
};
struct Pulled {
  BlobId blob;
  NodeId holder;
  Bytes bytes;
};
struct NotPulled {
  BlobId blob;
  std::string why;
};
using PullEffect = std::variant<AskHolder, Pulled, NotPulled>;
using PullEffects = std::vector<PullEffect>;

class Pulls {
public:
  static constexpr std::size_t pulls_max = 1024;
  static constexpr std::size_t lines_max = 256; // Those that nothing is asked of go first.
  static constexpr std::uint64_t blob_bytes_max = std::uint64_t{4} << 30;

  // One more holder of what is being pulled; NotPulled when there are too many pulls.
  PullEffects want(const BlobId& blob, std::vector<NodeId> holders, Time now);
  PullEffects received(const NodeId& from, const BlobChunk& chunk, Time now);
  PullEffects missing(const NodeId& from, const BlobId& blob, Time now); // It does not have it.
  PullEffects gone(const NodeId& holder, Time now);
  std::optional<Time> next_wake() const;
  PullEffects wake(Time now);

private:
  struct Entry {
    Pull pull;
    bool queued = false; // In its line's turns.
    int losses = 0;      // Since something of it came.
  };
  struct Line {
    AskLine asks;
    std::deque<BlobId> fresh, rest; // Turns. Who is over, or with another holder, is passed over.
    bool fresh_next = true;
    bool idle() const { return asks.in_flight().empty() && fresh.empty() && rest.empty(); }
  };
  using Known = std::map<BlobId, Entry>::iterator;

  void queue(Known pull);
  void fill(const NodeId& holder, Time now);
  Known next_turn(const NodeId& holder, Line& line);
  void lost(const AskLine::Asked& asked, const NodeId& by, Time now);
  void took(Known pull, Pull::Took took, const NodeId& from, Time now);
  void next_holder(Known pull, const NodeId& failed, std::string why, Time now);
  void leave(const NodeId& holder, const std::string& why, bool last_too, Time now);
  void silent(const NodeId& holder, Line& line, Time now);
  void probe(const NodeId& holder, Line& line, Time now);
  void forget_idle_lines();
  PullEffects take() { return std::exchange(out_, {}); }

  std::map<BlobId, Entry> pulls_;
  std::map<NodeId, Line> lines_;
  PullEffects out_;
};

} // namespace tessera
