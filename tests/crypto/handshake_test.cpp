#include "crypto/handshake.hpp"
#include "crypto/little_endian.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace tessera;

namespace {

const auto alice = Identity::from_seed(Secret<32>{{1}});
const auto bob = Identity::from_seed(Secret<32>{{2}});
const MeshId mesh = digest_of("test mesh", {});
const Psk psk{{7, 7, 7}};

using Outcome = std::variant<std::monostate, PeerHello, Closed>;

HandshakeConfig initiator(bool is_private) {
  return {.role = NoiseRole::initiator,
          .identity = &alice,
          .mesh = mesh,
          .psks = is_private ? std::vector{psk} : std::vector<Psk>{},
          .boot = 11,
          .token = to_bytes(view("alice's token"))};
}

HandshakeConfig responder(bool is_private) {
  return {.role = NoiseRole::responder,
          .identity = &bob,
          .mesh = mesh,
          .psks = is_private ? std::vector{psk} : std::vector<Psk>{},
          .boot = 22,
          .token = to_bytes(view("bob's token"))};
}

// Both ends of one connection, with all that each has sent.
struct Pair {
  Handshake a, b;
  std::vector<Bytes> flights; // a's and b's in turn, a's first.
  Outcome at_a, at_b;

  Pair(HandshakeConfig from, HandshakeConfig to) : a(std::move(from)), b(std::move(to)) {}

  // Carries bytes until nobody has any. `change` may tamper with flight number n.
  template<class Change>
  void run(Change change) {
    Bytes bytes = a.start();
    for (std::size_t n = 0; !bytes.empty(); ++n) {
      REQUIRE(n < 10);
      change(n, bytes);
      flights.push_back(bytes);
      auto progress = n % 2 ? a.received(bytes) : b.received(bytes);
      (n % 2 ? at_a : at_b) = progress.outcome;
      bytes = std::move(progress.reply);
    }
  }
  void run() {
    run([](std::size_t, Bytes&) {});
  }
};

bool met(const Outcome& outcome) {
  return std::holds_alternative<PeerHello>(outcome);
}

std::string why(const Outcome& outcome) {
  const auto* closed = std::get_if<Closed>(&outcome);
  return closed ? closed->why : "";
}

void check_met(Pair& pair) {
  INFO("a: " << why(pair.at_a) << ", b: " << why(pair.at_b));
  REQUIRE(met(pair.at_a));
  REQUIRE(met(pair.at_b));
  const auto& seen_by_a = std::get<PeerHello>(pair.at_a);
  const auto& seen_by_b = std::get<PeerHello>(pair.at_b);
  CHECK(seen_by_a.id == bob.id());
  CHECK(seen_by_a.boot == 22);
  CHECK(text_of(seen_by_a.token) == "bob's token");
  CHECK(seen_by_b.id == alice.id());
  CHECK(seen_by_b.boot == 11);
  CHECK(text_of(seen_by_b.token) == "alice's token");
  CHECK(seen_by_a.version == seen_by_b.version);
}

bool says(const Outcome& outcome, std::string_view part) {
  return why(outcome).find(part) != std::string::npos;
}

// All flights of a good handshake; they are fresh each time.
Pair good_pair(bool is_private) {
  Pair pair{initiator(is_private), responder(is_private)};
  pair.run();
  check_met(pair);
  return pair;
}

Bytes joined(const Pair& pair, std::size_t first) {
  Bytes all;
  for (auto i = first; i < pair.flights.size(); i += 2)
    put(all, pair.flights[i]);
  return all;
}

// A client of an open mesh written by a stranger, from the layout at the top of handshake.cpp.
struct Stranger {
  NoiseRole signed_role = NoiseRole::initiator;
  MeshId signed_mesh = mesh;
  const Identity* signer = &alice;
  bool own_static = true;
  std::uint16_t signed_version = 1;
  Bytes tail = {}; // Behind the token.
  std::uint16_t token_bytes = 0;

