#include "tests/fuzz/input.hpp"
#include "tests/net/random_message.hpp"
#include "tests/net/raw_packet.hpp"

// What a session carries, at the codec. The first byte says whether the rest is a packet, the body
// of an envelope that is sealed here as a malicious peer would (the fuzzer cannot forge a
// signature, and need not), or damage to a good message. What is accepted must be something we can
// say again, and hear again.
using namespace tessera;

namespace {

const Identity& self() {
  static const Identity it = [] {
    Secret<32> seed;
    seed.bytes.fill(7);
    return Identity::from_seed(seed);
  }();
  return it;
}

const MeshId& mesh() {
  static const MeshId it = digest_of(view("fuzzed mesh"));
  return it;
}

// `rest`: a kind, a seed, and the damage.
Bytes damaged(const Codec& codec, fuzz::Input rest) {
  const auto kind = rest.byte() % std::variant_size_v<Message>;
  return fuzz::damaged(codec.encode(RandomMessage{self(), codec, rest.byte()}.of_kind(kind)), rest);
}

Bytes packet(const Codec& codec, std::uint8_t kind, ByteView rest) {
  const auto sealed = [&](SealType type) { return seal(self(), mesh(), type, to_bytes(rest)); };
  switch (kind % 8) {
  case 1:
    return raw::records_packet({sealed(SealType::record)});
  case 2:
    return raw::packet_of(raw::grant_tag, sealed(SealType::grant));
  case 3:
    return raw::packet_of(raw::result_tag, sealed(SealType::result));
  case 4:
    return raw::packet_of(raw::receipt_tag, sealed(SealType::receipt));
  case 5:
    return raw::packet_of(raw::cancel_tag, sealed(SealType::cancel));
  case 0:
    return damaged(codec, {rest});
  default:
    return to_bytes(rest);
  }
}

// Its own commitment is made anew from `ran`.
Message said_again(Message m) {
  if (auto* result = std::get_if<LeaseResult>(&m); result && !result->ran.empty())
    result->commitments.erase(result->commitments.begin());
  return m;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  const ByteView input{data, size};
  const Codec codec{self(), mesh()};
  if (data[0] % 8 == 6)
    codec.open_spec(seal(self(), mesh(), SealType::spec, to_bytes(input.subspan(1))));
  else if (data[0] % 8 == 7)
    codec.envelope(input.subspan(1));

  const auto read = codec.decode(self().id(), packet(codec, data[0], input.subspan(1)));
  const auto* heard = std::get_if<Message>(&read);
  if (!heard)
    return 0;
  const auto bytes = codec.encode(said_again(*heard));
  const auto again = codec.decode(self().id(), bytes);
  const auto* reheard = std::get_if<Message>(&again);
  fuzz::must(reheard && codec.encode(said_again(*reheard)) == bytes);
  return 0;
}
