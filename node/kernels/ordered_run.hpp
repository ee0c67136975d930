#pragma once

#include "net/manifest.hpp"
#include "node/kernels/kernel.hpp"

// Ordered output: a leaf's bytes, then the next one's (the merge `concat`). Up to ordered_bytes_max
// they are carried along; then they go to a blob, and what is merged are its names
// (net/manifest.hpp). Fuel, where it is counted, goes with them.
//
// What merges to what is said by the two sides alone, so a block has the same partial wherever the
// cuts between workers were: two that together are short enough are joined; else each is written as
// rows, and the rows are joined.
namespace tessera {

class OrderedRun : public KernelRun {
public:
  explicit OrderedRun(std::unique_ptr<KernelRun> inner) : inner_(std::move(inner)) {}

  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override;
  Status merge(ByteView left, ByteView right, Bytes& out) override; // E711: of another form.
  // The bytes themselves, or the manifest as it is. E711.
  Status finish(ByteView partial, Bytes& out) override;
  Usage usage() override; // After finish the whole job's fuel is among it.
  Pieces take_pieces() override;

private:
  BlobId put_aside(ByteView bytes);
  Manifest rows_of(std::uint64_t fuel, ByteView bytes);
  void answer(const Manifest& manifest, Bytes& out);

  std::unique_ptr<KernelRun> inner_; // Only its leaves are asked for.
  Pieces pieces_;
  std::uint64_t finished_ = 0; // Fuel of jobs that were finished here.
};

} // namespace tessera
