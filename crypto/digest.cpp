#include "crypto/digest.hpp"

#include "crypto/little_endian.hpp"
#include "crypto/primitives.hpp"

#include <algorithm>

// Layout, all numbers 8 bytes little-endian:
//   digest_of(domain, parts)  BLAKE2b-256 of  size(domain) domain  { size(part) part }
//   chunk   digest_of("tessera blob chunk", {bytes})
//   node    digest_of("tessera blob node", {left, right})
//   blob    digest_of("tessera blob", {number(size), top}), where top is the only chunk, or the
//           topmost node
// A level's nodes pair the digests below from the left; an odd last one moves up as it is. That is
// the same tree as "on the left the largest power of two below n".
namespace tessera {

namespace {

Digest finish(primitives::Blake2b& hash) {
  Digest digest;
  hash.finish(digest.bytes);
  return digest;
}

void add_part(primitives::Blake2b& hash, ByteView part) {
  Bytes size;
  put(size, std::uint64_t(part.size()));
  hash.add(size).add(part);
}

Digest chunk_digest(ByteView bytes) {
  return digest_of("tessera blob chunk", {bytes});
}

Digest node_digest(const Digest& left, const Digest& right) {
  return digest_of("tessera blob node", {left.view(), right.view()});
}

BlobId root_digest(std::uint64_t size, const Digest& top) {
  Bytes number;
  put(number, size);
  return digest_of("tessera blob", {number, top.view()});
}

std::vector<Digest> level_above(const std::vector<Digest>& level) {
  std::vector<Digest> above;
  for (std::size_t i = 0; i + 1 < level.size(); i += 2)
    above.push_back(node_digest(level[i], level[i + 1]));
  if (level.size() % 2)
    above.push_back(level.back());
  return above;
}

std::uint64_t chunk_size(std::uint64_t blob_size, std::uint64_t chunk) {
  return std::min<std::uint64_t>(blob_chunk_bytes, blob_size - chunk * blob_chunk_bytes);
}

} // namespace

std::string to_hex(const Digest& digest) {
  return to_hex(digest.view());
}

Digest digest_of(ByteView bytes) {
  primitives::Blake2b hash;
  hash.add(bytes);
  return finish(hash);
}

Digest digest_of(std::string_view domain, std::initializer_list<ByteView> parts) {
  primitives::Blake2b hash;
  add_part(hash, view(domain));
  for (const auto part : parts)
    add_part(hash, part);
  return finish(hash);
}

std::uint64_t chunk_count(std::uint64_t blob_size) {
  return blob_size ? (blob_size - 1) / blob_chunk_bytes + 1 : 1;
}

BlobId blob_id(ByteView blob) {
  return BlobTree{blob}.id();
}

BlobTree::BlobTree(ByteView blob) {
  std::vector<Digest> chunks;
  for (std::uint64_t i = 0; i != chunk_count(blob.size()); ++i)
    chunks.push_back(chunk_digest(blob.subspan(i * blob_chunk_bytes, chunk_size(blob.size(), i))));
  levels_.push_back(std::move(chunks));
  while (levels_.back().size() > 1)
    levels_.push_back(level_above(levels_.back()));
  id_ = root_digest(blob.size(), levels_.back().front());
}

std::vector<Digest> BlobTree::proof(std::uint64_t chunk) const {
  std::vector<Digest> siblings;
  for (const auto& level : levels_) {
    if ((chunk ^ 1) < level.size())
      siblings.push_back(level[chunk ^ 1]);
    chunk /= 2;
  }
  return siblings;
}

bool chunk_proves(const BlobId& id, std::uint64_t blob_size, std::uint64_t chunk, ByteView bytes,
                  std::span<const Digest> proof) {
  auto width = chunk_count(blob_size);
  if (chunk >= width || bytes.size() != chunk_size(blob_size, chunk) || proof.size() > 64)
    return false;
  auto digest = chunk_digest(bytes);
  for (; width > 1; width = width / 2 + width % 2, chunk /= 2) {
    if ((chunk ^ 1) >= width)
      continue; // The odd last one of its level.
    if (proof.empty())
      return false;
    digest = chunk % 2 ? node_digest(proof.front(), digest) : node_digest(digest, proof.front());
    proof = proof.subspan(1);
  }
  return proof.empty() && root_digest(blob_size, digest) == id;
}

} // namespace tessera
