#include "node/store/pull.hpp"

#include <algorithm>

namespace tessera {

void Pull::add_holder(const NodeId& holder) {
  if (std::find(holders_.begin(), holders_.end(), holder) == holders_.end())
    holders_.push_back(holder);
}

bool Pull::drop_holder(const NodeId& holder) {
  const bool asked = this->holder() && *this->holder() == holder;
  std::erase(holders_, holder);
  for (auto chunk = next_; asked && chunk < asked_; ++chunk)
    lost(chunk);
  return asked;
}

BlobAsk Pull::ask_again(std::uint32_t chunks_max) {
  BlobAsk ask{blob_, *again_.begin(), 0};
  while (ask.chunks < chunks_max && again_.erase(ask.first_chunk + ask.chunks))
    ++ask.chunks;
  return ask;
}

std::optional<BlobAsk> Pull::next_ask(std::uint32_t chunks_max) {
  if (!again_.empty())
    return ask_again(chunks_max);
  const auto until = size_ ? chunk_count(*size_) : 1;
  if (asked_ >= until)
    return {};
  const auto chunks = std::uint32_t(std::min<std::uint64_t>(chunks_max, until - asked_));
  const BlobAsk ask{blob_, asked_, chunks};
  asked_ += chunks;
  return ask;
}

void Pull::lost(std::uint64_t chunk) {
  if (wanted(chunk))
    again_.insert(chunk);
}

Pull::Took Pull::received(const BlobChunk& chunk) {
  if (!wanted(chunk.chunk))
    return Took::nothing;
  if (!chunk_proves(blob_, chunk.size, chunk.chunk, chunk.bytes, chunk.proof))
    return Took::lie;
  if (chunk.size > bytes_max_)
    return Took::too_large;
  size_ = chunk.size;
  again_.erase(chunk.chunk);
  ahead_.emplace(chunk.chunk, chunk.bytes);
  for (; !ahead_.empty() && ahead_.begin()->first == next_; ++next_) {
    const auto first = ahead_.extract(ahead_.begin());
    bytes_.insert(bytes_.end(), first.mapped().begin(), first.mapped().end());
  }
  return next_ == chunk_count(*size_) ? Took::whole : Took::part;
}

} // namespace tessera
