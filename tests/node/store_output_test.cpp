#include "crypto/little_endian.hpp"
#include "tests/node/store_rig.hpp"

#include <fstream>

using namespace tessera;
using namespace tessera::rig;

// Ordered output: its pieces as they are made, copied, kept and let go.
namespace {

NodeId node(std::uint8_t n) {
  NodeId id;
  id.key.fill(n);
  return id;
}
const auto peer = node(2), another = node(3);
const auto job = digest_of(view("a job")), other_job = digest_of(view("another job"));

constexpr std::uint64_t tight = 64 * 1024; // A quota that a few blobs fill.

Bytes piece(std::uint64_t n) {
  return to_bytes(view("piece " + std::to_string(n)));
}
BlobId id_of(std::uint64_t n) {
  return blob_id(piece(n));
}
Manifest pieces(std::uint64_t first, std::uint64_t count) {
  Manifest m;
  for (auto n = first; n != first + count; ++n)
    m.parts.push_back({id_of(n), piece(n).size(), false});
  return m;
}
Manifest::Part nested(const Manifest& m) {
  return {blob_id(m.encoded()), m.size(), true};
}
Partial partial_of(const Manifest& m) {
  auto bytes = m.encoded();
  const auto id = blob_id(bytes);
  const auto size = bytes.size();
  return {id, size, std::move(bytes), true};
}

void bring(StoreRig& rig, const JobId& job, const std::vector<Bytes>& pieces) {
  KeepPieces what{job, {}, {}};
  Bytes all;
  for (const auto& bytes : pieces) {
    what.rows.push_back({blob_id(bytes), bytes.size()});
    put(all, bytes);
  }
  what.pieces = StoreRig::payload(all);
  CHECK(rig.ask<Kept>(what).ok);
}

bool outlasts_pressure(StoreRig& rig, const BlobId& blob) {
  rig.press();
  return rig.has(blob);
}
// Asks for all the room there is.
bool outlasts_all(StoreRig& rig, const BlobId& blob) {
  rig.keep(Bytes(tight, 1));
  return rig.has(blob);
}

void copy(StoreRig& rig, const Manifest& m, std::vector<NodeId> holders = {peer},
          const JobId& of = job) {
  rig.stage.tell_as(rig.asker.actor(), rig.store, CopyFor{of, m.encoded(), std::move(holders)});
}
bool copied(StoreRig& rig, const Manifest& m) {
  const auto here = rig.asker.take<BlobHere>();
  CHECK(rig.asker.size() == 0);
  return here.size() == 1 && here[0].blob == blob_id(m.encoded());
}
bool failed(StoreRig& rig, const Manifest& m) {
  const auto gone = rig.asker.take<BlobGone>();
  CHECK(rig.asker.size() == 0);
  return gone.size() == 1 && gone[0].blob == blob_id(m.encoded());
}

// A peer that has some blobs, each of one chunk.
struct Holder {
  NodeId id = peer;
  std::map<BlobId, Bytes> blobs = {};
  std::vector<BlobId> asked = {};

  void add(const Bytes& bytes) { blobs[blob_id(bytes)] = bytes; }
  void add_pieces(std::uint64_t first, std::uint64_t count) {
    for (auto n = first; n != first + count; ++n)
      add(piece(n));
  }
  // What it is asked for now; how many.
  std::size_t answer(StoreRig& rig) {
    const auto asks = rig.sent<BlobAsk>(id);
    for (const auto& ask : asks) {
      asked.push_back(ask.blob);
      const auto it = blobs.find(ask.blob);
      if (it == blobs.end())
        rig.hear(id, BlobMissing{ask.blob});
      else
        rig.hear(id, BlobChunk{ask.blob, it->second.size(), 0, it->second, {}});
    }
    return asks.size();
  }
};

} // namespace

// --- Pieces made here

TEST_CASE("pieces stay until their job is over here") {
  StoreRig rig{tight};
  bring(rig, job, {piece(1), piece(2)});
  CHECK(rig.content(id_of(1)) == piece(1));
  CHECK(rig.content(id_of(2)) == piece(2));
  bring(rig, other_job, {piece(2)});
  CHECK(outlasts_pressure(rig, id_of(1)));
  rig.stage.tell(rig.store, ReleaseJob{job, false});
  CHECK_FALSE(outlasts_pressure(rig, id_of(1)));
  CHECK(rig.has(id_of(2))); // The other job's too.
}

TEST_CASE("pieces for which there is no room are refused, and why") {
  StoreRig rig{100};
  KeepPieces what{job, StoreRig::payload(Bytes(200, 1)), {{blob_id(Bytes(200, 1)), 200}}};
  const auto kept = rig.ask<Kept>(what);
  CHECK_FALSE(kept.ok);
  CHECK(kept.why.code == "E111");
}

