#pragma once

#include "net/manifest.hpp"

#include <set>

// All blobs under one manifest on their way here, some at a time. A machine: says which it wants,
// is told what came. A blob that is named twice is wanted once.
namespace tessera {

class Copy {
public:
  explicit Copy(const Manifest& top) : walk_(top) {}

  std::vector<BlobId> next();                    // Wanted now, each answered by here() or gone().
  void here(const BlobId& blob, ByteView bytes); // What `bytes` are matters of a manifest alone.
  void gone() { failed_ = true; }
  void skip(const BlobId& blob); // Goes on without it, and what is under it.

  bool awaits(const BlobId& blob) const { return awaited_.contains(blob); }
  bool awaits_manifest(const BlobId& blob) const { return entering_ == blob; }
  bool failed() const { return failed_; } // One is nowhere, or is not what its manifest says.
  bool whole() const { return !failed_ && awaited_.empty() && !walk_.next(); }

private:
  ManifestWalk walk_;
  std::set<BlobId> seen_, awaited_;
  std::optional<BlobId> entering_; // A manifest: what is behind it waits.
  bool failed_ = false;
};

} // namespace tessera
