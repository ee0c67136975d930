#include "net/manifest.hpp"

#include "crypto/little_endian.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <limits>
#include <map>
#include <random>

using namespace tessera;

namespace {

constexpr auto size_max = std::numeric_limits<std::uint64_t>::max();

BlobId blob(std::uint64_t n) {
  return digest_of(view("piece " + std::to_string(n)));
}

Manifest pieces(std::uint64_t first, std::size_t count, std::uint64_t fuel = 0) {
  Manifest m{fuel, {}};
  for (std::size_t i = 0; i != count; ++i)
    m.parts.push_back({blob(first + i), first + i + 1, false});
  return m;
}

// A heap of blobs that only manifests are put into.
struct Aside {
  std::map<BlobId, Bytes> blobs;

  Manifest join(Manifest left, Manifest right) {
    return Manifest::joined(std::move(left), std::move(right), [&](Bytes bytes) {
      const auto id = blob_id(bytes);
      blobs[id] = std::move(bytes);
      return id;
    });
  }
  // The slow way: opens what is nested by calling itself.
  std::vector<BlobId> pieces_of(const Manifest& m) const {
    std::vector<BlobId> out;
    for (const auto& part : m.parts)
      if (part.manifest)
        for (const auto& id : pieces_of(*Manifest::of(blobs.at(part.blob))))
          out.push_back(id);
      else
        out.push_back(part.blob);
    return out;
  }
};

Manifest random_manifest(std::mt19937_64& rng) {
  Manifest m{rng(), {}};
  for (auto n = 1 + rng() % manifest_parts_max; n; --n)
    m.parts.push_back({blob(rng()), 1 + (rng() >> (6 + rng() % 58)), rng() % 2 == 0});
  return m;
}

} // namespace

TEST_CASE("a manifest's bytes are as WIRE.md has them") {
  const Manifest m{0x0102, {{blob(1), 3, false}, {blob(2), 0x0405, true}}};
  Bytes bytes{1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0};
  put(bytes, blob(1).view());
  for (const std::uint8_t b : {1, 5, 4, 0, 0, 0, 0, 0, 0})
    bytes.push_back(b);
  put(bytes, blob(2).view());
  CHECK(m.encoded() == bytes);
  CHECK(Manifest::of(bytes) == m);
  CHECK(m.size() == 3 + 0x0405);
}

TEST_CASE("what is written is read, and nothing that is shorter or longer") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 rng{seed};
    const auto m = random_manifest(rng);
    auto bytes = m.encoded();
    CHECK(Manifest::of(bytes) == m);
    for (std::size_t size = 0; size != bytes.size(); ++size) {
      const auto part = Manifest::of(ByteView{bytes}.first(size));
      // Cut behind a row, what is left is one with fewer rows.
      const bool behind_row = size > ordered_head_bytes && (size - ordered_head_bytes) % 41 == 0;
      CHECK(part.has_value() == behind_row);
    }
    bytes.push_back(0);
    CHECK(!Manifest::of(bytes));
  }
}

TEST_CASE("a flipped byte makes another manifest, or none") {
  std::mt19937_64 rng{7};
  const auto m = random_manifest(rng);
  const auto good = m.encoded();
  for (std::size_t at = 0; at != good.size(); ++at)
    for (const std::uint8_t flip : {0x01, 0x80, 0xff}) {
      CAPTURE(at);
      auto bytes = good;
      bytes[at] ^= flip;
      if (const auto other = Manifest::of(bytes)) {
        CHECK(*other != m);
        CHECK(other->encoded() == bytes);
      }
    }
}

TEST_CASE("a manifest has a row to its limit, none of no size, and a sum that a number holds") {
  CHECK(!Manifest::of({}));
  CHECK(!Manifest::of(Manifest{}.encoded()));
  CHECK(Manifest::of(pieces(1, manifest_parts_max).encoded()));
  CHECK(!Manifest::of(pieces(1, manifest_parts_max + 1).encoded()));
  CHECK(!Manifest::of(Manifest{0, {{blob(1), 0, false}}}.encoded()));
  CHECK(!Manifest::of(Manifest{0, {{blob(1), 0, true}, {blob(2), 1, false}}}.encoded()));
  CHECK(Manifest::of(Manifest{0, {{blob(1), size_max - 1, false}, {blob(2), 1, false}}}.encoded()));
  CHECK(!Manifest::of(Manifest{0, {{blob(1), size_max, false}, {blob(2), 1, false}}}.encoded()));
  for (const std::uint8_t form : {0, 2, 255}) {
    auto bytes = pieces(1, 2).encoded();
    bytes[0] = form;
    CHECK(!Manifest::of(bytes));
  }
  for (const std::uint8_t kind : {2, 255}) {
    auto bytes = pieces(1, 2).encoded();
    bytes[ordered_head_bytes] = kind;
    CHECK(!Manifest::of(bytes));
  }
}