  static Bytes preamble(std::uint16_t version) {
    Bytes out = to_bytes(view(std::string_view{"tessera\0\1\1", 10}));
    put(out, ByteView{digest_of("tessera mesh tag 1", {mesh.view()}).bytes}.first(8));
    put(out, version);
    return out;
  }

  static Bytes framed(const Bytes& message) {
    Bytes out;
    put(out, std::uint16_t(message.size()));
    put(out, message);
    return out;
  }

  static Bytes signed_text(const MeshId& in, std::uint8_t role, const DhPublic& key,
                           const Bytes& first, const Bytes& second) {
    Bytes text = to_bytes(view("tessera handshake 1"));
    put(text, in.view());
    put(text, role);
    put(text, key);
    put(text, first);
    put(text, second);
    return text;
  }

  Outcome meet(Handshake& node) const {
    const auto theirs = node.received(preamble(1)).reply;
    REQUIRE(theirs == preamble(1));
    Bytes prologue = preamble(1);
    put(prologue, theirs);
    const auto key = DhKeyPair::generate();
    Noise noise{{NoiseRole::initiator, key, prologue, {}}};
    const auto second = node.received(framed(*noise.write({}))).reply;
    const auto hello = noise.read(ByteView{second}.subspan(2));
    REQUIRE(hello);
    const auto its_text = signed_text(mesh, 1, noise.remote_static(), preamble(1), theirs);
    Signature its_signature;
    std::copy_n(hello->begin() + 32, 64, its_signature.begin());
    CHECK(verify(bob.id(), its_text, its_signature));

    const auto text = signed_text(signed_mesh, signed_role == NoiseRole::initiator ? 0 : 1,
                                  own_static ? key.public_key : DhKeyPair::generate().public_key,
                                  preamble(signed_version), theirs);
    Bytes payload = to_bytes(alice.id().view());
    put(payload, signer->sign(text));
    put(payload, std::uint64_t{33});
    put(payload, token_bytes);
    put(payload, tail);
    return node.received(framed(*noise.write(payload))).outcome;
  }

  Outcome meet() const {
    Handshake node{responder(false)};
    return meet(node);
  }
};

} // namespace

TEST_CASE("two nodes of a mesh meet, and learn id, boot counter and token of each other") {
  for (const bool is_private : {false, true}) {
    CAPTURE(is_private);
    Pair pair{initiator(is_private), responder(is_private)};
    pair.run();
    check_met(pair);
    auto at_a = pair.a.split(), at_b = pair.b.split();
    Bytes sealed, opened;
    at_a.send.encrypt({}, view("hello"), sealed);
    CHECK(at_b.receive.decrypt({}, sealed, opened));
    CHECK(text_of(opened) == "hello");
  }
}

TEST_CASE("the ciphers of both ends agree, each way, and the two ways differ") {
  for (const bool is_private : {false, true}) {
    auto pair = good_pair(is_private);
    auto at_a = pair.a.split(), at_b = pair.b.split();
    Bytes forth, back, out;
    at_a.send.encrypt({}, view("text"), forth);
    at_b.send.encrypt({}, view("text"), back);
    CHECK(forth != back);
    CHECK_FALSE(at_a.receive.decrypt({}, forth, out)); // One's own bytes, sent back.
    CHECK(at_b.receive.decrypt({}, forth, out));
    CHECK(at_a.receive.decrypt({}, back, out));
    CHECK(text_of(out) == "texttext");
  }
}

