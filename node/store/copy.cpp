#include "node/store/copy.hpp"

namespace tessera {

namespace {

constexpr std::size_t at_once_max = 8; // A guess.

} // namespace

std::vector<BlobId> Copy::next() {
  std::vector<BlobId> wanted;
  while (!failed_ && !entering_ && awaited_.size() < at_once_max) {
    const auto part = walk_.next();
    if (!part)
      break;
    if (!seen_.insert(part->blob).second) {
      walk_.pass();
      continue;
    }
    if (part->manifest)
      entering_ = part->blob;
    else
      walk_.pass();
    awaited_.insert(part->blob);
    wanted.push_back(part->blob);
  }
  return wanted;
}

void Copy::skip(const BlobId& blob) {
  awaited_.erase(blob);
  if (entering_ != blob)
    return;
  entering_.reset();
  walk_.pass();
}

void Copy::here(const BlobId& blob, ByteView bytes) {
  awaited_.erase(blob);
  if (entering_ != blob)
    return;
  entering_.reset();
  failed_ |= !walk_.enter(bytes);
}

} // namespace tessera
