#include "crypto/handshake.hpp"

#include "crypto/little_endian.hpp"

#include <algorithm>
#include <cassert>

// Bytes on the wire. Numbers are little-endian; nothing is padded.
//
// preamble, 18 + 2n bytes, in clear, first from each side:
//    0  8   magic: the letters "tessera" and a zero byte
//    8  1   pattern: 1 = XX (open mesh), 2 = XXpsk0 (private mesh)
//    9  1   n, the number of versions: 1 to 16
//   10  8   mesh tag: the first 8 bytes of digest_of("tessera mesh tag 1", {mesh id})
//   18  2n  versions spoken, the best first
// The version in force is the first of the initiator's that the responder names too.
//
// message, 2 + k bytes, three of them: initiator, responder, initiator:
//    0  2   k, the size of the Noise message behind it
//    2  k   Noise message 1, 2 or 3 of the pattern
//
// order: open      initiator preamble; responder preamble; message 1; message 2; message 3
//        private   initiator preamble, message 1; responder preamble, message 2; message 3
// Behind message 3 (initiator) and message 2 (responder) the session's frames begin. A responder of
// a private mesh sends nothing at all before message 1 has shown the psk.
//
// Noise prologue: open, both preambles, the initiator's first; private, the initiator's alone, as
// message 1 is made before the other is known. The signature below covers both in either case.
//
// payload of message 1: empty. Of messages 2 and 3, 106 + t bytes:
//    0 32   NodeId: the Ed25519 public key
//   32 64   its signature over
//              "tessera handshake 1"  19 letters
//              mesh id                32 bytes
//              role                   1 byte: 0 initiator, 1 responder
//              Noise static key       32 bytes, the signer's
//              initiator's preamble, responder's preamble
//   96  8   boot counter
//  104  2   t, the size of the token: 0 to 2048
//  106  t   token
namespace tessera {

namespace {

constexpr std::string_view magic{"tessera\0", 8};
constexpr std::size_t tag_bytes = 8;
constexpr std::size_t preamble_head_bytes = magic.size() + 2 + tag_bytes;
constexpr std::size_t payload_head_bytes = 32 + 64 + 8 + 2;

struct Preamble {
  std::uint8_t pattern = 0;
  std::array<std::uint8_t, tag_bytes> tag{};
  std::vector<std::uint16_t> versions;
};

std::array<std::uint8_t, tag_bytes> tag_of(const MeshId& mesh) {
  const auto digest = digest_of("tessera mesh tag 1", {mesh.view()});
  std::array<std::uint8_t, tag_bytes> tag;
  std::copy_n(digest.bytes.begin(), tag_bytes, tag.begin());
  return tag;
}

Bytes encode(const Preamble& p) {
  Bytes out = to_bytes(view(magic));
  put(out, p.pattern);
  put(out, std::uint8_t(p.versions.size()));
  put(out, p.tag);
  for (const auto version : p.versions)
    put(out, version);
  return out;
}

// `bytes` has the size that its own count asks for.
Preamble decode_preamble(ByteView bytes) {
  Preamble p;
  p.pattern = bytes[magic.size()];
  std::copy_n(bytes.begin() + magic.size() + 2, tag_bytes, p.tag.begin());
  for (std::size_t at = preamble_head_bytes; at != bytes.size(); at += 2)
    p.versions.push_back(get<std::uint16_t>(bytes, at));
  return p;
}

std::string list_of(const std::vector<std::uint16_t>& versions) {
  std::string text;
  for (const auto version : versions)
    text += (text.empty() ? "" : ", ") + std::to_string(version);
  return text;
}

struct Payload {
  NodeId id;
  Signature signature{};
  std::uint64_t boot = 0;
  Bytes token;
};

Bytes encode(const Payload& p) {
  Bytes out = to_bytes(p.id.view());
  put(out, p.signature);
  put(out, p.boot);
  put(out, std::uint16_t(p.token.size()));
  put(out, p.token);
  return out;
}

std::optional<Payload> decode_payload(ByteView bytes) {
  if (bytes.size() < payload_head_bytes ||
      bytes.size() != payload_head_bytes + get<std::uint16_t>(bytes, 104))
    return {};
  Payload p;
  std::copy_n(bytes.begin(), 32, p.id.key.begin());
  std::copy_n(bytes.begin() + 32, 64, p.signature.begin());
  p.boot = get<std::uint64_t>(bytes, 96);
  p.token = to_bytes(bytes.subspan(payload_head_bytes));
  return p;
}

} // namespace

//            initiator                             responder
//   open     preamble -> message_2 -> done         preamble -> message_1 -> message_3 -> done
//   private  preamble -> message_2 -> done         preamble -> message_1 -> message_3 -> done
// Each state is named after what is awaited; any fault leads to closed.
struct Handshake::Machine {
  enum class State { preamble, message_1, message_2, message_3, done, closed };

  HandshakeConfig config;
  State state = State::preamble;
  Bytes buffer; // Received and not yet understood: less than a message and one read.
  Bytes our_preamble, their_preamble;
  std::optional<Preamble> theirs;
  DhKeyPair static_key;
  std::optional<Noise> noise;
  std::optional<std::uint16_t> version; // In force; nothing: none in common.
  PeerHello peer;
  std::string why;

