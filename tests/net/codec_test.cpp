#include "net/wire/codec.hpp"

#include "tests/net/random_message.hpp"
#include "tests/net/raw_packet.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <new>
#include <sstream>

using namespace tessera;

// What a refusal may cost is counted in bytes asked of the heap, so that no clock is needed.
namespace {
std::size_t allocated = 0;
}
[[gnu::noinline]] void* operator new(std::size_t size) {
  allocated += size;
  if (void* p = std::malloc(size))
    return p;
  throw std::bad_alloc{};
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}

namespace {

Identity identity(std::uint8_t n) {
  Secret<32> seed;
  seed.bytes.fill(n);
  return Identity::from_seed(seed);
}

struct Node {
  Identity self;
  MeshId mesh;
  Codec codec;

  explicit Node(std::uint8_t n, std::string_view mesh_name = "a mesh")
      : self(identity(n)), mesh(digest_of(view(mesh_name))), codec(self, mesh) {}

  Signed sealed(SealType type, Bytes body) const { return seal(self, mesh, type, std::move(body)); }
};

const Node a{1}, b{2};

// Every field, and no field forgotten: a new one breaks these bindings.
auto fields(const Join&) {
  return 0;
}
auto fields(const ForwardJoin& m) {
  const auto& [x1, x2, x3] = m;
  return std::tuple{x1, x2, x3};
}
auto fields(const Neighbor& m) {
  return m.high;
}
auto fields(const NeighborReply& m) {
  return m.accepted;
}
auto fields(const DialBackAsk& m) {
  const auto& [x1] = m;
  return x1;
}
auto fields(const DialBackAnswer& m) {
  const auto& [x1, x2] = m;
  return std::tuple{x1, x2};
}
auto fields(const Disconnect& m) {
  return m.leaving;
}
auto fields(const std::vector<PeerAddress>& sample) {
  std::vector<std::pair<NodeId, std::vector<Address>>> all;
  for (const auto& [id, addresses] : sample)
    all.emplace_back(id, addresses);
  return all;
}
auto fields(const Shuffle& m) {
  const auto& [x1, x2, x3, x4] = m;
  return std::tuple{x1, x2, x3, fields(x4)};
}
auto fields(const ShuffleReply& m) {
  const auto& [x1] = m;
  return fields(x1);
}
auto fields(const StealAsk& m) {
  const auto& [x1, x2, x3, x4, x5, x6] = m;
  return std::tuple{x1, x2, x3, x4, x5, x6};
}
auto fields(const SpecPtr& spec) {
  return spec ? std::tuple{spec->spec, spec->id, spec->seal}
              : std::tuple{JobSpec{}, JobId{}, Signed{}};
}
auto fields(const Records& m) {
  std::vector<std::pair<Record, Signed>> all;
  for (const auto& r : m.records)
    all.emplace_back(r->record, r->seal);
  return all;
}
auto fields(const Grant& m) {
  const auto& [x1, x2, x3] = m;
  return std::tuple{x1, fields(x2), x3};
}
auto fields(const LeaseRefused& m) {
  const auto& [x1, x2, x3] = m;
  return std::tuple{x1, x2, x3};
}
auto fields(const LeaseResult& m) {
  const auto& [x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15] = m;
  return std::tuple{x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15};
}
auto fields(const Receipt& m) {
  const auto& [x1, x2, x3, x4] = m;
  return std::tuple{x1, x2, x3, x4};
}
auto fields(const LeaseBeat& m) {
  const auto& [x1, x2] = m;
  return std::tuple{x1, x2};
}
auto fields(const LeaseTable& m) {
  const auto& [x1, x2] = m;
  return std::tuple{x1, x2};
}
auto fields(const CancelJob& m) {
  return std::tuple{m.cancel->job, m.cancel->seal};
}
auto fields(const JobOver& m) {
  const auto& [x1, x2] = m;
  return std::tuple{x1, x2};
}
auto fields(const KeepAsk& m) {
  const auto& [x1, x2, x3] = m;
  return std::tuple{x1, x2, x3};
}
auto fields(const KeepAnswer& m) {
  const auto& [x1, x2, x3] = m;
  return std::tuple{x1, x2, x3};
}
auto fields(const JobQuery& m) {
  const auto& [x1, x2, x3, x4] = m;
  return std::tuple{x1, x2, x3, x4};
}
auto fields(const JobStatus& m) {
  const auto& [x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17] = m;
  return std::tuple{fields(x1), x2,  x3,  x4,  x5,  x6,  x7,  x8, x9,
                    x10,        x11, x12, x13, x14, x15, x16, x17};
}
auto fields(const JobAnswer& m) {
  std::vector<decltype(fields(JobStatus{}))> jobs;
  for (const auto& status : m.jobs)
    jobs.push_back(fields(status));
  return std::tuple{m.query, m.asker, jobs};
}
auto fields(const DetailAsk& m) {
  const auto& [x1, x2, x3, x4] = m;
  return std::tuple{x1, x2, x3, x4};
}
auto fields(const Detail& m) {
  const auto& [x1, x2, x3] = m;
  return std::tuple{x1, x2, x3};
}
auto fields(const BlobAsk& m) {
  const auto& [x1, x2, x3] = m;
  return std::tuple{x1, x2, x3};
}
auto fields(const BlobChunk& m) {
  const auto& [x1, x2, x3, x4, x5] = m;
  return std::tuple{x1, x2, x3, x4, x5};
}
auto fields(const BlobMissing& m) {
  return m.blob;
}

bool same(const Message& x, const Message& y) {
  return x.index() == y.index() && std::visit(
                                       [&](const auto& m) {
                                         using M = std::decay_t<decltype(m)>;
                                         return fields(m) == fields(std::get<M>(y));
                                       },
                                       x);
}

// As said by its sender again: its own commitment is made anew.
Message said_again(Message m) {
  if (auto* result = std::get_if<LeaseResult>(&m); result && !result->ran.empty())
    result->commitments.erase(result->commitments.begin());
  return m;
}

const Message* message(const std::variant<Message, Closed>& read) {
  return std::get_if<Message>(&read);
}
std::string why(const std::variant<Message, Closed>& read) {
  const auto* closed = std::get_if<Closed>(&read);
  return closed ? closed->why : "accepted";
}

constexpr std::size_t kinds = std::variant_size_v<Message>;

template<class M>
M random(std::uint64_t seed) {
  return std::get<M>(RandomMessage{a.self, a.codec, seed}.of_kind(Message{M{}}.index()));
}

// The body of the one envelope in a packet.
Signed envelope_in(ByteView packet) {
  Signed seal;
  raw::edited(packet, [&](raw::Any root) {
    auto e = raw::child(root, 0);
    const auto body = raw::pointer(e, 0).getAs<capnp::Data>();
    const auto key = raw::pointer(e, 1).getAs<capnp::Data>();
    const auto signature = raw::pointer(e, 2).getAs<capnp::Data>();
    seal.body = {body.begin(), body.end()};
    std::copy(key.begin(), key.end(), seal.key.key.begin());
    std::copy(signature.begin(), signature.end(), seal.signature.begin());
  });
  return seal;
}

// Any sealed message of a's, its body edited, and sealed by a again.
Bytes resealed(const Message& m, std::uint16_t tag, SealType type,
               const std::function<void(raw::Any)>& edit) {
  return raw::packet_of(tag,
                        a.sealed(type, raw::edited(envelope_in(a.codec.encode(m)).body, edit)));
}

std::string why_of(const Message& m, const std::function<void(raw::Any)>& edit) {
  return why(b.codec.decode(a.self.id(), raw::edited(a.codec.encode(m), edit)));
}

Grant some_grant() {
  for (std::uint64_t seed = 1;; ++seed)
    if (auto grant = random<Grant>(seed); grant.spec)
      return grant;
}
LeaseResult some_result() {
  auto m = random<LeaseResult>(7);
  const Bytes bytes{1, 2, 3};
  m.done = {{{0, 5}, {blob_id(bytes), 3, bytes}}};
  m.ran = {{{0, 5}, m.done[0].partial.digest}};
  m.commitments = {{{9, 9, 9}, b.self.id(), {}}};
  return m;
}

} // namespace

