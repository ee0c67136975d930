#include "node/store/copy.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>

using namespace tessera;

namespace {

BlobId blob(std::uint64_t n) {
  return digest_of(view("piece " + std::to_string(n)));
}

// Some pieces under manifests in manifests; some blobs are named several times.
struct Tree {
  std::map<BlobId, Bytes> manifests;
  std::set<BlobId> all;
  Manifest top;

  explicit Tree(std::mt19937_64& rng) : top(grown(rng, 3)) {}

private:
  Manifest grown(std::mt19937_64& rng, int depth) {
    Manifest m;
    for (auto n = 1 + rng() % 12; n; --n)
      m.parts.push_back(depth && rng() % 3 == 0 ? nested(rng, depth - 1)
                                                : Manifest::Part{blob(rng() % 50), 1, false});
    for (const auto& part : m.parts)
      all.insert(part.blob);
    return m;
  }
  Manifest::Part nested(std::mt19937_64& rng, int depth) {
    const auto m = grown(rng, depth);
    const auto id = blob_id(m.encoded());
    manifests[id] = m.encoded();
    return {id, m.size(), true};
  }
};

// Answers what is under way in any order; which were wanted.
std::multiset<BlobId> copied(Copy& copy, const Tree& tree, std::mt19937_64& rng) {
  std::multiset<BlobId> wanted;
  std::vector<BlobId> under_way;
  while (!copy.whole()) {
    REQUIRE(!copy.failed());
    for (const auto& id : copy.next()) {
      CHECK(copy.awaits(id));
      CHECK(copy.awaits_manifest(id) == tree.manifests.contains(id));
      wanted.insert(id);
      under_way.push_back(id);
    }
    if (copy.whole())
      break; // What was left is had already.
    REQUIRE(!under_way.empty());
    CHECK(under_way.size() <= 8);
    std::swap(under_way[rng() % under_way.size()], under_way.back());
    const auto id = under_way.back();
    under_way.pop_back();
    const auto bytes = tree.manifests.find(id);
    copy.here(id, bytes == tree.manifests.end() ? ByteView{} : ByteView{bytes->second});
    CHECK(!copy.awaits(id));
  }
  CHECK(under_way.empty());
  return wanted;
}

} // namespace

TEST_CASE("all that lies under a manifest is wanted, each blob once, some at a time") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 rng{seed};
    const Tree tree{rng};
    Copy copy{tree.top};
    const auto wanted = copied(copy, tree, rng);
    CHECK(wanted == std::multiset<BlobId>(tree.all.begin(), tree.all.end()));
  }
}

TEST_CASE("with one that is nowhere the copy has failed, and wants no more") {
  Manifest m;
  for (std::uint64_t n = 0; n < 20; ++n)
    m.parts.push_back({blob(n), 1, false});
  Copy copy{m};
  CHECK(copy.next().size() == 8);
  copy.gone();
  CHECK(copy.failed());
  CHECK(!copy.whole());
  CHECK(copy.next().empty());
}

TEST_CASE("a copy fails of bytes that are not the manifest they should be") {
  const Manifest under{0, {{blob(1), 3, false}}};
  const auto id = blob_id(under.encoded());
  const auto fails = [&](std::uint64_t size, ByteView bytes) {
    Copy copy{Manifest{0, {{id, size, true}}}};
    CHECK(copy.next() == std::vector{id});
    copy.here(id, bytes);
    return copy.failed();
  };
  CHECK(!fails(3, under.encoded()));
  CHECK(fails(4, under.encoded()));
  CHECK(fails(3, view("no manifest")));
  CHECK(fails(3, {}));
}

TEST_CASE("what is behind a manifest waits for it, or goes on without it") {
  const Manifest under{0, {{blob(1), 1, false}}};
  const auto id = blob_id(under.encoded());
  Copy copy{Manifest{0, {{blob(0), 1, false}, {id, 1, true}, {blob(2), 1, false}}}};
  CHECK(copy.next() == std::vector{blob(0), id});
  CHECK(copy.next().empty());
  SUBCASE("it comes") {
    copy.here(id, under.encoded());
    CHECK(copy.next() == std::vector{blob(1), blob(2)});
  }
  SUBCASE("it is left out, with what is under it") {
    copy.skip(id);
    CHECK(copy.next() == std::vector{blob(2)});
    copy.skip(blob(2));
    copy.here(blob(0), {});
    CHECK(copy.whole());
  }
}
