#include "node/kernels/block_run.hpp"

#include <algorithm>
#include <bit>

namespace tessera {

std::optional<Leaves> Leaves::of(std::uint64_t items, std::uint64_t leaf_items) {
  if (items == 0 || items > (std::uint64_t{1} << 63) || leaf_items == 0)
    return std::nullopt;
  const auto count = items / leaf_items + (items % leaf_items != 0);
  return Leaves{BlockTree{count}, items, leaf_items};
}

std::pair<std::uint64_t, std::uint64_t> Leaves::range(std::uint64_t leaf) const {
  const auto begin = leaf * leaf_items;
  return {begin, begin + std::min(leaf_items, items - begin)};
}

Digest leaf_digest(ByteView partial) {
  return digest_of("tessera leaf", {partial});
}

Digest leaves_digest(const Digest& left, const Digest& right) {
  return digest_of("tessera leaves", {left.view(), right.view()});
}

Status BlockRun::run(KernelRun& kernel, const Leaves& leaves, Block block, bool want_digests) {
  assert(leaves.tree.valid(block));
  depth_ = 0;
  want_digests_ = want_digests;
  const auto begin = leaves.tree.begin(block), end = leaves.tree.end(block);
  for (auto leaf = begin; leaf != end; ++leaf) {
    if (auto ran = run_leaf(kernel, leaves, leaf); !ran)
      return ran;
    for (auto carries = std::countr_zero(leaf - begin + 1); carries > 0; --carries)
      if (auto merged = merge_last_two(kernel); !merged)
        return merged;
  }
  // What the cut at the last leaf left apart: the rightmost, smallest halves first.
  while (depth_ > 1)
    if (auto merged = merge_last_two(kernel); !merged)
      return merged;
  return Nothing{};
}

Status BlockRun::run_leaf(KernelRun& kernel, const Leaves& leaves, std::uint64_t leaf) {
  if (depth_ == live_.size())
    live_.emplace_back();
  auto& live = live_[depth_];
  live.bytes.clear();
  const auto [begin, end] = leaves.range(leaf);
  if (auto ran = kernel.run(begin, end, live.bytes); !ran)
    return ran;
  live.digest = want_digests_ ? leaf_digest(live.bytes) : Digest{};
  ++depth_;
  return Nothing{};
}

Status BlockRun::merge_last_two(KernelRun& kernel) {
  auto& left = live_[depth_ - 2];
  auto& right = live_[depth_ - 1];
  merged_.clear();
  if (auto merged = kernel.merge(left.bytes, right.bytes, merged_); !merged)
    return merged;
  left.bytes.swap(merged_);
  if (want_digests_)
    left.digest = leaves_digest(left.digest, right.digest);
  --depth_;
  return Nothing{};
}

void BlockRun::trim(std::size_t bytes_max) {
  auto held = merged_.capacity();
  for (const auto& live : live_)
    held += live.bytes.capacity();
  if (held <= bytes_max)
    return;
  live_ = {};
  merged_ = {};
}

} // namespace tessera