TEST_CASE("every message comes back as it was said") {
  for (std::uint64_t seed = 0; seed != 3000; ++seed) {
    CAPTURE(seed);
    const auto said = RandomMessage{a.self, a.codec, seed}.of_kind(seed % kinds);
    const auto bytes = a.codec.encode(said);
    const auto read = b.codec.decode(a.self.id(), bytes);
    REQUIRE(why(read) == "accepted");
    const auto heard = said_again(*message(read));
    REQUIRE(same(said, heard));
    REQUIRE(a.codec.encode(heard) == bytes);
  }
}

TEST_CASE("messages may lie at any address") {
  const auto bytes = a.codec.encode(some_result());
  for (std::size_t shift = 0; shift != 8; ++shift) {
    Bytes room(bytes.size() + shift);
    std::copy(bytes.begin(), bytes.end(), room.begin() + std::ptrdiff_t(shift));
    const auto read = b.codec.decode(a.self.id(), ByteView{room}.subspan(shift));
    CHECK(why(read) == "accepted");
  }
}

TEST_CASE("a thief's own commitment comes first among those passed on") {
  const auto said = some_result();
  const auto read = b.codec.decode(a.self.id(), a.codec.encode(said));
  const auto& heard = std::get<LeaseResult>(*message(read));
  CHECK(heard.ran == said.ran);
  REQUIRE(heard.commitments.size() == 2);
  CHECK(heard.commitments[0].key == a.self.id());
  CHECK(verified(heard.commitments[0], a.mesh, SealType::commitment));
  CHECK(heard.commitments[1] == said.commitments[0]);
}

TEST_CASE("a message of several segments is a message") {
  capnp::MallocMessageBuilder builder{1, capnp::AllocationStrategy::FIXED_SIZE};
  const auto seal = a.codec.seal_record(random<Records>(1).records.empty()
                                            ? RandomMessage{a.self, a.codec, 1}.record()
                                            : random<Records>(1).records[0]->record);
  auto list = raw::pointer(raw::new_packet(builder, 0), 0).initAsListOfAnyStruct(0, 3, 1);
  raw::set_envelope(list[0], seal->seal);
  REQUIRE(builder.getSegmentsForOutput().size() > 2);
  CHECK(why(b.codec.decode(a.self.id(), raw::flat(builder))) == "accepted");
}

TEST_CASE("a flipped byte never changes what was signed") {
  for (std::size_t kind = 0; kind != kinds; ++kind)
    for (std::uint64_t seed = 0; seed != 6; ++seed) {
      const auto said = RandomMessage{a.self, a.codec, seed}.of_kind(kind);
      const bool sealed =
          std::holds_alternative<Grant>(said) || std::holds_alternative<LeaseResult>(said) ||
          std::holds_alternative<Receipt>(said) || std::holds_alternative<CancelJob>(said);
      if (!sealed)
        continue;
      auto bytes = a.codec.encode(said);
      const auto step = std::max<std::size_t>(1, bytes.size() / 300);
      for (std::size_t at = seed % step; at < bytes.size(); at += step) {
        const auto flip = std::uint8_t(1u << (at % 8));
        bytes[at] ^= flip;
        CAPTURE(kind);
        CAPTURE(seed);
        CAPTURE(at);
        const auto read = b.codec.decode(a.self.id(), bytes);
        if (const auto* heard = message(read); heard && heard->index() == kind)
          REQUIRE(same(said, said_again(*heard)));
        bytes[at] ^= flip;
      }
    }
}

TEST_CASE("a flipped byte never changes a record or a spec") {
  Records said;
  for (std::uint64_t seed = 0; seed != 3; ++seed)
    said.records.push_back(a.codec.seal_record(RandomMessage{a.self, a.codec, seed}.record()));
  auto bytes = a.codec.encode(said);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    bytes[at] ^= 4;
    const auto read = b.codec.decode(a.self.id(), bytes);
    if (const auto* m = message(read); m && std::holds_alternative<Records>(*m))
      for (const auto& heard : std::get<Records>(*m).records)
        REQUIRE(std::ranges::any_of(said.records, [&](const auto& r) {
          return r->record == heard->record && r->seal == heard->seal;
        }));
    bytes[at] ^= 4;
  }
  const auto spec = a.codec.seal_spec(RandomMessage{a.self, a.codec, 1}.spec());
  auto seal = spec->seal;
  for (std::size_t at = 0; at != seal.body.size(); ++at) {
    seal.body[at] ^= 1;
    REQUIRE(b.codec.open_spec(seal) == nullptr);
    seal.body[at] ^= 1;
  }
  CHECK(fields(b.codec.open_spec(seal)) == fields(spec));
}

TEST_CASE("no message is accepted cut short, or with bytes behind it") {
  for (std::size_t kind = 0; kind != kinds; ++kind) {
    CAPTURE(kind);
    auto bytes = a.codec.encode(RandomMessage{a.self, a.codec, 5}.of_kind(kind));
    const auto step = bytes.size() > 4096 ? 97 : 1;
    for (std::size_t size = 0; size < bytes.size(); size += step)
      REQUIRE(message(b.codec.decode(a.self.id(), ByteView{bytes}.first(size))) == nullptr);
    bytes.resize(bytes.size() + 4);
    CHECK(why(b.codec.decode(a.self.id(), bytes)) == "a message is not of whole words");
    bytes.resize(bytes.size() + 4);
    CHECK(why(b.codec.decode(a.self.id(), bytes)) == "a message has bytes behind it");
  }
}