TEST_CASE("what a result names stays for a day, and then while there is room") {
  StoreRig rig{tight};
  bring(rig, job, {piece(1)});
  rig.stage.tell(rig.store, ReleaseJob{job, true});
  rig.stage.leap(23h + 59min);
  CHECK(outlasts_all(rig, id_of(1)));
  rig.stage.leap(2min);
  CHECK(outlasts_pressure(rig, id_of(1)));
  CHECK_FALSE(outlasts_all(rig, id_of(1)));
}

TEST_CASE("what stayed for a day may go when another job is over") {
  StoreRig rig{tight};
  bring(rig, job, {piece(1)});
  rig.stage.tell(rig.store, ReleaseJob{job, true});
  rig.stage.leap(24h);
  rig.stage.tell(rig.store, ReleaseJob{other_job, false});
  CHECK_FALSE(outlasts_pressure(rig, id_of(1)));
}

TEST_CASE("a piece that a slot brings when its job is over is not kept for ever") {
  StoreRig rig{tight};
  SUBCASE("nothing of it is needed") {
    rig.stage.tell(rig.store, ReleaseJob{job, false});
    bring(rig, job, {piece(1)});
    CHECK_FALSE(outlasts_pressure(rig, id_of(1)));
  }
  SUBCASE("nor is of a job that was rooted here") {
    const auto spec = rig.accepted();
    rig.stage.tell(rig.store, StoreRig::end_of(spec, JobState::cancelled));
    bring(rig, spec->id, {piece(1)});
    CHECK_FALSE(outlasts_pressure(rig, id_of(1)));
  }
  SUBCASE("it stays as long as the rest") {
    rig.stage.tell(rig.store, ReleaseJob{job, true});
    bring(rig, job, {piece(1)});
    CHECK(outlasts_all(rig, id_of(1)));
    rig.stage.leap(24h);
    CHECK_FALSE(outlasts_all(rig, id_of(1)));
  }
}

TEST_CASE("a job that comes back is not over") {
  StoreRig rig{tight};
  bring(rig, job, {piece(1)});
  rig.stage.tell(rig.store, ReleaseJob{job, true});
  copy(rig, pieces(1, 1));
  CHECK(copied(rig, pieces(1, 1)));
  rig.stage.leap(48h);
  CHECK(outlasts_all(rig, id_of(1)));
}

TEST_CASE("of more jobs that are over than a few thousand the oldest is forgotten") {
  StoreRig rig{tight};
  bring(rig, job, {piece(1)});
  rig.stage.tell(rig.store, ReleaseJob{job, true});
  rig.stage.leap(1s);
  for (int i = 0; i < 4095; ++i)
    rig.stage.tell(rig.store, ReleaseJob{digest_of(view(std::to_string(i))), true});
  CHECK(outlasts_all(rig, id_of(1)));
  rig.stage.tell(rig.store, ReleaseJob{other_job, true});
  CHECK_FALSE(outlasts_all(rig, id_of(1)));
}

// --- Copies

TEST_CASE("a copy brings all that lies under a manifest, however deep, and keeps it") {
  StoreRig rig{tight};
  const auto low = pieces(10, 3);
  Manifest middle = pieces(20, 2);
  middle.parts.push_back(nested(low));
  Manifest top = pieces(1, 2);
  top.parts.push_back(nested(middle));
  top.parts.push_back(pieces(30, 1).parts[0]);
  Holder holder;
  for (const auto& [first, count] : {std::pair{1, 2}, {10, 3}, {20, 2}, {30, 1}})
    holder.add_pieces(std::uint64_t(first), std::uint64_t(count));
  holder.add(low.encoded());
  holder.add(middle.encoded());
  copy(rig, top);
  while (holder.answer(rig))
    ;
  CHECK(copied(rig, top));
  CHECK(holder.asked.size() == holder.blobs.size()); // Each once.
  rig.press();
  for (const auto& [id, bytes] : holder.blobs)
    CHECK(rig.content(id) == bytes);
  rig.stage.tell(rig.store, ReleaseJob{job, false});
  rig.press();
  for (const auto& [id, bytes] : holder.blobs)
    CHECK_FALSE(rig.has(id));
}

