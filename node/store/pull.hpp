#pragma once

#include "net/message.hpp"
#include "net/time.hpp"

#include <deque>
#include <optional>
#include <variant>
#include <vector>

// One blob on its way here, chunk by chunk, from whoever has it. A machine: it asks in windows,
// believes only chunks that prove themselves, and goes on with the next holder when one is silent,
// gone, or lies.
namespace tessera {

struct PullConfig {
  std::uint32_t window_chunks = 32; // 2 MiB asked for at a time.
  Duration patience = std::chrono::seconds(5);
  std::uint64_t blob_bytes_max = std::uint64_t{4} << 30;
};

struct AskHolder {
  NodeId holder;
  BlobAsk ask;
};
struct Pulled {
  Bytes bytes;
};
struct NotPulled {
  std::string why;
};
using PullEffect = std::variant<AskHolder, Pulled, NotPulled>;
using PullEffects =
    std::vector<PullEffect>; // At most one Pulled or NotPulled, last; then the pull is over.

class Pull {
public:
  Pull(PullConfig config, BlobId blob, std::vector<NodeId> holders)
      : config_(config), blob_(blob), holders_(holders.begin(), holders.end()) {}

  PullEffects start(Time now);
  PullEffects add_holder(NodeId holder); // Asked when those before it fail.
  PullEffects received(NodeId from, const BlobChunk& chunk, Time now);
  PullEffects missing(NodeId from, Time now); // It does not have it, or is gone.
  std::optional<Time> next_wake() const { return due_; }
  PullEffects wake(Time now);

  const BlobId& blob() const { return blob_; }
  const NodeId& holder() const { return holders_.front(); } // Asked now. One is left.

private:
  PullEffects next_holder(std::string why, Time now);
  void ask(Time now, PullEffects& out);
  std::uint64_t chunks() const { return chunk_count(*size_); }

  PullConfig config_;
  BlobId blob_;
  std::deque<NodeId> holders_; // The first is being asked.
  std::optional<std::uint64_t> size_;
  Bytes bytes_;             // The chunks before next_, in order.
  std::uint64_t next_ = 0;  // Wanted next. A session delivers in order.
  std::uint64_t asked_ = 0; // Asked for up to here.
  std::optional<Time> due_;
};

} // namespace tessera
