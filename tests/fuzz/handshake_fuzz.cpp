#include "crypto/handshake.hpp"
#include "crypto/little_endian.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/steady_random.hpp"

// Handshakes that get past the first message. Input: a byte of choices, 1: private mesh, 2: the
// second kind.
//
// In flight: two nodes on a line that changes bytes. Who got other bytes than were said never takes
// the other for proven; if none did, both do. Then a byte for the size of each cut, one for the
// number of changes, then each: which stream, what, where, and a byte.
//
// A forger: a peer with keys of its own that keeps to Noise, but not to what its messages hold.
// 4: it dials; 8: its payload is its own, signed as it should be, with damage; else any bytes.
namespace {

using namespace tessera;
using fuzz::must;

constexpr std::size_t preamble_bytes = 20; // With one version.

const Identity& identity(std::uint8_t n) {
  static const std::array all{Identity::from_seed(Secret<32>{{1}}),
                              Identity::from_seed(Secret<32>{{2}})};
  return all[n];
}

const MeshId& mesh() {
  static const MeshId it = digest_of("fuzzed mesh", {});
  return it;
}

Handshake node(NoiseRole role, bool is_private) {
  HandshakeConfig c;
  c.role = role;
  c.identity = &identity(role == NoiseRole::initiator);
  c.mesh = mesh();
  c.psks.resize(is_private);
  return Handshake{c};
}

struct Change {
  std::uint8_t what; // 0: flips bits, 1: comes in before, 2: goes.
  std::size_t at;
  std::uint8_t byte;
};

struct End {
  Handshake machine;
  Bytes said{}, heard{};         // By the other in all; of it, what came here.
  std::size_t read = 0;          // Of what was said.
  std::vector<Change> changes{}; // Of what is said, one at a place.
  bool proven = false, over = false;

  bool waits() const { return read != said.size(); }
  bool misled() const {
    return heard.size() < said.size() || !std::equal(said.begin(), said.end(), heard.begin());
  }

  // Takes one cut, and returns the answer.
  Bytes step(std::size_t cut) {
    Bytes part;
    for (const auto end = std::min(said.size(), read + cut); read != end; ++read)
      pass(part);
    put(heard, part);
    if (over)
      return {};
    auto progress = machine.received(part);
    proven = std::holds_alternative<PeerHello>(progress.outcome);
    over = proven || std::holds_alternative<Closed>(progress.outcome);
    return std::move(progress.reply);
  }
  void pass(Bytes& part) {
    const auto change = std::ranges::find(changes, read, &Change::at);
    const bool is = change != changes.end();
    if (is && change->what == 1)
      part.push_back(change->byte);
    if (!is || change->what != 2)
      part.push_back(said[read] ^ (is && change->what == 0 ? change->byte : 0));
  }
};

// Both have the same keys, and what came behind the handshake is kept.
void check_session(End& a, End& b) {
  for (auto* end : {&a, &b})
    must(end->machine.leftover().size() == end->heard.size() - end->said.size());
  const auto bytes = to_bytes(view("a frame"));
  for (const auto& [from, to] : {std::pair{&a, &b}, {&b, &a}}) {
    Bytes sealed, opened;
    from->machine.split().send.encrypt({}, bytes, sealed);
    must(to->machine.split().receive.decrypt({}, sealed, opened) && opened == bytes);
  }
}

void in_flight(fuzz::Input input, bool is_private) {
  const std::size_t cut = input.byte() + 1u;
  End dials{node(NoiseRole::initiator, is_private)},
      listens{node(NoiseRole::responder, is_private)};
  for (auto n = input.byte() % 8; n; --n) {
    auto& end = input.byte() & 1 ? dials : listens;
    const auto what = std::uint8_t(input.byte() % 3);
    const auto at = input.place(600); // Both streams are shorter.
    if (std::ranges::find(end.changes, at, &Change::at) == end.changes.end())
      end.changes.push_back({what, at, input.byte()});
  }
  put(listens.said, dials.machine.start());
  while (dials.waits() || listens.waits()) {
    put(listens.said, dials.step(cut));
    put(dials.said, listens.step(cut));
  }
  must(!dials.proven || !dials.misled());
  must(!listens.proven || !listens.misled());
  if (dials.misled() || listens.misled())
    return;
  must(dials.proven && listens.proven);
  check_session(dials, listens);
}

// --- The forger

Bytes framed(ByteView message) {
  Bytes out;
  put(out, std::uint16_t(message.size()));
  put(out, message);
  return out;
}

Bytes preamble_of(bool is_private) { // Of either side.
  auto bytes = node(NoiseRole::initiator, is_private).start();
  bytes.resize(preamble_bytes);
  return bytes;
}

struct Forger {
  bool dials, is_private, signs;
  fuzz::Input input;
  DhKeyPair key = DhKeyPair::generate();
  Bytes preamble = preamble_of(is_private);
  Bytes good{}, payload{}; // As it should be, and as it is.

