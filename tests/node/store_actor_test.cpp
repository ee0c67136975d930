#include "tests/node/store_rig.hpp"

using namespace tessera;
using namespace tessera::rig;

// Blobs: kept, given out, pulled from peers and served to them.
namespace {

NodeId node(std::uint8_t n) {
  NodeId id;
  id.key.fill(n);
  return id;
}
const auto peer = node(2), another = node(3);

// Wants it; hears of it in the rig's `asker`.
void want(StoreRig& rig, const BlobId& blob, const NodeId& holder = peer) {
  rig.stage.tell_as(rig.asker.actor(), rig.store, PullFor{blob, {holder}});
}
bool got(StoreRig& rig, const BlobId& blob) {
  const auto here = rig.asker.take<BlobHere>();
  CHECK(rig.asker.size() == 0);
  return here.size() == 1 && here[0].blob == blob;
}
bool failed(StoreRig& rig, const BlobId& blob) {
  const auto gone = rig.asker.take<BlobGone>();
  CHECK(rig.asker.size() == 0);
  return gone.size() == 1 && gone[0].blob == blob;
}

BlobChunk chunk_of(ByteView blob, std::uint64_t index) {
  const BlobTree tree{blob};
  const auto at = index * blob_chunk_bytes;
  const auto part = blob.subspan(at, std::min(blob_chunk_bytes, blob.size() - at));
  return {tree.id(), blob.size(), index, to_bytes(part), tree.proof(index)};
}

} // namespace

TEST_CASE("what is kept is given out as files, in the order asked for, or not at all") {
  StoreRig rig;
  const auto small = pattern(10), large = pattern(inline_bytes_max + 1);
  for (const auto& bytes : {small, large})
    CHECK(rig.keep(bytes).ok);
  const auto answer = rig.ask<FilesAnswer>(FilesAsk{{blob_id(large), blob_id(small)}});
  REQUIRE(answer.files.size() == 2);
  CHECK(answer.why.code == "");
  CHECK(StoreRig::content(answer.files[0]) == large);
  CHECK(StoreRig::content(answer.files[1]) == small);
  const auto lacking = digest_of(view("lacking"));
  const auto refusal = rig.ask<FilesAnswer>(FilesAsk{{blob_id(large), lacking}});
  CHECK(refusal.files.empty());
  CHECK(refusal.why.code == "E112");
}

TEST_CASE("whoever gave bytes to keep still has them, for another store") {
  for (const std::size_t size : {std::size_t{10}, inline_bytes_max + 1}) {
    StoreRig rig;
    const auto bytes = pattern(size);
    const KeepBlob blob{blob_id(bytes), StoreRig::payload(bytes), false};
    CHECK(rig.ask<Kept>(blob).ok);
    auto contents = Contents::of(std::move(*blob.bytes));
    REQUIRE(contents);
    CHECK(to_bytes(contents->bytes()) == bytes);
  }
}

TEST_CASE("a hash is proven where the caller may lie") {
  StoreRig rig;
  const auto bytes = pattern(10), other = pattern(11);
  const auto lie = rig.ask<Kept>(KeepBlob{blob_id(other), StoreRig::payload(bytes), true});
  CHECK_FALSE(lie.ok);
  CHECK(lie.why.code == "E113");
  CHECK_FALSE(rig.has(blob_id(other)));
  CHECK(rig.ask<Kept>(KeepBlob{blob_id(bytes), StoreRig::payload(bytes), true}).ok);
  CHECK(rig.content(blob_id(bytes)) == bytes);
}

TEST_CASE("bytes that cannot be read are not kept") {
  StoreRig rig;
  auto broken = std::make_shared<Payload>();
  broken->fd = Fd{::open("/tmp", O_PATH | O_CLOEXEC)}; // Nothing to map.
  broken->size = 10;
  const auto kept = rig.ask<Kept>(KeepBlob{digest_of(view("x")), broken, false});
  CHECK_FALSE(kept.ok);
  CHECK(kept.why.code == "E707");
}

TEST_CASE("a quota full of what running jobs need refuses more") {
  StoreRig rig{1000};
  const auto input = pattern(900);
  CHECK(rig.keep(input).ok);
  rig.accepted(blob_id(input));
  const auto kept = rig.keep(pattern(200));
  CHECK_FALSE(kept.ok);
  CHECK(kept.why.code == "E111");
  want(rig, blob_id(pattern(200)));
  rig.hear(peer, chunk_of(pattern(200), 0));
  CHECK(failed(rig, blob_id(pattern(200))));
  CHECK(rig.has(blob_id(input)));
}

TEST_CASE("a wanted blob that is here is had at once") {
  StoreRig rig;
  rig.keep(pattern(10));
  want(rig, blob_id(pattern(10)));
  CHECK(got(rig, blob_id(pattern(10))));
  CHECK(rig.mesh.size() == 0);
}

TEST_CASE("a wanted blob is asked of its holder, kept, and then is here for all who want it") {
  StoreRig rig;
  const auto bytes = pattern(3 * blob_chunk_bytes - 5);
  const auto id = blob_id(bytes);
  want(rig, id);
  auto asks = rig.sent<BlobAsk>(peer);
  auto& late = rig.stage.ear();
  rig.stage.tell_as(late.actor(), rig.store, PullFor{id, {peer}});
  CHECK(rig.mesh.size() == 0); // It is on its way.
  for (std::uint64_t next = 0; next < 3;) {
    REQUIRE(asks.size() == 1);
    CHECK(asks[0].first_chunk == next);
    for (const auto until = next + asks[0].chunks; next < until; ++next)
      rig.hear(peer, chunk_of(bytes, next));
    asks = rig.sent<BlobAsk>(peer);
  }
  CHECK(got(rig, id));
  CHECK(late.take<BlobHere>().size() == 1);
  CHECK(rig.content(id) == bytes);
  rig.restart();
  CHECK(rig.content(id) == bytes);
}

