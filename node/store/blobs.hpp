#pragma once

#include "crypto/digest.hpp"
#include "crypto/result.hpp"
#include "node/worker/worker.hpp"

#include <filesystem>
#include <list>
#include <map>
#include <optional>
#include <unordered_map>

// Bytes named by their hash, as files in one folder under a quota. What is pinned stays; of the
// rest the least recently used goes first. A cache: after a crash each file must prove itself
// again.
namespace tessera {

struct ProvenChunk {
  std::uint64_t size = 0; // Of the whole blob.
  Bytes bytes;
  std::vector<Digest> proof;
};

class Blobs {
public:
  static constexpr std::size_t count_max = 1 << 16; // Guess: a round leaves a few bytes each.

  // Makes the folder, adopts what is in it. E110: not usable.
  static Result<Blobs> open(std::filesystem::path folder, std::uint64_t quota_bytes);

  // E111: no space on the disk, or the quota is full of pinned blobs. Putting twice is putting
  // once. Past count_max the oldest that is not pinned makes room.
  Result<BlobId> put(ByteView bytes);
  Status put_named(const BlobId& id, ByteView bytes); // The caller has checked the hash.

  bool has(const BlobId& id) const { return entries_.contains(id); }
  std::uint64_t size_of(const BlobId& id) const; // 0 when not here.
  Result<Fd> file(const BlobId& id);             // Read-only. E112: not here.
  Result<Mapping> bytes(const BlobId& id);
  // One chunk and its proof, for a peer. Nothing: not here, out of range, or the file does not
  // match its name (it is removed).
  std::optional<ProvenChunk> chunk(const BlobId& id, std::uint64_t index);

  void pin(const BlobId& id); // Counted; also for a blob that is yet to come.
  void unpin(const BlobId& id);
  void drop(const BlobId& id); // Unpins it, and removes it if nobody else has it pinned.
  // Drops so many bytes at least of what is not pinned, the oldest first. False: there is none.
  bool forget(std::uint64_t bytes);
  // What it is by the clock, for what is used from now on. A file that was here before was used
  // when it was written, as far as anybody knows.
  void at(std::int64_t unix_s) { now_s_ = unix_s; }
  void forget_unused_since(std::int64_t unix_s); // What is not pinned.
  bool intact(const BlobId& id); // Reads it all; removes it if it is not what its name says.

  std::size_t count() const { return entries_.size(); }
  std::uint64_t bytes_used() const { return used_; }
  std::uint64_t quota_bytes() const { return quota_; }

private:
  struct Entry {
    std::uint64_t size = 0;
    std::list<BlobId>::iterator use;
    std::int64_t used_s = 0; // Unix time.
  };
  struct Proofs {
    BlobId id;
    BlobTree tree;
  };

  Blobs(std::filesystem::path folder, std::uint64_t quota)
      : folder_(std::move(folder)), quota_(quota) {}
  std::filesystem::path path_of(const BlobId& id) const;
  void adopt(const BlobId& id, std::uint64_t size, std::int64_t used_s);
  void touch(const BlobId& id);
  void remove(const BlobId& id);
  bool make_room(std::uint64_t bytes);
  const BlobTree* tree_of(const BlobId& id, ByteView bytes);

  std::filesystem::path folder_;
  std::uint64_t quota_;
  std::uint64_t used_ = 0;
  std::int64_t now_s_ = 0;
  std::uint64_t written_ = 0; // Names temporary files.
  std::unordered_map<BlobId, Entry> entries_;
  std::list<BlobId> uses_; // Most recent first.
  std::unordered_map<BlobId, std::uint32_t> pins_;
  std::list<Proofs> proofs_; // Of the blobs last asked for, at most proofs_max.
};

} // namespace tessera