TEST_CASE("the stream may be cut anywhere, and what follows the handshake is kept") {
  for (std::uint64_t seed = 0; seed != 60; ++seed) {
    std::mt19937_64 rng{seed};
    INFO("seed " << seed);
    const bool is_private = rng() % 2;
    Pair pair{initiator(is_private), responder(is_private)};
    const auto most = 1 + rng() % 40;
    Bytes flight = pair.a.start();
    bool to_b = true;
    while (!flight.empty()) {
      auto& end = to_b ? pair.b : pair.a;
      auto& outcome = to_b ? pair.at_b : pair.at_a;
      // The session's first bytes come close behind.
      const bool last = met(pair.at_a);
      if (last)
        put(flight, view("session bytes"));
      Bytes reply;
      for (std::size_t at = 0; at < flight.size();) {
        const auto n = std::min<std::size_t>(rng() % (most + 1), flight.size() - at);
        auto progress = end.received(ByteView{flight}.subspan(at, n));
        at += n;
        put(reply, progress.reply);
        outcome = progress.outcome;
      }
      flight = std::move(reply);
      to_b = !to_b;
    }
    check_met(pair);
    CHECK(text_of(pair.b.leftover()) == "session bytes");
    CHECK(pair.b.leftover().empty());
    CHECK(pair.a.leftover().empty());
  }
}

TEST_CASE("bytes that come after the end are kept too, on either side") {
  Pair pair{initiator(false), responder(false)};
  pair.run([](std::size_t n, Bytes& flight) {
    if (n == 3) // Message 2: what stands behind it is the session's.
      put(flight, view("early"));
  });
  check_met(pair);
  CHECK(met(pair.a.received(view(" and late")).outcome));
  CHECK(text_of(pair.a.leftover()) == "early and late");
}

TEST_CASE("each flipped byte of each flight is refused") {
  for (const bool is_private : {false, true}) {
    const auto flights = good_pair(is_private).flights;
    REQUIRE(flights.size() == (is_private ? 3 : 5));
    for (std::size_t n = 0; n != flights.size(); ++n)
      for (std::size_t at = 0; at != flights[n].size(); ++at) {
        INFO("private " << is_private << ", flight " << n << ", byte " << at);
        Pair pair{initiator(is_private), responder(is_private)};
        pair.run([&](std::size_t now, Bytes& flight) {
          if (now == n)
            flight[at] ^= 1;
        });
        // Only the last flight comes too late for its own sender.
        CHECK(met(pair.at_a) == (n + 1 == flights.size()));
        CHECK_FALSE(met(pair.at_b));
      }
  }
}

TEST_CASE("each truncation of each flight meets nobody") {
  for (const bool is_private : {false, true}) {
    const auto flights = good_pair(is_private).flights;
    for (std::size_t n = 0; n != flights.size(); ++n)
      for (std::size_t size = 0; size < flights[n].size(); size += 3) {
        INFO("private " << is_private << ", flight " << n << ", size " << size);
        Pair pair{initiator(is_private), responder(is_private)};
        pair.run([&](std::size_t now, Bytes& flight) {
          if (now == n)
            flight.resize(size);
        });
        CHECK(met(pair.at_a) == (n + 1 == flights.size()));
        CHECK_FALSE(met(pair.at_b));
      }
  }
}

TEST_CASE("a recorded handshake, played again, meets nobody") {
  for (const bool is_private : {false, true}) {
    const auto recorded = good_pair(is_private);
    Handshake b{responder(is_private)};
    CHECK(says(b.received(joined(recorded, 0)).outcome, "third message"));
    Handshake a{initiator(is_private)};
    a.start();
    CHECK(says(a.received(joined(recorded, 1)).outcome, "second message"));
  }
}

TEST_CASE("a node that hears its own bytes closes") {
  for (const bool is_private : {false, true}) {
    Handshake a{initiator(is_private)};
    Bytes bytes = a.start();
    Outcome outcome;
    for (int i = 0; i != 5 && !bytes.empty(); ++i) {
      auto progress = a.received(bytes);
      bytes = progress.reply;
      outcome = progress.outcome;
    }
    CHECK(says(outcome, "wrong size"));
  }
}

