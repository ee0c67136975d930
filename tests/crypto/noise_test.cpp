#include "crypto/noise.hpp"
#include "tests/crypto/vectors.hpp"

#include <algorithm>
#include <random>

using namespace tessera;
using namespace tessera::vectors;
using nlohmann::json;

namespace {

// The names that the four files give to one thing.
Bytes first_of(const json& v, std::initializer_list<const char*> keys) {
  for (const auto* key : keys)
    if (v.contains(key))
      return hex(v, key);
  return {};
}

DhKeyPair pair_of(const Bytes& secret) {
  return DhKeyPair::from_secret(Secret<32>{fixed<32>(secret)});
}

NoiseConfig config_of(const json& v, NoiseRole role) {
  const bool first = role == NoiseRole::initiator;
  NoiseConfig config{.role = role,
                     .static_key = pair_of(hex(v, first ? "init_static" : "resp_static")),
                     .prologue =
                         first_of(v, {first ? "init_prologue" : "resp_prologue", "prologue"}),
                     .psk = {}};
  config.ephemeral = pair_of(first ? first_of(v, {"init_ephemeral", "gen_init_ephemeral"})
                                   : first_of(v, {"resp_ephemeral", "gen_resp_ephemeral"}));
  if (v.contains("preshared_key"))
    config.psk = Secret<32>{fixed<32>(hex(v, "preshared_key"))};
  return config;
}

// One vector, both sides. After the handshake flynn's messages begin with the initiator again.
void run_vector(const json& v, bool initiator_again) {
  Noise a{config_of(v, NoiseRole::initiator)}, b{config_of(v, NoiseRole::responder)};
  const auto& messages = v.at("messages");
  REQUIRE(messages.size() > 3);
  for (std::size_t i = 0; i != 3; ++i) {
    auto& writer = i % 2 ? b : a;
    auto& reader = i % 2 ? a : b;
    REQUIRE(writer.my_turn());
    REQUIRE_FALSE(reader.my_turn());
    const auto message = writer.write(hex(messages[i], "payload"));
    REQUIRE(message);
    CHECK(*message == hex(messages[i], "ciphertext"));
    CHECK(reader.read(*message) == hex(messages[i], "payload"));
  }
  REQUIRE(a.finished());
  REQUIRE(b.finished());
  CHECK(a.hash() == b.hash());
  if (v.contains("handshake_hash"))
    CHECK(to_bytes(a.hash()) == hex(v, "handshake_hash"));
  CHECK(a.remote_static() == pair_of(hex(v, "resp_static")).public_key);
  CHECK(b.remote_static() == pair_of(hex(v, "init_static")).public_key);

  auto at_a = a.split(), at_b = b.split();
  for (std::size_t i = 3; i != messages.size(); ++i) {
    const bool by_a = (i % 2 == 0) != initiator_again;
    Bytes sealed, opened;
    (by_a ? at_a : at_b).send.encrypt({}, hex(messages[i], "payload"), sealed);
    CHECK(sealed == hex(messages[i], "ciphertext"));
    CHECK((by_a ? at_b : at_a).receive.decrypt({}, sealed, opened));
    CHECK(opened == hex(messages[i], "payload"));
  }
}

// How many vectors of our two protocols the file holds.
int run_file(const std::string& file, bool initiator_again) {
  if (!present(file))
    return -1;
  int ran = 0;
  const auto json = load(file);
  for (const auto& v : json.at("vectors")) {
    const std::string name = v.contains("protocol_name") ? v.at("protocol_name") : v.at("name");
    if (name != "Noise_XX_25519_ChaChaPoly_SHA256" &&
        name != "Noise_XXpsk0_25519_ChaChaPoly_SHA256")
      continue;
    INFO(file << ": " << name << ", number " << ran);
    run_vector(v, initiator_again);
    ++ran;
  }
  return ran;
}

struct Ends {
  Noise a, b;

  explicit Ends(std::optional<Secret<32>> psk_a = {}, std::optional<Secret<32>> psk_b = {},
                Bytes prologue_a = {}, Bytes prologue_b = {})
      : a({NoiseRole::initiator, DhKeyPair::generate(), std::move(prologue_a), psk_a}),
        b({NoiseRole::responder, DhKeyPair::generate(), std::move(prologue_b), psk_b}) {}

