#include "crypto/digest.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <random>
#include <set>

using namespace tessera;

namespace {

constexpr auto chunk_size = blob_chunk_bytes;

Bytes blob_of(std::size_t size) {
  Bytes blob(size);
  std::mt19937_64 rng{size};
  for (auto& byte : blob)
    byte = std::uint8_t(rng());
  return blob;
}

Bytes number(std::uint64_t n) {
  Bytes bytes(8);
  for (int i = 0; i != 8; ++i)
    bytes[std::size_t(i)] = std::uint8_t(n >> 8 * i);
  return bytes;
}

ByteView chunk_of(const Bytes& blob, std::size_t chunk) {
  return ByteView{blob}
      .subspan(chunk * chunk_size)
      .first(std::min(chunk_size, blob.size() - chunk * chunk_size));
}

// The tree as the header tells it: on the left the largest power of two below n.
Digest naive_top(const Bytes& blob, std::size_t first, std::size_t n) {
  if (n == 1)
    return digest_of("tessera blob chunk", {chunk_of(blob, first)});
  const auto left = std::bit_floor(n - 1);
  return digest_of("tessera blob node", {naive_top(blob, first, left).view(),
                                         naive_top(blob, first + left, n - left).view()});
}

BlobId naive_id(const Bytes& blob) {
  const auto n = blob.empty() ? 1 : (blob.size() + chunk_size - 1) / chunk_size;
  return digest_of("tessera blob", {number(blob.size()), naive_top(blob, 0, n).view()});
}

const std::vector<std::size_t> sizes{0,
                                     1,
                                     chunk_size - 1,
                                     chunk_size,
                                     chunk_size + 1,
                                     2 * chunk_size,
                                     3 * chunk_size - 7,
                                     4 * chunk_size,
                                     5 * chunk_size,
                                     6 * chunk_size + 1,
                                     7 * chunk_size,
                                     11 * chunk_size + 100,
                                     13 * chunk_size};

} // namespace

TEST_CASE("a digest is BLAKE2b-256") {
  // As another implementation says: Python's hashlib.
  CHECK(to_hex(digest_of(view(""))) ==
        "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
  CHECK(to_hex(digest_of(view("abc"))) ==
        "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

TEST_CASE("a digest of parts is the digest of their written layout") {
  Bytes layout = number(6);
  const auto add = [&](ByteView bytes) { layout.insert(layout.end(), bytes.begin(), bytes.end()); };
  add(view("domain"));
  add(number(3));
  add(view("one"));
  add(number(0));
  CHECK(digest_of("domain", {view("one"), {}}) == digest_of(layout));
}

TEST_CASE("no two lists of parts meet") {
  const std::set<Digest> all{
      digest_of("d", {}),
      digest_of("d", {{}}),
      digest_of("d", {{}, {}}),
      digest_of("d", {view("ab")}),
      digest_of("d", {view("a"), view("b")}),
      digest_of("d", {view("ab"), {}}),
      digest_of("d", {{}, view("ab")}),
      digest_of("da", {view("b")}),
      digest_of("dab", {}),
      digest_of("", {view("d"), view("ab")}),
      digest_of(view("dab")),
  };
  CHECK(all.size() == 11);
}

TEST_CASE("a blob's id is that of the tree told in words") {
  for (const auto size : sizes) {
    CAPTURE(size);
    const auto blob = blob_of(size);
    CHECK(blob_id(blob) == naive_id(blob));
    CHECK(BlobTree{blob}.id() == naive_id(blob));
  }
}

TEST_CASE("each chunk proves itself, and no other, at no other place") {
  for (const auto size : sizes) {
    CAPTURE(size);
    const auto blob = blob_of(size);
    const BlobTree tree{blob};
    const auto n = chunk_count(size);
    CHECK(n == (size ? (size + chunk_size - 1) / chunk_size : 1));
    for (std::uint64_t i = 0; i != n; ++i) {
      const auto proof = tree.proof(i);
      for (std::uint64_t j = 0; j != n; ++j) {
        CHECK(chunk_proves(tree.id(), size, j, chunk_of(blob, i), proof) == (i == j));
        CHECK(chunk_proves(tree.id(), size, i, chunk_of(blob, j), proof) == (i == j));
      }
      CHECK_FALSE(chunk_proves(tree.id(), size, n, chunk_of(blob, i), proof));
      CHECK_FALSE(chunk_proves(tree.id(), size + 1, i, chunk_of(blob, i), proof));
      CHECK_FALSE(chunk_proves(digest_of("x", {}), size, i, chunk_of(blob, i), proof));
    }
  }
}

TEST_CASE("a chunk with any byte of it or its proof changed proves nothing") {
  const auto blob = blob_of(5 * chunk_size + 3);
  const BlobTree tree{blob};
  std::mt19937_64 rng{1};
  for (std::uint64_t i = 0; i != chunk_count(blob.size()); ++i) {
    const auto proof = tree.proof(i);
    auto bytes = to_bytes(chunk_of(blob, i));
    for (int round = 0; round != 5; ++round) {
      auto& byte = bytes[rng() % bytes.size()];
      byte ^= 0x10;
      CHECK_FALSE(chunk_proves(tree.id(), blob.size(), i, bytes, proof));
      byte ^= 0x10;
    }
    for (std::size_t level = 0; level != proof.size(); ++level) {
      auto changed = proof;
      changed[level].bytes[rng() % 32] ^= 1;
      CHECK_FALSE(chunk_proves(tree.id(), blob.size(), i, bytes, changed));
    }
    auto longer = proof, shorter = proof;
    longer.push_back({});
    shorter.pop_back();
    CHECK_FALSE(chunk_proves(tree.id(), blob.size(), i, bytes, longer));
    CHECK_FALSE(chunk_proves(tree.id(), blob.size(), i, bytes, shorter));
    bytes.pop_back();
    CHECK_FALSE(chunk_proves(tree.id(), blob.size(), i, bytes, proof));
  }
}

TEST_CASE("absurd sizes and chunks are refused in no time") {
  const auto most = ~std::uint64_t{0};
  CHECK(chunk_count(most) == (std::uint64_t{1} << 48));
  const std::vector<Digest> proof(48);
  CHECK_FALSE(chunk_proves({}, most, 0, Bytes(chunk_size), proof));
  CHECK_FALSE(chunk_proves({}, most, most, Bytes(chunk_size), proof));
  CHECK_FALSE(chunk_proves({}, 1, 0, Bytes(1), std::vector<Digest>(1000)));
}