TEST_CASE("random damage is refused, or says something that can be said again") {
  std::size_t accepted = 0, refused = 0;
  for (std::uint64_t seed = 0; seed != 20000; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 rng{seed};
    auto bytes = a.codec.encode(RandomMessage{a.self, a.codec, seed % 200}.of_kind(seed % kinds));
    for (auto n = 1 + rng() % 4; n; --n)
      if (rng() % 2)
        bytes[rng() % bytes.size()] = std::uint8_t(rng());
      else // Pointers that lead elsewhere, lists that lie on each other.
        std::copy_n(bytes.begin() + std::ptrdiff_t(rng() % (bytes.size() / 8) * 8), 8,
                    bytes.begin() + std::ptrdiff_t(rng() % (bytes.size() / 8) * 8));
    const auto read = b.codec.decode(a.self.id(), bytes);
    const auto* heard = message(read);
    ++(heard ? accepted : refused);
    if (!heard)
      continue;
    const auto again = b.codec.decode(a.self.id(), a.codec.encode(said_again(*heard)));
    REQUIRE(why(again) == "accepted");
    REQUIRE(same(*heard, *message(again)));
  }
  CHECK(accepted > 1000);
  CHECK(refused > 1000);
}

TEST_CASE("a signed message is its sender's own, of this mesh, and of its kind") {
  const auto& from = a.self.id();
  const Node elsewhere{1, "another mesh"};
  for (const Message& m : {Message{some_grant()}, Message{some_result()},
                           Message{random<Receipt>(3)}, Message{random<CancelJob>(3)}}) {
    CAPTURE(m.index());
    const bool anybody = std::holds_alternative<CancelJob>(m);
    CHECK((message(b.codec.decode(b.self.id(), a.codec.encode(m))) != nullptr) == anybody);
    CHECK(message(elsewhere.codec.decode(from, a.codec.encode(m))) == nullptr);
    // b's own seal under a's name.
    auto forged = envelope_in(a.codec.encode(m));
    for (const auto type :
         {SealType::grant, SealType::result, SealType::receipt, SealType::cancel}) {
      forged.signature = b.sealed(type, forged.body).signature;
      for (const auto tag : {raw::grant_tag, raw::result_tag, raw::receipt_tag, raw::cancel_tag})
        CHECK(message(b.codec.decode(from, raw::packet_of(tag, forged))) == nullptr);
    }
    // a's seal of one kind, passed off as another's.
    const auto seal = envelope_in(a.codec.encode(m));
    std::size_t accepted = 0;
    for (const auto tag : {raw::grant_tag, raw::result_tag, raw::receipt_tag, raw::cancel_tag})
      accepted += message(b.codec.decode(from, raw::packet_of(tag, seal))) != nullptr;
    CHECK(accepted == 1);
  }
}

TEST_CASE("a record speaks for its subject alone, in its own mesh") {
  const auto record = RandomMessage{a.self, a.codec, 9}.record();
  const auto good = a.codec.seal_record(record)->seal;
  const auto read = [&](const Node& reader, const Signed& seal) {
    return why(reader.codec.decode(b.self.id(), raw::records_packet({seal})));
  };
  CHECK(read(b, good) == "accepted"); // Passed on by b.
  CHECK(read(b, b.sealed(SealType::record, good.body)) ==
        "a record is signed by another than its subject");
  CHECK(read(Node{2, "another mesh"}, good) == "a record's signature does not fit");
  auto renamed = good;
  renamed.key = b.self.id();
  CHECK(message(b.codec.decode(b.self.id(), raw::records_packet({renamed}))) == nullptr);
  CHECK(read(b, a.sealed(SealType::spec, good.body)) == "a record's signature does not fit");
  // One forged among good ones spoils them all.
  auto forged = good;
  forged.signature[40] ^= 1;
  CHECK(message(b.codec.decode(a.self.id(), raw::records_packet({good, forged}))) == nullptr);
}

TEST_CASE("a job is its submitter's, and its id the digest of what was signed") {
  const auto spec = a.codec.seal_spec(RandomMessage{a.self, a.codec, 4}.spec());
  CHECK(spec->id == digest_of(spec->seal.body));
  CHECK(b.codec.open_spec(spec->seal)->id == spec->id);
  CHECK(b.codec.open_spec(b.sealed(SealType::spec, spec->seal.body)) == nullptr);
  CHECK(Node{2, "another mesh"}.codec.open_spec(spec->seal) == nullptr);
  CHECK(b.codec.open_spec(a.sealed(SealType::record, spec->seal.body)) == nullptr);
  CHECK(b.codec.open_spec({}) == nullptr);
}

TEST_CASE("an envelope survives the journal") {
  const auto spec = a.codec.seal_spec(RandomMessage{a.self, a.codec, 4}.spec());
  auto bytes = Codec::envelope_bytes(spec->seal);
  REQUIRE(a.codec.envelope(bytes));
  CHECK(*a.codec.envelope(bytes) == spec->seal);
  CHECK_FALSE(a.codec.envelope({}));
  CHECK_FALSE(a.codec.envelope(ByteView{bytes}.first(bytes.size() - 8)));
  CHECK_FALSE(a.codec.envelope(Bytes(64, 0xff)));
}

TEST_CASE("a grant's leases are of its one job, and end at their lessor") {
  const auto edit = [&](const std::function<void(raw::Any)>& change) {
    return why(b.codec.decode(a.self.id(),
                              resealed(some_grant(), raw::grant_tag, SealType::grant, change)));
  };
  CHECK(edit([](raw::Any) {}) == "accepted");
  CHECK(edit([](raw::Any g) { raw::pointer(g, 0).clear(); }) ==
        "a grant needs leases and their spec, or none");
  CHECK(edit([](raw::Any g) { raw::pointer(g, 1).clear(); }) ==
        "a grant needs leases and their spec, or none");
  CHECK(edit([](raw::Any g) { raw::set_data(raw::element(g, 1, 0), 0, Bytes(32, 7)); }) ==
        "a grant has leases of another job than its spec's");
  CHECK(edit([](raw::Any g) { raw::pointer(raw::element(g, 1, 0), 1).clear(); }) ==
        "a lease has no blocks");
  CHECK(edit([](raw::Any g) { raw::pointer(raw::element(g, 1, 0), 2).clear(); }) ==
        "a lease has no path");
  CHECK(edit([](raw::Any g) {
          auto path = raw::pointer(raw::element(g, 1, 0), 2).initAs<capnp::List<capnp::Data>>(1);
          path.set(0, {b.self.id().key.data(), 32});
        }) == "a lease's path does not end at its lessor");
  CHECK(edit([](raw::Any g) { raw::set_data(raw::child(g, 0), 1, b.self.id().view()); }) ==
        "a job is signed by another than its submitter");
}