TEST_CASE("a private responder is silent to all who lack the psk") {
  auto stranger = initiator(true);
  stranger.psks = {Psk{{7, 7, 8}}};
  Pair pair{stranger, responder(true)};
  pair.run();
  CHECK(pair.flights.size() == 1);
  CHECK(says(pair.at_b, "do not hold the key"));

  auto elsewhere = initiator(true);
  elsewhere.mesh = digest_of("other mesh", {});
  Pair other{elsewhere, responder(true)};
  other.run();
  CHECK(other.flights.size() == 1);
  CHECK(says(other.at_b, "another mesh"));

  Pair open{initiator(false), responder(true)};
  open.run();
  CHECK(open.flights.size() == 1);
  CHECK(says(open.at_b, "theirs is open, ours is private"));
}

TEST_CASE("an open responder tells a wrong mesh, so that both ends can say it") {
  auto elsewhere = initiator(false);
  elsewhere.mesh = digest_of("other mesh", {});
  Pair pair{elsewhere, responder(false)};
  pair.run();
  CHECK(why(pair.at_a) == "they are in another mesh");
  CHECK(why(pair.at_b) == "they are in another mesh");

  Pair closed{initiator(true), responder(false)};
  closed.run();
  CHECK(says(closed.at_a, "theirs is open, ours is private"));
  CHECK(says(closed.at_b, "theirs is private, ours is open"));
}

TEST_CASE("the initiator's best common version is taken, and none is told in words") {
  for (const bool is_private : {false, true}) {
    auto from = initiator(is_private), to = responder(is_private);
    from.versions = {9, 3, 2};
    to.versions = {1, 2, 3};
    Pair pair{from, to};
    pair.run();
    check_met(pair);
    CHECK(std::get<PeerHello>(pair.at_a).version == 3);
    CHECK(std::get<PeerHello>(pair.at_b).version == 3);

    to.versions = {0, 1}; // Not even 0 is a version by accident.
    Pair apart{from, to};
    apart.run();
    CHECK(why(apart.at_a) == "no common version: they speak 0, 1, we speak 9, 3, 2");
    CHECK(why(apart.at_b) == "no common version: they speak 9, 3, 2, we speak 0, 1");
  }
}

TEST_CASE("no preamble of a private mesh shows the mesh id") {
  Handshake a{initiator(true)};
  const auto sent = a.start();
  CHECK(std::ranges::search(sent, std::span{mesh.bytes}.first(8)).empty());
  CHECK(std::ranges::search(sent, alice.id().key).empty());
}

TEST_CASE("while a psk is replaced, dialling with the old or the new one works") {
  auto to = responder(true);
  to.psks = {Psk{{1}}, psk, Psk{{3}}};
  Pair pair{initiator(true), to};
  pair.run();
  check_met(pair);
  auto from = initiator(true);
  from.psks = {Psk{{4}}, psk}; // Only the first dials.
  Pair other{from, to};
  other.run();
  CHECK(says(other.at_b, "do not hold the key"));
}

TEST_CASE("who dials a known peer meets that one only") {
  for (const bool is_private : {false, true}) {
    auto from = initiator(is_private);
    from.expect = bob.id();
    Pair pair{from, responder(is_private)};
    pair.run();
    check_met(pair);
    from.expect = Identity::from_seed(Secret<32>{{3}}).id();
    Pair other{from, responder(is_private)};
    other.run();
    CHECK(says(other.at_a, to_text(bob.id())));
    CHECK(says(other.at_a, "not the expected"));
    CHECK_FALSE(met(other.at_b));
  }
}

TEST_CASE("a node that dials itself is told so") {
  for (const bool is_private : {false, true}) {
    auto to = responder(is_private);
    to.identity = &alice;
    Pair pair{initiator(is_private), to};
    pair.run();
    CHECK(says(pair.at_a, "ourselves"));
    CHECK_FALSE(met(pair.at_b));
  }
}

TEST_CASE("garbage is closed at its first wrong byte, with no answer") {
  for (const bool is_private : {false, true})
    for (const std::string_view text : {"G", "tessera1", "SSH-2.0-x", "\x16\x03\x01"}) {
      Handshake b{responder(is_private)};
      const auto progress = b.received(view(text));
      CHECK(progress.reply.empty());
      CHECK(says(progress.outcome, "do not speak Tessera"));
      CHECK(says(b.received(view("more")).outcome, "do not speak Tessera"));
      CHECK(b.leftover().empty());
    }
}