TEST_CASE("manifests are joined row by row to the limit, then each side is put aside") {
  Aside aside;
  const auto fits = aside.join(pieces(0, 20, 3), pieces(20, 12, 4));
  CHECK(fits == pieces(0, 32, 7));
  CHECK(aside.blobs.empty());

  const auto both = aside.join(pieces(0, 20, 3), pieces(20, 13, 4));
  REQUIRE(both.parts.size() == 2);
  CHECK(both.fuel == 7);
  CHECK(aside.blobs.size() == 2);
  for (const auto& part : both.parts)
    CHECK(part.manifest);
  CHECK(both.parts[0].size == pieces(0, 20).size());
  // Fuel is told once, by the one that is not put aside.
  CHECK(Manifest::of(aside.blobs.at(both.parts[0].blob)) == pieces(0, 20));
  CHECK(Manifest::of(aside.blobs.at(both.parts[1].blob)) == pieces(20, 13));

  aside.blobs.clear();
  const auto one = aside.join(pieces(0, 32, 1), pieces(32, 1, 1));
  REQUIRE(one.parts.size() == 2);
  CHECK(one.parts[0].manifest);
  CHECK(one.parts[1] == pieces(32, 1).parts[0]); // A single row stays as it is.
  CHECK(aside.blobs.size() == 1);
  CHECK(aside.join(pieces(0, 5, size_max), pieces(5, 5, 3)).fuel == 2); // Modulo 2^64.
}

TEST_CASE("a side without rows adds none") {
  Aside aside;
  CHECK(aside.join(Manifest{5, {}}, pieces(0, 32, 1)) == pieces(0, 32, 6));
  CHECK(aside.join(pieces(0, 32, 1), Manifest{5, {}}) == pieces(0, 32, 6));
  CHECK(aside.blobs.empty());
}

TEST_CASE("a walk passes all pieces in order, however deep they are") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 rng{seed};
    Aside aside;
    std::deque<Manifest> row;
    std::vector<BlobId> written;
    for (std::uint64_t n = 1 + rng() % 300; n; --n) {
      row.push_back(pieces(written.size(), 1 + rng() % 3));
      for (const auto& part : row.back().parts)
        written.push_back(part.blob);
    }
    while (row.size() > 1) { // Merged at any place.
      const auto at = rng() % (row.size() - 1);
      row[at] = aside.join(row[at], row[at + 1]);
      row.erase(row.begin() + long(at) + 1);
    }
    REQUIRE(row[0].parts.size() <= manifest_parts_max);
    CHECK(aside.pieces_of(row[0]) == written);
    std::vector<BlobId> walked;
    std::uint64_t size = 0;
    ManifestWalk walk{row[0]};
    while (const auto part = walk.next()) {
      if (part->manifest) {
        REQUIRE(walk.enter(aside.blobs.at(part->blob)));
        continue;
      }
      walked.push_back(part->blob);
      size += part->size;
      walk.pass();
    }
    CHECK(walked == written);
    CHECK(size == row[0].size());
  }
}

TEST_CASE("a walk enters only what is a manifest of the size that was told") {
  const auto under = pieces(0, 3);
  const Manifest top{0, {{blob_id(under.encoded()), under.size(), true}, {blob(9), 9, false}}};
  ManifestWalk walk{top};
  CHECK(!walk.enter({}));
  CHECK(!walk.enter(view("no manifest")));
  CHECK(!walk.enter(pieces(0, 2).encoded()));
  CHECK(walk.next() == top.parts[0]); // Where it was.
  SUBCASE("entered") {
    CHECK(walk.enter(under.encoded()));
    CHECK(walk.next() == under.parts[0]);
  }
  SUBCASE("passed, all of it") {
    walk.pass();
    CHECK(walk.next() == top.parts[1]);
    walk.pass();
    CHECK(!walk.next());
  }
}