TEST_CASE("a result's partials are what their digests say") {
  const auto edit = [&](const std::function<void(raw::Any)>& change) {
    return why(b.codec.decode(a.self.id(),
                              resealed(some_result(), raw::result_tag, SealType::result, change)));
  };
  const auto partial = [](raw::Any result) {
    return raw::child(raw::element(result, 0 + 1, 0), 1);
  };
  CHECK(edit([](raw::Any) {}) == "accepted");
  CHECK(edit([&](raw::Any r) {
          raw::set_data(partial(r), 1, Bytes{1, 2, 4});
        }) == "a partial's digest does not fit");
  CHECK(edit([&](raw::Any r) {
          raw::set_data(partial(r), 1, Bytes{1, 2});
        }) == "a partial's bytes are not of its size");
  CHECK(edit([&](raw::Any r) { raw::set(partial(r), 0, std::uint64_t{1} << 40); }) ==
        "a partial's bytes are not of its size");
  CHECK(edit([&](raw::Any r) { raw::set_data(partial(r), 0, Bytes(31, 1)); }) ==
        "a digest is not of 32 bytes");
  CHECK(edit([&](raw::Any r) { raw::set_data(partial(r), 1, Bytes(4097, 1)); }) ==
        "bytes are longer than their bound");
  CHECK(edit([&](raw::Any r) { raw::set(partial(r), 8, std::uint8_t{1}); }) ==
        "a manifest is none");
  CHECK(edit([&](raw::Any r) {
          raw::set(partial(r), 0, std::uint64_t{1} << 40);
          raw::set(partial(r), 8, std::uint8_t{1});
          raw::set_data(partial(r), 1, {});
        }) == "a manifest is none"); // It is always inline.
}

TEST_CASE("what is to be kept is a manifest, and inline") {
  const auto ask = [](Bytes manifest) {
    return why_of(KeepAsk{digest_of(view("a job")), std::move(manifest), {}}, [](raw::Any) {});
  };
  CHECK(ask(Manifest{0, {{digest_of(view("x")), 1, false}}}.encoded()) == "accepted");
  for (const auto& none : {Bytes{}, Bytes{1}, Manifest{}.encoded(), Bytes(50, 0)})
    CHECK(ask(none) == "a manifest is none");
  CHECK(ask(Bytes(partial_inline_bytes_max + 1, 1)) == "bytes are longer than their bound");
}

TEST_CASE("a commitment is the thief's own, and of the result's job") {
  const auto said = some_result();
  const auto with_ran = [&](const Signed& seal) {
    return why(b.codec.decode(
        a.self.id(), resealed(said, raw::result_tag, SealType::result, [&](raw::Any result) {
          raw::set_envelope(raw::child(result, 6), seal);
        })));
  };
  Signed own;
  resealed(said, raw::result_tag, SealType::result, [&](raw::Any result) {
    const auto body = raw::pointer(raw::child(result, 6), 0).getAs<capnp::Data>();
    own = a.sealed(SealType::commitment, {body.begin(), body.end()});
  });
  CHECK(with_ran(own) == "accepted");
  CHECK(with_ran(b.sealed(SealType::commitment, own.body)) ==
        "a message is signed by another than its sender");
  CHECK(with_ran(a.sealed(SealType::result, own.body)) == "a message's signature does not fit");
  const auto other_job =
      raw::edited(own.body, [](raw::Any c) { raw::set_data(c, 0, Bytes(32, 1)); });
  CHECK(with_ran(a.sealed(SealType::commitment, other_job)) ==
        "a commitment is of another job than its result");
  const auto nothing = raw::edited(own.body, [](raw::Any c) { raw::pointer(c, 1).clear(); });
  CHECK(with_ran(a.sealed(SealType::commitment, nothing)) == "a commitment commits to nothing");
}

TEST_CASE("what is signed has a size, looked at before the signature") {
  const auto long_job = [](raw::Any root) { raw::set_data(root, 0, Bytes(300 * 1024, 1)); };
  const auto forged = [&](const Message& m, std::uint16_t tag) {
    auto seal = envelope_in(a.codec.encode(m));
    seal.body = raw::edited(seal.body, long_job);
    return why(b.codec.decode(a.self.id(), raw::packet_of(tag, seal)));
  };
  CHECK(forged(random<Receipt>(1), raw::receipt_tag) == "a signed message is too long");
  CHECK(forged(random<CancelJob>(1), raw::cancel_tag) == "a cancellation is too long");
  const auto result = [&](const std::function<void(raw::Any)>& edit) {
    return why(b.codec.decode(a.self.id(),
                              resealed(some_result(), raw::result_tag, SealType::result, edit)));
  };
  CHECK(result([&](raw::Any r) { long_job(raw::element(r, 7, 0)); }) == "commitments are too long");
  CHECK(result([&](raw::Any r) { raw::pointer(raw::element(r, 7, 0), 0).clear(); }) ==
        "an envelope is empty");
  // A spec within its fields' bounds, and with words behind them that no pointer leads to.
  for (const std::uint8_t more : {1, 36}) { // Times 256 words.
    CAPTURE(more);
    auto body = a.codec.seal_spec(RandomMessage{a.self, a.codec, 2}.spec())->seal.body;
    REQUIRE(body[5] == 0);
    body[5] = more; // Of the one segment's size.
    body.resize(body.size() + more * 256 * 8);
    CHECK((b.codec.open_spec(a.sealed(SealType::spec, body)) != nullptr) == (more == 1));
  }
}