TEST_CASE("what of a copy is here already is not asked for, but kept as well") {
  StoreRig rig{tight};
  const auto m = pieces(1, 4);
  rig.keep(piece(2));
  Holder holder;
  holder.add_pieces(1, 4);
  copy(rig, m);
  CHECK(holder.answer(rig) == 3);
  CHECK(copied(rig, m));
  CHECK(outlasts_pressure(rig, id_of(2)));
  copy(rig, m);
  CHECK(copied(rig, m)); // At once.
  CHECK(rig.mesh.size() == 0);
}

TEST_CASE("a copy fails with one that is nowhere, or a manifest that is none") {
  StoreRig rig;
  const auto low = pieces(10, 2);
  Manifest top = pieces(1, 2);
  top.parts.push_back(nested(low));
  Holder holder;
  holder.add_pieces(1, 2);
  holder.add_pieces(10, 2);
  holder.add(low.encoded());
  const auto lacks = [&](const BlobId& id) {
    StoreRig fresh;
    auto less = holder;
    less.blobs.erase(id);
    copy(fresh, top);
    while (less.answer(fresh))
      ;
    return failed(fresh, top);
  };
  CHECK(lacks(id_of(1)));
  CHECK(lacks(id_of(11)));
  CHECK(lacks(nested(low).blob));
  Manifest lies = top;
  lies.parts[2].size += 1;
  copy(rig, lies);
  while (holder.answer(rig))
    ;
  CHECK(failed(rig, lies));
  rig.stage.tell_as(rig.asker.actor(), rig.store, CopyFor{job, piece(1), {peer}});
  const auto gone = rig.asker.take<BlobGone>();
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].blob == id_of(1));
}

TEST_CASE("a copy goes on with the next holder, and asks who gave last first") {
  StoreRig rig;
  Holder gives{another};
  gives.add_pieces(1, 2);
  copy(rig, pieces(1, 1), {peer, another});
  CHECK(Holder{}.answer(rig) == 1); // It has nothing.
  CHECK(gives.answer(rig) == 1);
  CHECK(copied(rig, pieces(1, 1)));
  copy(rig, pieces(2, 1), {peer, another});
  CHECK(gives.answer(rig) == 1);
  CHECK(copied(rig, pieces(2, 1)));
}

TEST_CASE("more copies than fit at once wait, and none is refused") {
  StoreRig rig;
  constexpr std::uint64_t copies = 400, each = 10;
  Holder holder;
  holder.add_pieces(0, copies * each);
  for (std::uint64_t i = 0; i < copies; ++i)
    copy(rig, pieces(i * each, each));
  while (const auto asked = holder.answer(rig))
    CHECK(asked < 512);
  CHECK(rig.asker.take<BlobHere>().size() == copies);
  CHECK(rig.asker.size() == 0);
}

TEST_CASE("two jobs that copy the same have each its own") {
  StoreRig rig{tight};
  const auto m = pieces(1, 1);
  Holder holder;
  holder.add_pieces(1, 1);
  copy(rig, m);
  copy(rig, m, {peer}, other_job);
  rig.stage.tell(rig.store, ReleaseJob{job, false});
  CHECK(holder.answer(rig) == 1);
  CHECK(copied(rig, m));
  CHECK(outlasts_pressure(rig, id_of(1)));
  rig.stage.tell(rig.store, ReleaseJob{other_job, false});
  CHECK_FALSE(outlasts_pressure(rig, id_of(1)));
}

TEST_CASE("what was on its way when its job was over here is not kept for ever") {
  for (const bool keep : {false, true}) {
    CAPTURE(keep);
    StoreRig rig{tight};
    const auto low = pieces(10, 2);
    Holder holder;
    holder.add_pieces(10, 2);
    holder.add(low.encoded());
    copy(rig, Manifest{0, {nested(low)}});
    rig.stage.tell(rig.store, ReleaseJob{job, keep});
    CHECK(holder.answer(rig) == 1);
    CHECK(holder.answer(rig) == 0); // No more of it.
    CHECK(rig.asker.size() == 0);
    rig.stage.leap(24h);
    CHECK_FALSE(outlasts_all(rig, nested(low).blob));
  }
}

// --- Of jobs rooted here

