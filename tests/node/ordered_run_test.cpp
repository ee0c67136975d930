#include "node/kernels/ordered_run.hpp"

#include "crypto/little_endian.hpp"
#include "node/kernels/block_run.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>

using namespace tessera;

namespace {

// What each leaf of a job writes: from nothing to several pieces' worth.
struct Outputs {
  std::uint64_t seed;
  std::uint64_t leaves;
  std::uint64_t bytes_max;

  Bytes of(std::uint64_t leaf) const {
    std::mt19937_64 rng{seed * 1000003 + leaf};
    Bytes bytes(rng() % 4 == 0 ? 0 : rng() % (bytes_max + 1));
    for (auto& byte : bytes)
      byte = std::uint8_t(rng());
    return bytes;
  }
  std::uint64_t fuel(std::uint64_t leaf) const { return 1 + (seed + leaf * 7) % 1000; }
  Bytes all() const {
    Bytes bytes;
    for (std::uint64_t leaf = 0; leaf != leaves; ++leaf)
      put(bytes, of(leaf));
    return bytes;
  }
  std::uint64_t all_fuel() const {
    std::uint64_t sum = 0;
    for (std::uint64_t leaf = 0; leaf != leaves; ++leaf)
      sum += fuel(leaf);
    return sum;
  }
};

// A module of one item a leaf.
class Leaf : public KernelRun {
public:
  explicit Leaf(const Outputs& outputs) : outputs_(outputs) {}

  Status run(std::uint64_t begin, std::uint64_t, Bytes& out) override {
    if (begin == fails_at)
      return Error{"E799", "it fails", "as the test wants", "nothing"};
    put(out, outputs_.of(begin));
    fuel_ += outputs_.fuel(begin);
    return Nothing{};
  }
  Status merge(ByteView, ByteView, Bytes&) override {
    FAIL("its merge is asked for");
    return Nothing{};
  }
  Usage usage() override { return {fuel_, 0}; }

  static inline std::optional<std::uint64_t> fails_at;

private:
  const Outputs& outputs_;
  std::uint64_t fuel_ = 0;
};

// Some workers that share a store. Each block runs in one of them, whole or by halves, and each
// merge in any.
class Mesh {
public:
  Mesh(const Outputs& outputs, std::uint64_t seed)
      : outputs_(outputs), leaves_(*Leaves::of(outputs.leaves, 1)), rng_(seed) {
    for (int i = 0; i < 3; ++i)
      workers_.push_back(std::make_unique<OrderedRun>(std::make_unique<Leaf>(outputs)));
  }

  Bytes partial(Block block) {
    auto& worker = any();
    if (leaves_.tree.size(block) == 1 || rng_() % 3 == 0) {
      BlockRun run;
      REQUIRE(run.run(worker, leaves_, block, false));
      keep(worker, run.partial());
      return to_bytes(run.partial());
    }
    const auto [left, right] = leaves_.tree.halves(block);
    Bytes l, r, out;
    if (rng_() % 2)
      l = partial(left), r = partial(right);
    else
      r = partial(right), l = partial(left);
    REQUIRE(worker.merge(l, r, out));
    keep(worker, out);
    return out;
  }
  Bytes root() { return partial(leaves_.tree.root()); }

  struct Result {
    Bytes bytes;
    std::uint64_t fuel;
    bool manifest;
  };
  Result finish(ByteView partial) {
    auto& worker = any();
    const auto before = worker.usage().fuel;
    Bytes out;
    REQUIRE(worker.finish(partial, out));
    const auto pieces = worker.take_pieces();
    CHECK(pieces.bytes.empty());
    return {pieces.manifest ? assembled(out) : out, worker.usage().fuel - before, pieces.manifest};
  }

private:
  OrderedRun& any() { return *workers_[rng_() % workers_.size()]; }

  void keep(OrderedRun& worker, ByteView partial) {
    const auto pieces = worker.take_pieces();
    CHECK(pieces.manifest == Manifest::of(partial).has_value());
    std::size_t at = 0;
    REQUIRE(pieces.rows.size() % 40 == 0);
    for (std::size_t row = 0; row != pieces.rows.size(); row += 40) {
      const auto size = get<std::uint64_t>(pieces.rows, row + 32);
      const auto bytes = ByteView{pieces.bytes}.subspan(at, size);
      const auto id = blob_id(bytes);
      CHECK(std::equal(id.bytes.begin(), id.bytes.end(), pieces.rows.begin() + long(row)));
      store_[id] = to_bytes(bytes);
      at += size;
    }
    CHECK(at == pieces.bytes.size());
  }

  Bytes assembled(ByteView manifest) const {
    Bytes all;
    ManifestWalk walk{*Manifest::of(manifest)};
    while (const auto part = walk.next()) {
      REQUIRE(store_.contains(part->blob));
      const auto& bytes = store_.at(part->blob);
      if (part->manifest) {
        REQUIRE(walk.enter(bytes));
        continue;
      }
      CHECK(bytes.size() == part->size);
      put(all, bytes);
      walk.pass();
    }
    return all;
  }