TEST_CASE("every list has its bound") {
  const auto too_long = "a list is longer than its bound";
  const auto structs = [](unsigned at, unsigned data, unsigned pointers, std::size_t count) {
    return [=](raw::Any root) {
      raw::pointer(root, at).initAsListOfAnyStruct(std::uint16_t(data), std::uint16_t(pointers),
                                                   unsigned(count));
    };
  };
  const auto datas = [](unsigned at, std::size_t count) {
    return [=](raw::Any root) {
      raw::pointer(root, at).initAs<capnp::List<capnp::Data>>(unsigned(count));
    };
  };
  const auto texts = [](unsigned at, std::size_t count) {
    return [=](raw::Any root) {
      raw::pointer(root, at).initAs<capnp::List<capnp::Text>>(unsigned(count));
    };
  };
  using Edit = std::function<void(raw::Any)>;
  const auto in_child = [](Edit edit) { return [=](raw::Any root) { edit(raw::child(root, 0)); }; };

  CHECK(why_of(Records{}, structs(0, 0, 3, records_max + 1)) == too_long);
  CHECK(why_of(random<ForwardJoin>(1), in_child(structs(1, 1, 1, addresses_max + 1))) == too_long);
  CHECK(why_of(random<Shuffle>(1), in_child(structs(1, 1, 1, addresses_max + 1))) == too_long);
  CHECK(why_of(random<Shuffle>(1), in_child(structs(2, 0, 2, sample_max + 1))) == too_long);
  CHECK(why_of(random<ShuffleReply>(1), in_child(structs(0, 0, 2, sample_max + 1))) == too_long);
  CHECK(why_of(random<StealAsk>(1), in_child(texts(0, kernels_max + 1))) == too_long);
  CHECK(why_of(random<LeaseTable>(1), in_child(structs(1, 3, 0, table_rows_max + 1))) == too_long);
  CHECK(why_of(random<JobAnswer>(1), in_child(structs(1, 5, 5, statuses_max + 1))) == too_long);
  CHECK(why_of(random<BlobChunk>(1), in_child(datas(2, proof_max + 1))) == too_long);

  const auto grant = [&](Edit edit) {
    return why(
        b.codec.decode(a.self.id(), resealed(some_grant(), raw::grant_tag, SealType::grant, edit)));
  };
  CHECK(grant(structs(1, 2, 3, leases_max + 1)) == too_long);
  CHECK(grant([&](raw::Any g) { structs(1, 2, 0, lease_blocks_max + 1)(raw::element(g, 1, 0)); }) ==
        too_long);
  CHECK(grant([&](raw::Any g) { datas(2, lease_path_max + 1)(raw::element(g, 1, 0)); }) ==
        too_long);

  const auto result = [&](Edit edit) {
    return why(b.codec.decode(a.self.id(),
                              resealed(some_result(), raw::result_tag, SealType::result, edit)));
  };
  CHECK(result(structs(1, 0, 2, result_blocks_max + 1)) == too_long);
  CHECK(result(structs(2, 2, 0, lease_blocks_max + 1)) == too_long);
  CHECK(result(structs(3, 2, 0, lease_blocks_max + 1)) == too_long);
  CHECK(result(structs(7, 0, 3, commitments_max)) == too_long); // With its own: one too many.
  CHECK(result(structs(8, 3, 1, shares_max + 1)) == too_long);

  const auto record_why = [&](Edit edit) {
    const auto seal = a.codec.seal_record(RandomMessage{a.self, a.codec, 2}.record())->seal;
    return why(b.codec.decode(a.self.id(), raw::records_packet({a.sealed(
                                               SealType::record, raw::edited(seal.body, edit))})));
  };
  CHECK(record_why(structs(3, 1, 1, addresses_max + 1)) == too_long);
  CHECK(record_why(texts(4, kernels_max + 1)) == too_long);
  CHECK(record_why([](raw::Any r) { raw::set_text(r, 1, std::string(40000, 'x')); }) ==
        "a record is too long");

  const auto spec_of = [&](Edit edit) {
    const auto seal = a.codec.seal_spec(RandomMessage{a.self, a.codec, 2}.spec())->seal;
    return b.codec.open_spec(a.sealed(SealType::spec, raw::edited(seal.body, edit)));
  };
  CHECK(spec_of([](raw::Any s) { raw::set_data(s, 3, Bytes(params_bytes_max, 1)); }) != nullptr);
  CHECK(spec_of([](raw::Any s) { raw::set_data(s, 3, Bytes(params_bytes_max + 1, 1)); }) ==
        nullptr);
  CHECK(spec_of(structs(4, 2, 1, inputs_max + 1)) == nullptr);
  CHECK(spec_of([](raw::Any s) { raw::set(s, 16, std::uint64_t{0}); }) == nullptr); // items
  CHECK(spec_of([](raw::Any s) { raw::set(s, 16, std::uint64_t{1} << 63); }) != nullptr);
  CHECK(spec_of([](raw::Any s) { raw::set(s, 16, (std::uint64_t{1} << 63) + 1); }) == nullptr);
  CHECK(spec_of([](raw::Any s) { raw::set(s, 24, std::uint64_t{0}); }) == nullptr); // leaf_items
  CHECK(spec_of([](raw::Any s) { raw::set(s, 24, (std::uint64_t{1} << 63) + 1); }) == nullptr);
  CHECK(spec_of([](raw::Any s) { raw::set(s, 40, std::uint16_t{3}); }) == nullptr); // trust
  CHECK(spec_of([](raw::Any s) { raw::set(s, 42, std::uint16_t{3}); }) == nullptr); // shape
  CHECK(spec_of([](raw::Any s) { raw::set_data(s, 1, Bytes(15, 1)); }) == nullptr); // nonce
}

TEST_CASE("a job's inputs have one role each, in order") {
  const auto opens = [&](std::vector<std::uint16_t> roles) {
    const auto seal = a.codec.seal_spec(RandomMessage{a.self, a.codec, 2}.spec())->seal;
    const auto edit = [&](raw::Any spec) {
      auto list = raw::pointer(spec, 4).initAsListOfAnyStruct(2, 1, unsigned(roles.size()));
      for (unsigned i = 0; i != list.size(); ++i) {
        raw::set_data(list[i], 0, Bytes(32, 1));
        raw::set(list[i], 8, roles[i]);
      }
    };
    const auto spec = b.codec.open_spec(a.sealed(SealType::spec, raw::edited(seal.body, edit)));
    return spec && spec->spec.inputs.size() == roles.size();
  };
  CHECK(opens({}));
  CHECK(opens({1}));
  CHECK(opens({0, 2}));
  CHECK(opens({0, 1, 2}));
  CHECK(opens({1, 3}));
  CHECK_FALSE(opens({4}));
  CHECK_FALSE(opens({1, 1}));
  CHECK_FALSE(opens({1, 0}));
}

TEST_CASE("a job of rounds says how many, and a round is a range job of one") {
  const auto opens = [&](std::uint16_t shape, std::uint32_t rounds, bool parent,
                         std::uint32_t round) {
    const auto seal = a.codec.seal_spec(RandomMessage{a.self, a.codec, 2}.spec())->seal;
    const auto edit = [&](raw::Any spec) {
      raw::set(spec, 42, shape);
      raw::set(spec, 44, rounds);
      raw::set(spec, 48, round);
      raw::pointer(spec, 5).clear();
      if (parent)
        raw::set_data(spec, 5, Bytes(32, 1));
    };
    return b.codec.open_spec(a.sealed(SealType::spec, raw::edited(seal.body, edit))) != nullptr;
  };
  CHECK(opens(0, 0, false, 0));
  CHECK(opens(0, 0, true, 1));
  CHECK(opens(1, 1, false, 0));
  CHECK(opens(1, 0xffffffff, false, 0));
  CHECK(opens(2, 0xffffffff, false, 0));
  CHECK_FALSE(opens(2, 0, false, 0));
  CHECK_FALSE(opens(1, 0, false, 0));
  CHECK_FALSE(opens(0, 5, false, 0));
  CHECK_FALSE(opens(0, 0, false, 1));
  CHECK_FALSE(opens(0, 0, true, 0));
  CHECK_FALSE(opens(1, 1, true, 1));
  CHECK_FALSE(opens(2, 0, true, 1));
}

TEST_CASE("a job's priority, architecture and deadline have their range") {
  const auto opens = [&](std::int8_t priority, std::string_view arch, std::int64_t deadline_ms) {
    const auto seal = a.codec.seal_spec(RandomMessage{a.self, a.codec, 2}.spec())->seal;
    const auto edit = [&](raw::Any spec) {
      raw::set(spec, 56, priority);
      raw::set_text(spec, 6, arch);
      raw::set(spec, 72, deadline_ms);
    };
    const auto spec = b.codec.open_spec(a.sealed(SealType::spec, raw::edited(seal.body, edit)));
    return spec && spec->spec.priority == priority && spec->spec.require.arch == arch &&
           spec->spec.deadline_ms == deadline_ms;
  };
  CHECK(opens(0, "", 0));
  CHECK(opens(-10, "x86_64", 1));
  CHECK(opens(10, std::string(arch_bytes_max, 'a'), std::int64_t(~0ull >> 1)));
  CHECK_FALSE(opens(11, "", 0));
  CHECK_FALSE(opens(-11, "", 0));
  CHECK_FALSE(opens(0, "X86", 0));
  CHECK_FALSE(opens(0, "a b", 0));
  CHECK_FALSE(opens(0, std::string(arch_bytes_max + 1, 'a'), 0));
  CHECK_FALSE(opens(0, "", -1));
}

