#pragma once

#include "crypto/bytes.hpp"

#include <compare>
#include <cstring>
#include <functional>
#include <initializer_list>

// BLAKE2b-256 digests, and the ids of blobs. Source: RFC 7693, by libsodium's crypto_generichash.
namespace tessera {

struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  auto operator<=>(const Digest&) const = default;
  ByteView view() const { return bytes; }
};

std::string to_hex(const Digest& digest); // 64 lower-case digits.

Digest digest_of(ByteView bytes);

// Hash of a domain string and parts. Each part goes in behind its length, so that no two lists of
// parts meet.
Digest digest_of(std::string_view domain, std::initializer_list<ByteView> parts);

// A blob's id is the root of a binary BLAKE2b tree over its 64 KiB chunks, so that each chunk
// proves itself. Chunk, node and root are hashed in domains apart, and the root binds the blob's
// size. Cuts: a tree over n > 1 chunks has on its left the largest power of two below n.
using BlobId = Digest;
inline constexpr std::size_t blob_chunk_bytes = 64 * 1024;

BlobId blob_id(ByteView blob);

// ceil(size / chunk), and 1 for the empty blob.
std::uint64_t chunk_count(std::uint64_t blob_size);

// All inner digests of one blob: O(chunks) memory, proofs of O(log chunks) digests.
class BlobTree {
public:
  explicit BlobTree(ByteView blob);
  BlobId id() const { return id_; }
  // Sibling digests from the chunk's level up to the top. `chunk` < chunk_count(size).
  std::vector<Digest> proof(std::uint64_t chunk) const;

private:
  std::vector<std::vector<Digest>> levels_; // Chunks first, the top last.
  BlobId id_;
};

// Whether `bytes` is chunk number `chunk` of the blob `id` with `blob_size` bytes.
bool chunk_proves(const BlobId& id, std::uint64_t blob_size, std::uint64_t chunk, ByteView bytes,
                  std::span<const Digest> proof);

} // namespace tessera

template<>
struct std::hash<tessera::Digest> {
  std::size_t operator()(const tessera::Digest& d) const {
    std::size_t h;
    std::memcpy(&h, d.bytes.data(), sizeof h);
    return h;
  }
};
