#include "node/store/pull.hpp"

#include <algorithm>

namespace tessera {

PullEffects Pull::start(Time now) {
  PullEffects out;
  if (holders_.empty())
    return {NotPulled{"nobody is known to have it"}};
  ask(now, out);
  return out;
}

PullEffects Pull::add_holder(NodeId holder) {
  if (std::find(holders_.begin(), holders_.end(), holder) == holders_.end())
    holders_.push_back(holder);
  return {};
}

// The first ask is for one chunk, which tells the size; then windows overlap by half.
void Pull::ask(Time now, PullEffects& out) {
  due_ = now + config_.patience;
  const auto window = size_ ? config_.window_chunks : 1;
  const auto until = size_ ? std::min(chunks(), next_ + window) : next_ + window;
  if (asked_ > next_ + window / 2 || asked_ >= until)
    return;
  out.push_back(AskHolder{holders_.front(), {blob_, asked_, std::uint32_t(until - asked_)}});
  asked_ = until;
}

PullEffects Pull::received(NodeId from, const BlobChunk& chunk, Time now) {
  if (holders_.empty() || from != holders_.front() || chunk.chunk != next_)
    return {}; // Of an earlier holder, or sent twice.
  if (!chunk_proves(blob_, chunk.size, chunk.chunk, chunk.bytes, chunk.proof))
    return next_holder("a chunk does not prove itself", now);
  if (chunk.size > config_.blob_bytes_max)
    return {NotPulled{"it is larger than this node takes"}};
  size_ = chunk.size;
  bytes_.insert(bytes_.end(), chunk.bytes.begin(), chunk.bytes.end());
  if (++next_ == chunks()) {
    due_.reset();
    return {Pulled{std::move(bytes_)}};
  }
  PullEffects out;
  ask(now, out);
  return out;
}

PullEffects Pull::missing(NodeId from, Time now) {
  if (holders_.empty() || from != holders_.front()) {
    std::erase(holders_, from);
    return {};
  }
  return next_holder("it is gone there", now);
}

PullEffects Pull::wake(Time now) {
  if (!due_ || now < *due_)
    return {};
  return next_holder("no answer", now);
}

// What has proven itself stays; the next one is asked for the rest.
PullEffects Pull::next_holder(std::string why, Time now) {
  holders_.pop_front();
  asked_ = next_;
  if (holders_.empty()) {
    due_.reset();
    return {NotPulled{std::move(why)}};
  }
  PullEffects out;
  ask(now, out);
  return out;
}

} // namespace tessera