TEST_CASE("a spec, an ask and a record of before these wishes are read as without any") {
  // Shorter structs, as their writers had them: what is missing is zero.
  const auto seal = a.codec.seal_spec(RandomMessage{a.self, a.codec, 2}.spec())->seal;
  const auto old = raw::edited(seal.body, [](raw::Any spec) {
    raw::set(spec, 56, std::int8_t{0});
    raw::set(spec, 64, std::uint64_t{0});
    raw::set(spec, 72, std::int64_t{0});
    raw::pointer(spec, 6).clear();
  });
  const auto spec = b.codec.open_spec(a.sealed(SealType::spec, old));
  REQUIRE(spec);
  CHECK(spec->spec.priority == 0);
  CHECK_FALSE(spec->spec.require.any());
  CHECK(spec->spec.deadline_ms == 0);
}

TEST_CASE("of leaves run again that nobody says why, their number stays") {
  JobAnswer answer{1, a.self.id(), {}};
  answer.jobs.push_back({});
  answer.jobs[0].spec = a.codec.seal_spec(RandomMessage{a.self, a.codec, 2}.spec());
  answer.jobs[0].reruns = {1, 2, 3, 4, 5, 6, 7};
  const auto read = b.codec.decode(a.self.id(), a.codec.encode(answer));
  REQUIRE(message(read));
  const auto& reruns = std::get<JobAnswer>(*message(read)).jobs[0].reruns;
  CHECK(reruns == answer.jobs[0].reruns);
  CHECK(reruns.sum() == 28);
}

TEST_CASE("a cancellation that came as an envelope is who signed it") {
  const auto cancel = a.codec.seal_cancel(blob_id(view("a job")));
  const auto opened = b.codec.open_cancel(cancel->seal);
  REQUIRE(opened);
  CHECK(opened->job == cancel->job);
  CHECK(opened->seal.key == a.self.id());
  auto forged = cancel->seal;
  forged.key = b.self.id();
  CHECK_FALSE(b.codec.open_cancel(forged));
  forged = cancel->seal;
  forged.body.back() ^= 1;
  CHECK_FALSE(b.codec.open_cancel(forged));
}

TEST_CASE("a job of rounds, or a tree job, is not leased") {
  for (const auto shape : {Shape::rounds, Shape::tree}) {
    auto grant = some_grant();
    auto spec = grant.spec->spec;
    spec.shape = shape;
    spec.rounds = 3;
    spec.parent = {};
    spec.round = 0;
    spec.budget = 0;
    grant.spec = a.codec.seal_spec(spec);
    for (auto& lease : grant.leases)
      lease.job = grant.spec->id;
    CHECK(why(b.codec.decode(a.self.id(), a.codec.encode(grant))) ==
          "a job of rounds is leased whole");
  }
}

TEST_CASE("only tree jobs and rounds have a budget") {
  auto spec = some_grant().spec->spec;
  spec.parent = {};
  spec.round = spec.rounds = 0;
  const auto opens = [&](Shape shape, std::uint32_t rounds, std::uint32_t round) {
    spec.shape = shape;
    spec.rounds = rounds;
    spec.round = round;
    spec.parent = round ? digest_of(view("parent")) : JobId{};
    spec.budget = 7;
    const auto opened = b.codec.open_spec(a.codec.seal_spec(spec)->seal);
    return opened && opened->spec == spec;
  };
  CHECK(opens(Shape::tree, 0xffffffff, 0));
  CHECK(opens(Shape::range, 0, 3));
  CHECK_FALSE(opens(Shape::range, 0, 0));
  CHECK_FALSE(opens(Shape::rounds, 4, 0));
}

