#pragma once

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"

#include <optional>

// A file cut into tasks, with an index, so that any worker finds the one it is to run without
// reading those before it. As bytes: u64 tasks, u64 bytes between two, u64 where each begins and
// one more where the next would, then the file. Little-endian.
namespace tessera {

class EachInput {
public:
  // Lines, without their "\n", which the last may lack; or records of `record_bytes`, of which the
  // last may be short. E422: it holds none.
  static Status index(ByteView file, std::uint64_t record_bytes, Bytes& out);

  // By its first 8 bytes; 0: they are not there.
  static std::uint64_t tasks(ByteView head);

  // Nothing: no such index. `bytes` outlives it.
  static std::optional<EachInput> of(ByteView bytes);

  std::uint64_t tasks() const { return tasks(index_); }
  // Nothing: no such task, or an index that lies.
  std::optional<ByteView> task(std::uint64_t number) const;

private:
  EachInput(ByteView index, ByteView file) : index_(index), file_(file) {}

  ByteView index_, file_;
};

// Of one task as a rule: what a leaf costs beside it is small. Many tasks are likely small ones.
inline std::uint64_t each_leaf_items(std::uint64_t tasks) {
  constexpr std::uint64_t leaves_max = 1 << 20;
  return tasks / leaves_max + (tasks % leaves_max != 0);
}

} // namespace tessera