  explicit Machine(HandshakeConfig c) : config(std::move(c)) {
    assert(config.identity);
    assert(!config.versions.empty() && config.versions.size() <= handshake_versions_max);
    assert(config.token.size() <= handshake_token_bytes_max);
    our_preamble = encode(Preamble{pattern(), tag_of(config.mesh), config.versions});
  }

  bool initiator() const { return config.role == NoiseRole::initiator; }
  bool is_private() const { return !config.psks.empty(); }
  std::uint8_t pattern() const { return is_private() ? 2 : 1; }

  Bytes start();
  void step(Bytes& reply);
  bool over() const { return state == State::done || state == State::closed; }
  void close(std::string words);

  // Each returns false when it needs more bytes.
  bool take_preamble(Bytes& reply);
  bool take_message(Bytes& reply);

  std::string misfit() const;
  std::string no_common_version() const;
  void got_preamble(Bytes& reply);
  void got_message_1(ByteView message, Bytes& reply);
  void got_message_2(ByteView message, Bytes& reply);
  void got_message_3(ByteView message);

  Bytes prologue() const;
  Noise make_noise(std::optional<Secret<32>> psk) const;
  bool open_message_1(ByteView message);
  Bytes signed_bytes(NoiseRole role, const DhPublic& key) const;
  bool send(ByteView payload, Bytes& reply);
  bool send_identity(Bytes& reply);
  bool meet(ByteView payload);
  std::pair<std::size_t, std::size_t> message_bounds() const;
};

void Handshake::Machine::close(std::string words) {
  state = State::closed;
  why = std::move(words);
  noise.reset();
  buffer.clear();
}

Bytes Handshake::Machine::start() {
  if (!initiator())
    return {};
  Bytes out = our_preamble;
  static_key = DhKeyPair::generate();
  if (is_private()) {
    noise = make_noise(config.psks.front());
    send({}, out);
  }
  return out;
}

void Handshake::Machine::step(Bytes& reply) {
  while (!over() && (state == State::preamble ? take_preamble(reply) : take_message(reply))) {}
}

bool Handshake::Machine::take_preamble(Bytes& reply) {
  const auto known = std::min(buffer.size(), magic.size());
  if (!std::equal(buffer.begin(), buffer.begin() + std::ptrdiff_t(known), view(magic).begin())) {
    close("they do not speak Tessera");
    return true;
  }
  if (buffer.size() < preamble_head_bytes)
    return false;
  const std::size_t count = buffer[magic.size() + 1];
  if (count == 0 || count > handshake_versions_max) {
    close("their preamble names " + std::to_string(count) + " versions");
    return true;
  }
  const auto size = preamble_head_bytes + 2 * count;
  if (buffer.size() < size)
    return false;
  their_preamble = to_bytes(ByteView{buffer}.first(size));
  buffer.erase(buffer.begin(), buffer.begin() + std::ptrdiff_t(size));
  theirs = decode_preamble(their_preamble);
  got_preamble(reply);
  return true;
}

// Why we cannot be in one mesh with them; empty if we can.
std::string Handshake::Machine::misfit() const {
  if (theirs->pattern != 1 && theirs->pattern != 2)
    return "their preamble asks for an unknown pattern";
  if (theirs->pattern != pattern())
    return is_private() ? "they are in another mesh: theirs is open, ours is private"
                        : "they are in another mesh: theirs is private, ours is open";
  if (theirs->tag != tag_of(config.mesh))
    return "they are in another mesh";
  return "";
}

std::string Handshake::Machine::no_common_version() const {
  return "no common version: they speak " + list_of(theirs->versions) + ", we speak " +
         list_of(config.versions);
}

void Handshake::Machine::got_preamble(Bytes& reply) {
  const auto& first = initiator() ? config.versions : theirs->versions;
  const auto& second = initiator() ? theirs->versions : config.versions;
  if (const auto it = std::ranges::find_first_of(first, second); it != first.end())
    version = *it;

  if (!initiator() && !is_private())
    put(reply, our_preamble); // Also when it does not fit: so they read why.
  if (const auto words = misfit(); !words.empty())
    return close(words);
  // A private responder stays silent about versions, too, until it knows the psk.
  if (!version && (initiator() || !is_private()))
    return close(no_common_version());
  if (!is_private()) {
    noise = make_noise({});
    if (initiator())
      send({}, reply);
  }
  state = initiator() ? State::message_2 : State::message_1;
}

// Sizes of the Noise message that is awaited.
std::pair<std::size_t, std::size_t> Handshake::Machine::message_bounds() const {
  if (state == State::message_1) {
    const std::size_t size = is_private() ? 32 + noise_tag_bytes : 32;
    return {size, size};
  }
  const std::size_t keys = state == State::message_2 ? 32 + 48 : 48;
  const auto least = keys + payload_head_bytes + noise_tag_bytes;
  return {least, least + handshake_token_bytes_max};
}

bool Handshake::Machine::take_message(Bytes& reply) {
  if (buffer.size() < 2)
    return false;
  const std::size_t size = get<std::uint16_t>(buffer, 0);
  const auto [least, most] = message_bounds();
  if (size < least || size > most) {
    close("their handshake message has a wrong size");
    return true;
  }
  if (buffer.size() < 2 + size)
    return false;
  const Bytes message = to_bytes(ByteView{buffer}.subspan(2, size));
  buffer.erase(buffer.begin(), buffer.begin() + std::ptrdiff_t(2 + size));
  if (state == State::message_1)
    got_message_1(message, reply);
  else if (state == State::message_2)
    got_message_2(message, reply);
  else
    got_message_3(message);
  return true;
}

void Handshake::Machine::got_message_1(ByteView message, Bytes& reply) {
  if (!open_message_1(message))
    return close(is_private() ? "they do not hold the key of this mesh"
                              : "their first message is refused");
  if (is_private())
    put(reply, our_preamble);
  if (!version)
    return close(no_common_version());
  static_key = DhKeyPair::generate();
  noise->use_static(static_key);
  if (!send_identity(reply))
    return close("their ephemeral key is of low order");
  state = State::message_3;
}

void Handshake::Machine::got_message_2(ByteView message, Bytes& reply) {
  const auto payload = noise->read(message);
  if (!payload)
    return close("their second message does not decrypt");
  if (!meet(*payload))
    return;
  if (!send_identity(reply))
    return close("their static key is of low order");
  state = State::done;
}

void Handshake::Machine::got_message_3(ByteView message) {
  const auto payload = noise->read(message);
  if (!payload)
    return close("their third message does not decrypt");
  if (meet(*payload))
    state = State::done;
}

Bytes Handshake::Machine::prologue() const {
  Bytes out = initiator() ? our_preamble : their_preamble;
  if (!is_private())
    put(out, initiator() ? their_preamble : our_preamble);
  return out;
}

Noise Handshake::Machine::make_noise(std::optional<Secret<32>> psk) const {
  return Noise{{config.role, static_key, prologue(), std::move(psk)}};
}

bool Handshake::Machine::open_message_1(ByteView message) {
  if (!is_private())
    return noise->read(message).has_value();
  for (const auto& psk : config.psks) {
    auto attempt = make_noise(psk);
    if (!attempt.read(message))
      continue;
    noise = std::move(attempt);
    return true;
  }
  return false;
}

Bytes Handshake::Machine::signed_bytes(NoiseRole role, const DhPublic& key) const {
  Bytes out = to_bytes(view("tessera handshake 1"));
  put(out, config.mesh.view());
  put(out, std::uint8_t(role == NoiseRole::initiator ? 0 : 1));
  put(out, key);
  put(out, initiator() ? our_preamble : their_preamble);
  put(out, initiator() ? their_preamble : our_preamble);
  return out;
}

bool Handshake::Machine::send(ByteView payload, Bytes& reply) {
  const auto message = noise->write(payload);
  if (!message)
    return false;
  put(reply, std::uint16_t(message->size()));
  put(reply, *message);
  return true;
}

bool Handshake::Machine::send_identity(Bytes& reply) {
  const auto& me = *config.identity;
  const auto signature = me.sign(signed_bytes(config.role, static_key.public_key));
  return send(encode(Payload{me.id(), signature, config.boot, config.token}), reply);
}

// Takes the peer's payload; closes and returns false if it is not who it says, or not who we want.
bool Handshake::Machine::meet(ByteView bytes) {
  const auto payload = decode_payload(bytes);
  const auto role = initiator() ? NoiseRole::responder : NoiseRole::initiator;
  if (!payload) {
    close("their payload is malformed");
  } else if (payload->id == config.identity->id()) {
    close("they are ourselves: this address leads back to this node");
  } else if (!verify(payload->id, signed_bytes(role, noise->remote_static()), payload->signature)) {
    close("their signature does not fit their id");
  } else if (config.expect && payload->id != *config.expect) {
    close("they are " + to_text(payload->id) + ", and not the expected " + to_text(*config.expect));
  } else {
    peer = {payload->id, payload->boot, *version, payload->token};
    return true;
  }
  return false;
}

Handshake::Handshake(HandshakeConfig config)
    : machine_(std::make_unique<Machine>(std::move(config))) {}
Handshake::Handshake(Handshake&&) noexcept = default;
Handshake& Handshake::operator=(Handshake&&) noexcept = default;
Handshake::~Handshake() = default;

Bytes Handshake::start() {
  return machine_->start();
}

Handshake::Progress Handshake::received(ByteView bytes) {
  auto& m = *machine_;
  Progress progress;
  if (m.state != Machine::State::closed)
    put(m.buffer, bytes);
  m.step(progress.reply);
  if (m.state == Machine::State::done)
    progress.outcome = m.peer;
  else if (m.state == Machine::State::closed)
    progress.outcome = Closed{m.why};
  return progress;
}

Noise::Ciphers Handshake::split() {
  assert(machine_->state == Machine::State::done);
  return machine_->noise->split();
}

Bytes Handshake::leftover() {
  return std::exchange(machine_->buffer, {});
}

} // namespace tessera