  const Outputs& outputs_;
  const Leaves leaves_;
  std::mt19937_64 rng_;
  std::vector<std::unique_ptr<OrderedRun>> workers_;
  std::map<BlobId, Bytes> store_;
};

Bytes raw(std::uint64_t fuel, ByteView bytes) {
  Bytes out{0};
  put(out, fuel);
  put(out, bytes);
  return out;
}

} // namespace

TEST_CASE("whoever runs and merges what, the root's partial is the same, and its pieces are all") {
  std::size_t raws = 0, manifests = 0, nested = 0;
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 rng{seed};
    const std::uint64_t sizes[] = {40, 2000, 9000, 3 * ordered_bytes_max};
    const Outputs outputs{seed, 1 + rng() % (seed % 3 ? 40 : 300), sizes[seed % 4]};
    std::optional<Bytes> first;
    for (std::uint64_t cuts = 0; cuts < 6; ++cuts) {
      CAPTURE(cuts);
      Mesh mesh{outputs, seed * 100 + cuts};
      const auto partial = mesh.root();
      if (!first)
        first = partial;
      REQUIRE(partial == *first);
      const auto result = mesh.finish(partial);
      CHECK(result.bytes == outputs.all());
      CHECK(result.fuel == outputs.all_fuel());
      CHECK(get<std::uint64_t>(partial, 1) == outputs.all_fuel());
      CHECK(result.manifest == (outputs.all().size() > ordered_bytes_max));
    }
    const auto m = Manifest::of(*first);
    raws += !m;
    manifests += m.has_value();
    nested += m && std::any_of(m->parts.begin(), m->parts.end(),
                               [](const auto& part) { return part.manifest; });
  }
  CHECK(raws > 0);
  CHECK(manifests > 0);
  CHECK(nested > 0);
}

TEST_CASE("bytes go along up to their limit, and are one piece past it") {
  for (const auto extra : {0u, 1u}) {
    const Bytes bytes(ordered_bytes_max + extra, 'x');
    OrderedRun run{std::make_unique<Leaf>(Outputs{})};
    Bytes merged;
    REQUIRE(run.merge(raw(1, ByteView{bytes}.first(9000)), raw(2, ByteView{bytes}.subspan(9000)),
                      merged));
    const auto m = Manifest::of(merged);
    CHECK(m.has_value() == (extra == 1));
    if (!extra)
      CHECK(merged == raw(3, bytes));
    else
      CHECK(m->parts == std::vector<Manifest::Part>{
                            {blob_id(ByteView{bytes}.first(9000)), 9000, false},
                            {blob_id(ByteView{bytes}.subspan(9000)), bytes.size() - 9000, false}});
  }
}

TEST_CASE("a side of no bytes has no rows") {
  OrderedRun run{std::make_unique<Leaf>(Outputs{})};
  const Manifest m{4, {{blob_id(view("piece")), 5, false}}};
  Bytes left, right;
  REQUIRE(run.merge(m.encoded(), raw(1, {}), left));
  REQUIRE(run.merge(raw(1, {}), m.encoded(), right));
  CHECK(left == Manifest{5, m.parts}.encoded());
  CHECK(right == left);
  CHECK(run.take_pieces().rows.empty());
}

TEST_CASE("a partial that is none is refused, on either side and at the end") {
  OrderedRun run{std::make_unique<Leaf>(Outputs{})};
  const auto good = raw(1, view("bytes"));
  auto cut = Manifest{0, {{blob_id(view("piece")), 5, false}}}.encoded();
  cut.pop_back();
  for (const auto& bad : std::vector<Bytes>{{}, {0}, Bytes(8, 0), Bytes(9, 1), Bytes(20, 2), cut}) {
    Bytes out;
    for (const auto& refused :
         {run.merge(bad, good, out), run.merge(good, bad, out), run.finish(bad, out)}) {
      REQUIRE(!refused);
      CHECK(refused.error().code == "E711");
    }
    CHECK(out.empty());
  }
}

TEST_CASE("of a call that failed half-way no piece is told with the next") {
  const Outputs outputs{3, 8, 3 * ordered_bytes_max};
  OrderedRun run{std::make_unique<Leaf>(outputs)};
  BlockRun block;
  Leaf::fails_at = 5;
  const auto failed = block.run(run, *Leaves::of(8, 1), {3, 0}, false);
  Leaf::fails_at.reset();
  REQUIRE(!failed);
  CHECK(!run.take_pieces().rows.empty()); // As a worker does before each call.
  Bytes merged;
  REQUIRE(run.merge(raw(1, view("a")), raw(1, view("b")), merged));
  const auto pieces = run.take_pieces();
  CHECK(pieces.rows.empty());
  CHECK(pieces.bytes.empty());
  CHECK(!pieces.manifest);
}