  // Of net/WIRE.md: what the signature must cover.
  Bytes signed_bytes() const {
    Bytes out = to_bytes(view("tessera handshake 1"));
    put(out, mesh().view());
    put(out, std::uint8_t(dials ? 0 : 1));
    put(out, key.public_key);
    put(out, preamble);
    put(out, preamble);
    return out;
  }
  void make_payload() {
    const auto& me = identity(dials);
    good = to_bytes(me.id().view());
    put(good, me.sign(signed_bytes()));
    put(good, std::uint64_t{input.byte()});
    const auto token = input.take(input.byte());
    put(good, std::uint16_t(token.size()));
    put(good, token);
    payload = signs ? fuzz::damaged(good, input) : to_bytes(input.rest);
  }
  Noise noise() const {
    auto prologue = preamble;
    if (!is_private)
      put(prologue, preamble);
    return Noise{{dials ? NoiseRole::initiator : NoiseRole::responder, key, prologue,
                  is_private ? std::optional{Psk{}} : std::nullopt}};
  }

  Handshake::Progress meet() {
    make_payload();
    return dials ? dial() : answer();
  }
  Handshake::Progress dial() const {
    auto machine = node(NoiseRole::responder, is_private);
    auto speaks = noise();
    auto bytes = preamble;
    put(bytes, framed(*speaks.write({})));
    const auto reply = machine.received(bytes).reply;
    must(reply.size() > preamble_bytes + 2);
    must(speaks.read(ByteView{reply}.subspan(preamble_bytes + 2)).has_value());
    return machine.received(framed(*speaks.write(payload)));
  }
  Handshake::Progress answer() const {
    auto machine = node(NoiseRole::initiator, is_private);
    auto speaks = noise();
    auto said = machine.start();
    auto bytes = preamble;
    if (!is_private) // Says more only to who answers.
      put(said, machine.received(std::exchange(bytes, {})).reply);
    must(speaks.read(ByteView{said}.subspan(preamble_bytes + 2)).has_value());
    put(bytes, framed(*speaks.write(payload)));
    return machine.received(bytes);
  }
};

// Well-formed: 32 id, 64 signature, 8 boot, 2 size of the token, token.
bool is_whole(ByteView payload) {
  return payload.size() >= 106 && payload.size() - 106 == get<std::uint16_t>(payload, 104) &&
         payload.size() <= 106 + handshake_token_bytes_max;
}

void forged(Forger forger) {
  const auto progress = forger.meet();
  const ByteView is = forger.payload;
  const auto* hello = std::get_if<PeerHello>(&progress.outcome);
  const bool fits =
      is_whole(is) && std::ranges::equal(is.first(96), ByteView{forger.good}.first(96));
  must(fits == (hello != nullptr));
  if (!hello)
    return must(std::holds_alternative<Closed>(progress.outcome));
  must(hello->id == identity(forger.dials).id() && hello->version == 1);
  must(hello->boot == get<std::uint64_t>(is, 96));
  must(std::ranges::equal(hello->token, is.subspan(106)));
}

} // namespace

std::vector<Bytes> tessera::fuzz::seeds() {
  std::vector<Bytes> all;
  for (const std::uint8_t is_private : {0, 1}) {
    all.push_back(seed({is_private, 255, 0}));
    all.push_back(seed({is_private, 0, 2, 0, 0, 30, 0, 1, 1, 2, 70, 0, 0}));
    for (const std::uint8_t role : {0, 4}) {
      const auto kind = std::uint8_t(is_private | role | 2);
      all.push_back(seed({std::uint8_t(kind | 8), 1, 3, 't', 'o', 'k', 0}));
      all.push_back(seed({kind, 1, 0}, Bytes(106)));
    }
  }
  return all;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::SteadyRandom::restart();
  fuzz::Input input{{data, size}};
  const auto choices = input.byte();
  const bool is_private = choices & 1;
  if (choices & 2)
    forged({bool(choices & 4), is_private, bool(choices & 8), input});
  else
    in_flight(input, is_private);
  return 0;
}