TEST_CASE("every value has its range") {
  using Edit = std::function<void(raw::Any)>;
  const auto in_child = [](Edit edit) { return [=](raw::Any root) { edit(raw::child(root, 0)); }; };
  const auto speed = [&](double s) {
    return why_of(random<StealAsk>(1), in_child([=](raw::Any ask) { raw::set(ask, 16, s); }));
  };
  CHECK(speed(0) == "accepted");
  for (const double s :
       {-1.0, -std::numeric_limits<double>::denorm_min(), std::numeric_limits<double>::infinity(),
        std::numeric_limits<double>::quiet_NaN()})
    CHECK(speed(s) == "a number is negative or not finite");

  CHECK(why_of(Join{}, [](raw::Any p) { raw::set(p, 0, std::uint16_t{2}); }) ==
        "a message is of another protocol");
  CHECK(why_of(Join{}, [](raw::Any p) { raw::set(p, 0, std::uint16_t{0}); }) ==
        "a message is of another protocol");
  for (const std::uint16_t tag : {29, 30, 255, 65535})
    CHECK(why_of(Join{}, [=](raw::Any p) { raw::set(p, 2, tag); }) ==
          "a message is of an unknown kind");

  const ForwardJoin join{b.self.id(), {{"host", 1}}, 3};
  const auto joined = [&](Edit edit) { return why_of(join, in_child(edit)); };
  const auto host = [&](std::string_view text) {
    return joined([=](raw::Any j) { raw::set_text(raw::element(j, 1, 0), 0, text); });
  };
  CHECK(host("fe80::1%eth0") == "accepted");
  CHECK(host(std::string(text_bytes_max, 'x')) == "accepted");
  CHECK(host(std::string(text_bytes_max + 1, 'x')) == "a text is longer than its bound");
  for (const std::string_view bad :
       {std::string_view{""}, std::string_view{"a b"}, std::string_view{"\x1b[2J"},
        std::string_view{"h\u00f6st"}, std::string_view{"\0", 1}, std::string_view{"a\x7f"}})
    CHECK(host(bad) == "a name is not printable");
  CHECK(joined([](raw::Any j) { raw::set(raw::element(j, 1, 0), 0, std::uint16_t{0}); }) ==
        "an address has port 0");
  CHECK(joined([](raw::Any j) { raw::set(j, 0, std::uint8_t{17}); }) ==
        "a message may be passed on too often");
  for (const std::size_t size : {0, 31, 33})
    CHECK(joined([=](raw::Any j) { raw::set_data(j, 0, Bytes(size, 1)); }) ==
          "a node id is not of 32 bytes");

  const auto refused = [&](std::string_view text) {
    return why_of(random<LeaseRefused>(1),
                  in_child([=](raw::Any r) { raw::set_text(r, 1, text); }));
  };
  CHECK(refused("\u00fcber \u20ac \U0001f9e9") == "accepted");
  for (const std::string_view bad :
       {"a\nb", "\x1b[2J", "\x7f", "\xc2\x9b", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xff", "\xe2\x82", "\u202e", "\u2066"})
    CHECK(refused(bad) == "a text has control characters or is not UTF-8");

  const auto prefix = [&](std::string_view text) {
    return why_of(random<JobQuery>(1), in_child([=](raw::Any q) { raw::set_text(q, 1, text); }));
  };
  CHECK(prefix("0123456789abcdef") == "accepted");
  CHECK(prefix("") == "accepted");
  for (const auto& bad : {std::string{"ABC"}, std::string{"g"}, std::string(65, 'a')})
    CHECK(prefix(bad) == "a job prefix is not hexadecimal");

  JobAnswer answer{1, a.self.id(), {}};
  answer.jobs.push_back({});
  answer.jobs[0].spec = a.codec.seal_spec(RandomMessage{a.self, a.codec, 2}.spec());
  CHECK(why_of(answer, in_child([](raw::Any j) {
                 raw::set(raw::element(j, 1, 0), 0, std::uint16_t{5});
               })) == "a job is in an unknown state");
  answer.jobs.push_back(answer.jobs[0]);
  CHECK(why(b.codec.decode(a.self.id(), a.codec.encode(answer))) ==
        "an answer tells of one job twice");

  const auto asked = [&](std::uint32_t chunks) {
    return why_of(random<BlobAsk>(1), in_child([=](raw::Any q) { raw::set(q, 8, chunks); }));
  };
  CHECK(asked(1) == "accepted");
  CHECK(asked(0) == "no chunk of a blob is asked for, or too many");
  CHECK(asked(blob_ask_chunks_max + 1) == "no chunk of a blob is asked for, or too many");
  const auto chunk = [&](std::uint64_t size, std::uint64_t number) {
    return why_of(random<BlobChunk>(1), in_child([=](raw::Any c) {
                    raw::set(c, 0, size);
                    raw::set(c, 8, number);
                  }));
  };
  CHECK(chunk(0, 0) == "accepted");
  CHECK(chunk(65537, 1) == "accepted");
  CHECK(chunk(65536, 1) == "a chunk lies behind its blob's end");

  const auto block = [&](std::uint8_t level, std::uint64_t index) {
    return why(b.codec.decode(
        a.self.id(), resealed(some_grant(), raw::grant_tag, SealType::grant, [&](raw::Any grant) {
          auto list = raw::pointer(raw::element(grant, 1, 0), 1).initAsListOfAnyStruct(2, 0, 1);
          raw::set(list[0], 0, index);
          raw::set(list[0], 8, level);
        })));
  };
  CHECK(block(63, 0) == "accepted");
  CHECK(block(0, (std::uint64_t{1} << 63) - 1) == "accepted");
  for (const auto& [level, index] : {std::pair{63, std::uint64_t{1}},
                                     {64, 0},
                                     {255, 0},
                                     {0, std::uint64_t{1} << 63},
                                     {10, std::uint64_t{1} << 53}})
    CHECK(block(std::uint8_t(level), index) == "a block lies past the last leaf of any job");
}

TEST_CASE("what we say of errors is cleaned, not refused") {
  const LeaseRefused said{{}, 1, "line\nline \x1b[2J \xff " + std::string(400, 'x')};
  const auto read = b.codec.decode(a.self.id(), a.codec.encode(said));
  REQUIRE(message(read));
  const auto& heard = std::get<LeaseRefused>(*message(read)).why;
  CHECK(heard.starts_with("line?line ?[2J ? xxx"));
  CHECK(heard.size() == text_bytes_max);
  const LeaseRefused wide{{}, 1, std::string(255, 'x') + "\u20ac"};
  const auto cut = b.codec.decode(a.self.id(), a.codec.encode(wide));
  REQUIRE(message(cut));
  CHECK(std::get<LeaseRefused>(*message(cut)).why == std::string(255, 'x'));
}

TEST_CASE("the fullest messages fit, and what others said is left out before they do not") {
  const auto encoded = [&](const Message& m) {
    const auto bytes = a.codec.encode(m);
    CHECK(bytes.size() <= message_bytes_max);
    const auto read = b.codec.decode(a.self.id(), bytes);
    REQUIRE(why(read) == "accepted");
    return *message(read);
  };
  auto record = RandomMessage{a.self, a.codec, 2}.record();
  record.kernels.assign(kernels_max, std::string(90, 'k'));
  const auto sealed = a.codec.seal_record(record);
  REQUIRE(sealed->seal.body.size() > record_bytes_max * 4 / 5);
  encoded(Records{{records_max, sealed}});

  const Bytes bytes(partial_inline_bytes_max, 1);
  auto result = some_result();
  result.done.assign(result_blocks_max, {{0, 5}, {blob_id(bytes), bytes.size(), bytes}});
  result.undone.assign(lease_blocks_max, {});
  result.failed.assign(lease_blocks_max, {});
  result.ran.assign(ran_max, {});
  result.shares.assign(shares_max, {});
  const auto text = std::string(text_bytes_max, 'x');
  result.reason = {text, text, text, text};
  result.commitments.assign(commitments_max - 1, {Bytes(1000, 1), b.self.id(), {}});
  const auto heard = std::get<LeaseResult>(encoded(result));
  CHECK(heard.commitments.size() > 200);
  CHECK(heard.commitments.size() < 220);
  CHECK(heard.done == result.done);

  JobAnswer answer{1, a.self.id(), {}};
  for (std::uint64_t seed = 0; seed != 20; ++seed) {
    auto spec = RandomMessage{a.self, a.codec, seed}.spec();
    spec.params.assign(params_bytes_max, 1);
    answer.jobs.push_back({});
    answer.jobs.back().spec = a.codec.seal_spec(spec);
  }
  CHECK(std::get<JobAnswer>(encoded(answer)).jobs.size() == 15);
}

TEST_CASE("a message past its size is not looked at") {
  Bytes bytes(message_bytes_max + 8, 0xff);
  CHECK(why(b.codec.decode(a.self.id(), bytes)) == "a message is too long");
}

namespace {

// Pointers by hand, as no honest encoder makes them. A word at a time.
struct Words {
  std::vector<std::uint64_t> words{0}; // The segment table comes first.

  std::size_t add(std::uint64_t word) {
    words.push_back(word);
    return words.size() - 1;
  }
  std::size_t room(std::size_t n) {
    words.resize(words.size() + n);
    return words.size() - n;
  }
  static std::uint64_t offset(std::size_t from, std::size_t to) {
    return std::uint64_t(std::uint32_t((std::int64_t(to) - std::int64_t(from) - 1) * 4));
  }
  void point_struct(std::size_t at, std::size_t to, std::uint64_t data, std::uint64_t pointers) {
    words[at] = offset(at, to) | data << 32 | pointers << 48;
  }
  void point_list(std::size_t at, std::size_t to, std::uint64_t element_size, std::uint64_t count) {
    words[at] = offset(at, to) | 1 | element_size << 32 | count << 35;
  }
  void tag(std::size_t at, std::uint64_t count, std::uint64_t data, std::uint64_t pointers) {
    words[at] = count << 2 | data << 32 | pointers << 48;
  }
  Bytes bytes() {
    words[0] = std::uint64_t(words.size() - 1) << 32;
    Bytes out(words.size() * 8);
    std::memcpy(out.data(), words.data(), out.size());
    return out;
  }
  // Root, packet, and its one pointer's place.
  std::size_t packet(std::uint64_t kind) {
    const auto root = room(1), data = room(2);
    point_struct(root, data, 1, 1);
    words[data] = 1 | kind << 16;
    return data + 1;
  }
};

std::size_t cost_of(const Codec& codec, const NodeId& from, ByteView bytes, std::string& answer) {
  const auto before = allocated;
  answer = why(codec.decode(from, bytes));
  return allocated - before;
}

// Beyond what the frame allows: the exception, its trace and words.
constexpr std::size_t refusal_bytes = 8 * 1024;

} // namespace

TEST_CASE("64 records that are one and the same 3 KB cost no more than 4 messages") {
  Words w;
  const auto at = w.packet(0);
  const auto tag = w.room(1 + 64 * 3);
  w.point_list(at, tag, 7, 64 * 3);
  w.tag(tag, 64, 0, 3);
  const auto body = w.room(270), key = w.room(4), signature = w.room(8);
  for (std::size_t i = 0; i != 64; ++i) {
    w.point_list(tag + 1 + 3 * i, body, 2, 270 * 8);
    w.point_list(tag + 2 + 3 * i, key, 2, 32);
    w.point_list(tag + 3 + 3 * i, signature, 2, 64);
  }
  const auto bytes = w.bytes();
  REQUIRE(bytes.size() < 3900);
  std::string answer;
  CHECK(cost_of(b.codec, a.self.id(), bytes, answer) < 4 * bytes.size() + refusal_bytes);
  CHECK(answer != "accepted");
}

TEST_CASE("a shuffle of lists within lists that all are one is refused within its budget") {
  Words w;
  const auto at = w.packet(7);
  const auto reply = w.room(1);
  w.point_struct(at, reply, 0, 1);
  const auto sample = w.room(1 + 32 * 2);
  w.point_list(reply, sample, 7, 64);
  w.tag(sample, 32, 0, 2);
  const auto id = w.room(4), addresses = w.room(1 + 8 * 2), host = w.room(32);
  w.tag(addresses, 8, 1, 1);
  for (std::size_t i = 0; i != 32; ++i) {
    w.point_list(sample + 1 + 2 * i, id, 2, 32);
    w.point_list(sample + 2 + 2 * i, addresses, 7, 16);
  }
  std::memset(&w.words[host], 'x', 255);
  for (std::size_t i = 0; i != 8; ++i) {
    w.words[addresses + 1 + 2 * i] = 80;
    w.point_list(addresses + 2 + 2 * i, host, 2, 256);
  }
  const auto bytes = w.bytes();
  std::string answer;
  const auto cost = cost_of(b.codec, a.self.id(), bytes, answer);
  CHECK(answer == "a message is malformed"); // Its parts are good: the budget it is that ends.
  CHECK(cost < 4 * bytes.size() + refusal_bytes);
}

TEST_CASE("64 leases that share one list of empty blocks are refused within their budget") {
  // Signed by a, who is a peer and means ill: elements of no size make 65,536 blocks of nothing.
  const auto spec = a.codec.seal_spec(RandomMessage{a.self, a.codec, 2}.spec());
  Words w;
  const auto root = w.room(1), grant = w.room(3);
  w.point_struct(root, grant, 1, 2);
  const auto envelope = w.room(3);
  w.point_struct(grant + 1, envelope, 0, 3);
  const auto copy = [&](std::size_t from, ByteView bytes) {
    const auto to = w.room((bytes.size() + 7) / 8);
    std::memcpy(&w.words[to], bytes.data(), bytes.size());
    w.point_list(from, to, 2, bytes.size());
    return to;
  };
  copy(envelope, spec->seal.body);
  copy(envelope + 1, spec->seal.key.view());
  copy(envelope + 2, spec->seal.signature);
  const auto leases = w.room(1 + 64 * 5);
  w.point_list(grant + 2, leases, 7, 64 * 5);
  w.tag(leases, 64, 2, 3);
  const auto job = w.room(4), blocks = w.room(1), path = w.room(1), self = w.room(4);
  std::memcpy(&w.words[job], spec->id.bytes.data(), 32);
  std::memcpy(&w.words[self], a.self.id().key.data(), 32);
  w.tag(blocks, 1024, 0, 0);
  w.point_list(path, self, 2, 32);
  for (std::size_t i = 0; i != 64; ++i) {
    const auto lease = leases + 1 + 5 * i;
    w.point_list(lease + 2, job, 2, 32);
    w.point_list(lease + 3, blocks, 7, 0);
    w.point_list(lease + 4, path, 6, 1);
  }
  const auto bytes = raw::packet_of(raw::grant_tag, a.sealed(SealType::grant, w.bytes()));
  REQUIRE(bytes.size() < 4200);
  std::string answer;
  const auto cost = cost_of(b.codec, a.self.id(), bytes, answer);
  CHECK(answer == "a message is malformed");
  // A block is 16 bytes from a word's allowance: twice the budget, and both levels' copies.
  CHECK(cost < 16 * bytes.size() + refusal_bytes);
}

TEST_CASE("a list that claims 2^29 elements is refused unread") {
  for (const std::uint64_t element_size : {0, 7}) {
    Words w;
    const auto at = w.packet(0);
    const auto tag = w.room(1);
    w.tag(tag, (1u << 29) - 1, 0, 0);
    w.point_list(at, tag, element_size, element_size == 7 ? 0 : (1u << 29) - 1);
    std::string answer;
    CHECK(cost_of(b.codec, a.self.id(), w.bytes(), answer) < refusal_bytes);
    CHECK(answer != "accepted");
  }
}

TEST_CASE("pointers that lead in a circle, out of the message, or through 512 segments end it") {
  {
    Words w;
    const auto at = w.packet(7);
    w.point_struct(at, at, 0, 1); // The struct's one pointer is itself.
    CHECK(message(b.codec.decode(a.self.id(), w.bytes())) == nullptr);
  }
  {
    Words w;
    const auto at = w.packet(7);
    w.point_struct(at, at + 1000, 0, 1);
    CHECK(why(b.codec.decode(a.self.id(), w.bytes())) == "a message is malformed");
  }
  {
    Bytes bytes(4096);
    bytes[0] = 0xff; // 256 segments, each empty.
    CHECK(message(b.codec.decode(a.self.id(), bytes)) == nullptr);
    bytes[1] = bytes[2] = bytes[3] = 0xff;
    CHECK(message(b.codec.decode(a.self.id(), bytes)) == nullptr);
  }
  {
    Words w; // A far pointer into its own segment, around and around.
    const auto root = w.add(0);
    w.words[root] = 2 | std::uint64_t(root - 1) << 3;
    CHECK(message(b.codec.decode(a.self.id(), w.bytes())) == nullptr);
  }
}
