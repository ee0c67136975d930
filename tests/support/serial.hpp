#pragma once

#include "actors/block.hpp"
#include "node/kernels/kernel.hpp"

#include <algorithm>

// A job's result as one patient process makes it: the oracle of every run over a mesh.
namespace tessera {

inline std::uint64_t leaves_of(std::uint64_t items, std::uint64_t leaf_items) {
  return items / leaf_items + (items % leaf_items != 0);
}

inline Result<Bytes> serial_leaf(KernelRun& run, std::uint64_t leaf, std::uint64_t items,
                                 std::uint64_t leaf_items) {
  Bytes out;
  const auto begin = leaf * leaf_items;
  if (auto ran = run.run(begin, begin + std::min(leaf_items, items - begin), out); !ran)
    return ran.error();
  return out;
}

// The partial of one block: its leaves from left to right, merged at the tree's cuts.
inline Result<Bytes> serial_partial(KernelRun& run, const BlockTree& tree, Block block,
                                    std::uint64_t items, std::uint64_t leaf_items) {
  if (tree.size(block) == 1)
    return serial_leaf(run, tree.begin(block), items, leaf_items);
  const auto [first, second] = tree.halves(block);
  auto left = serial_partial(run, tree, first, items, leaf_items);
  if (!left)
    return left;
  auto right = serial_partial(run, tree, second, items, leaf_items);
  if (!right)
    return right;
  Bytes out;
  if (auto merged = run.merge(*left, *right, out); !merged)
    return merged.error();
  return out;
}

// The whole job's. `input` is prepared.
inline Result<Bytes> serial_result(const Kernel& kernel, const Params& params, std::uint64_t items,
                                   std::uint64_t leaf_items, ByteView input) {
  auto run = kernel.open(params, input, items);
  if (!run)
    return run.error();
  const BlockTree tree(leaves_of(items, leaf_items));
  auto partial = serial_partial(**run, tree, tree.root(), items, leaf_items);
  if (!partial)
    return partial;
  Bytes out;
  if (auto finished = (*run)->finish(*partial, out); !finished)
    return finished.error();
  return out;
}

// From what a submitter types: checks, prepares, plans. `items` and `leaf_items` 0: the kernel's
// own.
inline Result<Bytes> serial_job(const Kernel& kernel,
                                const std::map<std::string, std::string>& given,
                                std::uint64_t items = 0, std::uint64_t leaf_items = 0,
                                ByteView file = {}) {
  auto params = check_params(kernel.info(), given);
  if (!params)
    return params.error();
  Bytes input;
  if (auto prepared = kernel.prepare(*params, file, input); !prepared)
    return prepared.error();
  auto plan =
      kernel.plan(*params, items, ByteView(input).first(std::min<std::size_t>(input.size(), 64)));
  if (!plan)
    return plan.error();
  return serial_result(kernel, *params, plan->items, leaf_items ? leaf_items : plan->leaf_items,
                       input);
}

} // namespace tessera