TEST_CASE("counts and sizes out of bounds are refused before their bytes have come") {
  for (const int versions : {0, 17, 255}) {
    Handshake b{responder(false)};
    auto preamble = Stranger::preamble(1);
    preamble[9] = std::uint8_t(versions);
    const auto progress = b.received(ByteView{preamble}.first(18));
    CHECK(progress.reply.empty());
    CHECK(says(progress.outcome, "versions"));
  }
  for (const int size : {0, 31, 33, 65535}) {
    Handshake b{responder(false)};
    b.received(Stranger::preamble(1));
    Bytes head;
    put(head, std::uint16_t(size));
    CHECK(says(b.received(head).outcome, "wrong size"));
  }
}

TEST_CASE("tokens pass whole, up to their bound") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, handshake_token_bytes_max}) {
    auto from = initiator(true), to = responder(true);
    from.token = Bytes(size, 1);
    to.token = Bytes(size, 2);
    Pair pair{from, to};
    pair.run();
    REQUIRE(met(pair.at_a));
    REQUIRE(met(pair.at_b));
    CHECK(std::get<PeerHello>(pair.at_b).token == from.token);
    CHECK(std::get<PeerHello>(pair.at_a).token == to.token);
  }
}

TEST_CASE("a client written from the documented layout meets a node") {
  Handshake node{responder(false)};
  const auto outcome = Stranger{}.meet(node);
  INFO(why(outcome));
  REQUIRE(met(outcome));
  CHECK(std::get<PeerHello>(outcome).id == alice.id());
  CHECK(std::get<PeerHello>(outcome).boot == 33);
  const Stranger with_token{.tail = {1, 2}, .token_bytes = 2};
  CHECK(std::get<PeerHello>(with_token.meet()).token == Bytes{1, 2});
}

TEST_CASE("an identity is proven by its own signature over this mesh, role, key and preamble") {
  const std::string_view words = "signature does not fit";
  CHECK(says(Stranger{.signed_role = NoiseRole::responder}.meet(), words));
  CHECK(says(Stranger{.signed_mesh = digest_of("other mesh", {})}.meet(), words));
  CHECK(says(Stranger{.signer = &bob}.meet(), words));
  CHECK(says(Stranger{.own_static = false}.meet(), words));
  CHECK(says(Stranger{.signed_version = 2}.meet(), words));
}

TEST_CASE("a payload with bytes too many or too few is refused") {
  CHECK(says(Stranger{.tail = {1}, .token_bytes = 0}.meet(), "malformed"));
  CHECK(says(Stranger{.tail = {1}, .token_bytes = 2}.meet(), "malformed"));
  CHECK(says(Stranger{.token_bytes = 65535}.meet(), "malformed"));
}

TEST_CASE("an ephemeral key of low order is refused") {
  Handshake b{responder(false)};
  b.received(Stranger::preamble(1));
  CHECK(says(b.received(Stranger::framed(Bytes(32))).outcome, "low order"));
}

TEST_CASE("no random bytes meet or crash a node") {
  for (std::uint64_t seed = 0; seed != 2000; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 rng{seed};
    const bool is_private = rng() % 2, dials = rng() % 2;
    Handshake node{dials ? initiator(is_private) : responder(is_private)};
    node.start();
    Bytes bytes = Stranger::preamble(1);
    bytes.resize(rng() % (bytes.size() + 1));
    for (auto n = rng() % 300; n--;)
      bytes.push_back(std::uint8_t(rng()));
    if (rng() % 2 && !bytes.empty())
      bytes[rng() % bytes.size()] = std::uint8_t(rng());
    CHECK_FALSE(met(node.received(bytes).outcome));
  }
}
