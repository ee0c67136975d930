#pragma once

#include "net/message.hpp"

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

// One blob on its way here, chunk by chunk: what is to be asked for next, and what came of it. Only
// chunks that prove themselves are believed, whoever sends them. When to ask is for others to say
// (pulls.hpp).
namespace tessera {

class Pull {
public:
  Pull(BlobId blob, std::vector<NodeId> holders, std::uint64_t bytes_max)
      : blob_(blob), bytes_max_(bytes_max), holders_(holders.begin(), holders.end()) {}

  const NodeId* holder() const { return holders_.empty() ? nullptr : &holders_.front(); }
  bool has_another() const { return holders_.size() > 1; }
  void add_holder(const NodeId& holder); // Asked when those before it fail.
  // Whether it was the one that is asked: then what it was asked for is to be asked of the next.
  bool drop_holder(const NodeId& holder);

  // The first ask is for one chunk, which tells the size. Nothing: all is asked for.
  std::optional<BlobAsk> next_ask(std::uint32_t chunks_max);
  void lost(std::uint64_t chunk); // It will not come: to be asked for again.

  enum class Took { nothing, part, whole, lie, too_large };
  Took received(const BlobChunk& chunk);
  Bytes take() { return std::move(bytes_); } // When whole.

  bool fresh() const { return !size_; } // Its size is not known yet.

private:
  bool wanted(std::uint64_t chunk) const {
    return chunk >= next_ && chunk < asked_ && !ahead_.contains(chunk);
  }
  BlobAsk ask_again(std::uint32_t chunks_max);

  BlobId blob_;
  std::uint64_t bytes_max_;
  std::deque<NodeId> holders_; // The first is being asked.
  std::optional<std::uint64_t> size_;
  Bytes bytes_;                          // The chunks before next_, in order.
  std::map<std::uint64_t, Bytes> ahead_; // Came before one that was lost.
  std::uint64_t next_ = 0;
  std::uint64_t asked_ = 0;       // All before it were asked for at least once.
  std::set<std::uint64_t> again_; // Of those: lost.
};

} // namespace tessera