TEST_CASE("each who wants a blob may name one more holder") {
  StoreRig rig;
  const auto bytes = pattern(10);
  want(rig, blob_id(bytes));
  CHECK(rig.sent<BlobAsk>(peer).size() == 1);
  auto& late = rig.stage.ear();
  rig.stage.tell_as(late.actor(), rig.store, PullFor{blob_id(bytes), {another}});
  rig.hear(peer, BlobMissing{blob_id(bytes)});
  CHECK(rig.sent<BlobAsk>(another).size() == 1);
  rig.hear(another, chunk_of(bytes, 0));
  CHECK(got(rig, blob_id(bytes)));
  CHECK(late.take<BlobHere>().size() == 1);
}

TEST_CASE("a blob that nobody has is gone, and may be wanted again") {
  StoreRig rig;
  const auto blob = digest_of(view("nowhere"));
  for (int times = 0; times < 2; ++times) {
    want(rig, blob);
    CHECK(rig.sent<BlobAsk>(peer).size() == 1);
    rig.hear(peer, BlobMissing{blob});
    CHECK(failed(rig, blob));
  }
}

TEST_CASE("a holder that is down or out of reach has nothing any more") {
  for (const auto kind : {PeerNews::Kind::down, PeerNews::Kind::unreachable}) {
    StoreRig rig;
    const auto blob = digest_of(view("a blob")), other = digest_of(view("another"));
    want(rig, blob);
    want(rig, other, another);
    rig.stage.tell(rig.store, PeerNews{PeerNews::Kind::up, peer, 1});
    CHECK(rig.asker.size() == 0);
    rig.stage.tell(rig.store, PeerNews{kind, peer});
    CHECK(failed(rig, blob));
  }
}

TEST_CASE("a holder that is silent is asked again, and given up when it stays so") {
  StoreRig rig;
  const auto blob = digest_of(view("a blob"));
  want(rig, blob);
  CHECK(rig.sent<BlobAsk>(peer).size() == 1);
  for (const auto silence : {5s, 10s}) {
    rig.stage.pass(silence - 300ms);
    CHECK(rig.mesh.size() == 0);
    rig.stage.pass(400ms);
    CHECK(rig.sent<BlobAsk>(peer).size() == 1);
  }
  rig.stage.pass(19s);
  CHECK(rig.asker.size() == 0);
  rig.stage.pass(2s);
  CHECK(failed(rig, blob));
}

TEST_CASE("more pulls than a thousand at once are refused, those under way may be joined") {
  StoreRig rig;
  const auto blob = [](std::size_t i) { return digest_of(view(std::to_string(i))); };
  for (std::size_t i = 0; i < 1024; ++i)
    want(rig, blob(i));
  CHECK(rig.asker.size() == 0);
  want(rig, blob(1024));
  CHECK(failed(rig, blob(1024)));
  want(rig, blob(7));
  CHECK(rig.asker.size() == 0);
  rig.hear(peer, BlobMissing{blob(0)});
  CHECK(failed(rig, blob(0)));
  want(rig, blob(1024));
  CHECK(rig.asker.size() == 0);
}

TEST_CASE("a peer is served proven chunks, 64 of one ask, and told what is missing") {
  StoreRig rig;
  const auto bytes = pattern(66 * blob_chunk_bytes - 1);
  const auto id = blob_id(bytes);
  rig.keep(bytes);
  rig.hear(peer, BlobAsk{id, 1, 1000});
  const auto chunks = rig.sent<BlobChunk>(peer);
  REQUIRE(chunks.size() == 64);
  for (std::uint64_t i = 0; i < 64; ++i) {
    CHECK(chunks[i].blob == id);
    CHECK(chunks[i].chunk == i + 1);
    CHECK(chunk_proves(id, bytes.size(), i + 1, chunks[i].bytes, chunks[i].proof));
    CHECK(chunks[i].size == bytes.size());
  }
  rig.hear(peer, BlobAsk{id, 65, 1});
  CHECK(rig.sent<BlobChunk>(peer).size() == 1);
  for (const auto& ask : {BlobAsk{id, 66, 3}, BlobAsk{digest_of(view("nowhere")), 0, 3}}) {
    rig.hear(peer, ask);
    const auto missing = rig.sent<BlobMissing>(peer);
    REQUIRE(missing.size() == 1); // Once is enough.
    CHECK(missing[0].blob == ask.blob);
  }
}

TEST_CASE("what peers say of blobs that nobody wants is not heeded") {
  StoreRig rig;
  const auto bytes = pattern(10);
  rig.hear(peer, chunk_of(bytes, 0));
  rig.hear(peer, BlobMissing{blob_id(bytes)});
  rig.hear(peer, JobOver{});
  CHECK_FALSE(rig.has(blob_id(bytes)));
  CHECK(rig.mesh.size() == 0);
}

TEST_CASE("a new mesh is who letters go through") {
  StoreRig rig;
  auto& mesh = rig.stage.ear();
  rig.rewire(mesh.actor());
  want(rig, digest_of(view("a blob")));
  CHECK(rig.mesh.size() == 0);
  CHECK(mesh.take<ToPeer>().size() == 1);
}