TEST_CASE("who holds what a done block names is known after a restart, until the end") {
  StoreRig rig;
  const auto spec = rig.accepted();
  const auto a = partial_of(pieces(1, 2)), b = partial_of(pieces(3, 2));
  rig.journaled(spec, 1, {{{0, 0}, a}, {{0, 1}, b}},
                {{a.digest, {peer, another}}, {b.digest, {another}}});
  rig.restart();
  auto root = rig.roots().at(0);
  CHECK(root.frontier == std::vector<BlockResult>{{{0, 0}, a}, {{0, 1}, b}});
  CHECK(root.holders == Holders{{a.digest, {peer, another}}, {b.digest, {another}}});

  const auto merged = partial_of(pieces(1, 4));
  rig.journaled(spec, 2, {{{1, 0}, merged}}, {{merged.digest, {peer}}});
  rig.restart();
  root = rig.roots().at(0);
  CHECK(root.frontier == std::vector<BlockResult>{{{1, 0}, merged}});
  CHECK(root.holders == Holders{{merged.digest, {peer}}});
  rig.journaled(spec, 3, {{{1, 0}, merged}}, {{merged.digest, {another}}});
  rig.restart();
  CHECK(rig.roots().at(0).holders == Holders{{merged.digest, {another}}});

  rig.stage.tell(rig.store, StoreRig::end_of(spec, JobState::failed));
  rig.restart();
  CHECK(rig.roots().at(0).holders.empty());
}

TEST_CASE("of two blocks with the same output the one that is left has its holders still") {
  StoreRig rig;
  const auto spec = rig.accepted();
  const auto same = partial_of(pieces(1, 2)), merged = partial_of(pieces(1, 4));
  rig.journaled(spec, 1, {{{0, 0}, same}, {{0, 5}, same}}, {{same.digest, {peer}}});
  rig.journaled(spec, 2, {{{1, 0}, merged}}, {{merged.digest, {peer}}});
  rig.restart();
  const auto root = rig.roots().at(0);
  CHECK(root.frontier == std::vector<BlockResult>{{{0, 5}, same}, {{1, 0}, merged}});
  CHECK(root.holders == Holders{{same.digest, {peer}}, {merged.digest, {peer}}});
}

TEST_CASE("what a done block names and is here stays, over a restart too, until the end") {
  StoreRig rig{tight};
  const auto spec = rig.accepted();
  const auto low = pieces(1, 2);
  Manifest top = pieces(3, 1);
  top.parts.push_back(nested(low));
  const std::vector<BlobId> all{id_of(1), id_of(2), id_of(3), nested(low).blob};
  bring(rig, spec->id, {piece(1), piece(2), piece(3), low.encoded()});
  const auto partial = partial_of(top);
  rig.journaled(spec, 1, {{{0, 0}, partial}});
  for (const bool restarted : {false, true}) {
    CAPTURE(restarted);
    for (const auto& blob : all)
      CHECK(outlasts_pressure(rig, blob));
    if (!restarted) {
      rig.restart();
      CHECK(rig.roots().at(0).frontier == std::vector<BlockResult>{{{0, 0}, partial}});
    }
  }
  SUBCASE("failed: all of it goes") {
    rig.stage.tell(rig.store, StoreRig::end_of(spec, JobState::failed));
    for (const auto& blob : all)
      CHECK_FALSE(outlasts_pressure(rig, blob));
  }
  SUBCASE("done: what the result names stays, over a restart too") {
    auto end = StoreRig::end_of(spec, JobState::done, partial.bytes);
    end.status.manifest = true;
    end.status.result_size = top.size();
    rig.stage.tell(rig.store, end);
    for (const bool restarted : {false, true}) {
      CAPTURE(restarted);
      CHECK(rig.content(end.status.result) == partial.bytes);
      for (const auto& blob : all)
        CHECK(outlasts_pressure(rig, blob));
      rig.restart();
      const auto status = rig.roots().at(0).status;
      CHECK(status.manifest);
      CHECK(status.result_size == top.size());
    }
  }
}

TEST_CASE("a block whose pieces are damaged or gone is not done after a restart, but with others") {
  StoreRig rig;
  const auto spec = rig.accepted();
  const auto own = partial_of(pieces(1, 2)), theirs = partial_of(pieces(3, 2));
  bring(rig, spec->id, {piece(1), piece(2)});
  rig.journaled(spec, 1, {{{0, 0}, own}, {{0, 1}, theirs}}, {{theirs.digest, {peer}}});
  const auto file = rig.blobs_folder() / to_hex(id_of(2));
  rig.close();
  SUBCASE("whole") {
    rig.restart();
    CHECK(rig.roots().at(0).frontier == std::vector<BlockResult>{{{0, 0}, own}, {{0, 1}, theirs}});
  }
  SUBCASE("gone") {
    fs::remove(file);
    rig.restart();
    CHECK(rig.roots().at(0).frontier == std::vector<BlockResult>{{{0, 1}, theirs}});
  }
  SUBCASE("damaged") {
    std::fstream{file, std::ios::in | std::ios::out}.put('!');
    rig.restart();
    CHECK(rig.roots().at(0).frontier == std::vector<BlockResult>{{{0, 1}, theirs}});
  }
}