  // How many of the three messages pass, when message number `n` has gone through `change`.
  template<class Change>
  int run(int n, Change change) {
    for (int i = 0; i != 3; ++i) {
      auto& writer = i % 2 ? b : a;
      auto message = writer.write(view("payload"));
      if (!message)
        return i;
      if (i == n)
        change(*message);
      if (!(i % 2 ? a : b).read(*message))
        return i;
    }
    return 3;
  }
  int run() {
    return run(3, [](Bytes&) {});
  }
};

const Secret<32> psk{{5, 5}};

} // namespace

TEST_CASE("the vectors of cacophony, snow, noise-c and flynn come out") {
  for (const auto& [file, expected, initiator_again] :
       {std::tuple{"noise/cacophony.json", 1, false},
        {"noise/snow.json", 1, false},
        {"noise/noise-c-basic.json", 1, false},
        {"noise/flynn.json", 8, true}})
    if (const int ran = run_file(file, initiator_again); ran >= 0)
      CHECK(ran == expected);
}

TEST_CASE("a handshake passes with one psk on both sides, or none, and else at no message") {
  const Secret<32> other{{5, 6}};
  CHECK(Ends{}.run() == 3);
  CHECK(Ends{psk, psk}.run() == 3);
  CHECK(Ends{psk, other}.run() == 0); // The first message already shows the psk.
  CHECK(Ends{{}, psk}.run() == 0);
  CHECK(Ends{psk, {}}.run() == 1); // A responder without a psk sees noise as an open payload.
}

TEST_CASE("prologues that differ end the handshake") {
  CHECK(Ends{{}, {}, {1}, {1}}.run() == 3);
  CHECK(Ends{{}, {}, {1}, {2}}.run() ==
        1); // Message 1 is in clear: message 2 is the first to fail.
  CHECK(Ends{psk, psk, {1}, {2}}.run() == 0);
}

TEST_CASE("each flipped byte and each cut of each message ends the handshake") {
  for (const bool with_psk : {false, true})
    for (int n = 0; n != 3; ++n) {
      std::size_t size = 0;
      const auto ends = [&] { return with_psk ? Ends{psk, psk} : Ends{}; };
      CHECK(ends().run(n, [&](Bytes& m) { size = m.size(); }) == 3);
      // Without a psk nothing seals message 1: what changed in it shows at message 2.
      const int passed = n == 0 && !with_psk ? 1 : n;
      for (std::size_t at = 0; at != size; ++at) {
        INFO("psk " << with_psk << ", message " << n << ", byte " << at << " of " << size);
        CHECK(ends().run(n, [&](Bytes& m) { m[at] ^= 1; }) == passed);
        CHECK(ends().run(n, [&](Bytes& m) { m.resize(at); }) <= passed);
      }
      CHECK(ends().run(n, [&](Bytes& m) { m.push_back(0); }) == passed);
    }
}

TEST_CASE("points of low order are refused, whatever their top bit") {
  // The u-coordinates of RFC 7748's curve whose order divides 8, and two that are not reduced.
  const std::vector<std::string> low{
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000000",
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};
  for (const auto& text : low)
    for (const int top : {0, 0x80}) {
      CAPTURE(text);
      auto point = hex(text);
      point[31] |= std::uint8_t(top);
      Ends ends;
      REQUIRE(ends.a.write({}));
      REQUIRE(ends.b.read(point)); // An unkeyed message 1 is nothing but e.
      CHECK_FALSE(ends.b.write({}));
      CHECK_FALSE(ends.b.my_turn());
      CHECK_FALSE(ends.b.finished());

      Ends other;
      REQUIRE(other.a.write({}));
      Bytes answer = point;
      answer.resize(32 + 48 + 16);
      CHECK_FALSE(other.a.read(answer));
    }
}

TEST_CASE("a refused handshake stays refused") {
  Ends ends;
  const auto first = ends.a.write({});
  REQUIRE(ends.b.read(*first));
  auto second = *ends.b.write({});
  second.back() ^= 1;
  CHECK_FALSE(ends.a.read(second));
  second.back() ^= 1;
  CHECK_FALSE(ends.a.read(second));
  CHECK_FALSE(ends.a.my_turn());
  CHECK_FALSE(ends.a.finished());
}

TEST_CASE("handshake messages are as long as Noise allows, and no longer") {
  Ends fits;
  CHECK(fits.a.write(Bytes(noise_message_bytes_max - 32))->size() == noise_message_bytes_max);
  Ends too_long;
  CHECK_FALSE(too_long.a.write(Bytes(noise_message_bytes_max - 31)));
  CHECK(too_long.a.my_turn()); // Nothing has happened: a shorter one may follow.
  CHECK(too_long.a.write({}));
  CHECK_FALSE(too_long.b.read(Bytes(noise_message_bytes_max + 1)));
}

TEST_CASE(
    "with a psk the ephemeral key is mixed into the key: two handshakes share no key stream") {
  // Same psk, same static keys, same payload: only e differs. Were it mixed into the hash alone,
  // the tags would differ, and what is before them would not.
  const auto sealed_with = [](std::uint8_t seed) {
    NoiseConfig config{NoiseRole::initiator, pair_of(Bytes(32, 1)), {}, psk};
    config.ephemeral = pair_of(Bytes(32, seed));
    const auto message = *Noise{config}.write(Bytes(64));
    return Bytes{message.begin() + 32, message.end() - 16};
  };
  CHECK(sealed_with(2) == sealed_with(2));
  CHECK(sealed_with(2) != sealed_with(3));
}

TEST_CASE("a cipher counts up, and opens each message once and in order") {
  const Secret<32> key{{1}};
  CipherState sender{key}, receiver{key};
  std::vector<Bytes> sent(5);
  for (auto& message : sent)
    sender.encrypt(view("ad"), view("same text"), message);
  CHECK(sender.counter() == 5);
  Bytes out;
  CHECK_FALSE(receiver.decrypt(view("ad"), sent[1], out)); // Early.
  CHECK(receiver.counter() == 0);
  for (std::size_t i = 0; i != sent.size(); ++i) {
    CHECK_FALSE(receiver.decrypt(view("other"), sent[i], out));
    CHECK(receiver.decrypt(view("ad"), sent[i], out));
    CHECK_FALSE(receiver.decrypt(view("ad"), sent[i], out)); // Replayed.
    CHECK(receiver.counter() == i + 1);
  }
  CHECK(out.size() == 5 * view("same text").size());
}

TEST_CASE("each flipped bit and each cut of a sealed frame is refused") {
  const Secret<32> key{{1}};
  CipherState sender{key}, receiver{key};
  Bytes sealed, out;
  sender.encrypt({}, view("a frame"), sealed);
  for (std::size_t bit = 0; bit != sealed.size() * 8; ++bit) {
    auto changed = sealed;
    changed[bit / 8] ^= std::uint8_t(1 << bit % 8);
    CHECK_FALSE(receiver.decrypt({}, changed, out));
  }
  for (std::size_t size = 0; size != sealed.size(); ++size)
    CHECK_FALSE(receiver.decrypt({}, ByteView{sealed}.first(size), out));
  CHECK(out.empty());
  CHECK(receiver.decrypt({}, sealed, out));
}

TEST_CASE("rekeying changes the key and leaves the counter") {
  const Secret<32> key{{1}};
  CipherState a{key}, b{key}, stale{key};
  Bytes first, second, out;
  a.encrypt({}, view("1"), first);
  CHECK(b.decrypt({}, first, out));
  CHECK(stale.decrypt({}, first, out));
  a.rekey();
  b.rekey();
  CHECK(a.counter() == 1);
  a.encrypt({}, view("2"), second);
  CHECK_FALSE(stale.decrypt({}, second, out));
  CHECK(b.decrypt({}, second, out));
}

TEST_CASE("a cipher without a key passes text through and counts nothing") {
  CipherState open;
  Bytes out;
  open.encrypt(view("ad"), view("text"), out);
  CHECK(text_of(out) == "text");
  CHECK(open.decrypt(view("ad"), view("more"), out));
  CHECK(text_of(out) == "textmore");
  CHECK(open.counter() == 0);
  CHECK_FALSE(open.keyed());
}
