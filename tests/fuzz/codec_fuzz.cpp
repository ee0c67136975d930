#include "tests/fuzz/words.hpp"
#include "tests/net/random_message.hpp"
#include "tests/net/raw_packet.hpp"

// What a session carries, at the codec. The first byte says whether the rest is a packet, or the
// body of an envelope that is sealed here as a malicious peer would (the fuzzer cannot forge a
// signature, and need not). What is accepted must be something we can say again, and hear again.
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

enum Kind : std::uint8_t { whole, record, grant, result, receipt, cancel, spec, envelope, kinds };

Bytes packet(std::uint8_t kind, ByteView rest) {
  const auto sealed = [&](SealType type) { return seal(self(), mesh(), type, to_bytes(rest)); };
  switch (kind) {
  case record:
    return raw::records_packet({sealed(SealType::record)});
  case grant:
    return raw::packet_of(raw::grant_tag, sealed(SealType::grant));
  case result:
    return raw::packet_of(raw::result_tag, sealed(SealType::result));
  case receipt:
    return raw::packet_of(raw::receipt_tag, sealed(SealType::receipt));
  case cancel:
    return raw::packet_of(raw::cancel_tag, sealed(SealType::cancel));
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

std::optional<Kind> kind_of(const Message& message) {
  if (std::holds_alternative<Grant>(message))
    return grant;
  if (std::holds_alternative<LeaseResult>(message))
    return result;
  if (std::holds_alternative<Receipt>(message))
    return receipt;
  return std::holds_alternative<CancelJob>(message) ? std::optional{cancel} : std::nullopt;
}

// What is sealed in the packet of one of these.
Bytes body_of(ByteView packet) {
  auto words = kj::heapArray<capnp::word>(packet.size() / sizeof(capnp::word));
  std::memcpy(words.begin(), packet.data(), packet.size());
  capnp::FlatArrayMessageReader reader{words};
  const auto envelope =
      reader.getRoot<capnp::AnyStruct>().getPointerSection()[0].getAs<capnp::AnyStruct>();
  const auto body = envelope.getPointerSection()[0].getAs<capnp::Data>();
  return {body.begin(), body.end()};
}

} // namespace

// Lists of a message, cut to what an element of each takes: short, and all of its parts there.
void cut(auto&... lists) {
  (lists.resize(std::min<std::size_t>(lists.size(), 2)), ...);
}
Message short_message(const Codec& codec, std::size_t kind, std::uint64_t n) {
  auto message = RandomMessage{self(), codec, n}.of_kind(kind);
  if (auto* result = std::get_if<LeaseResult>(&message)) {
    cut(result->done, result->undone, result->failed, result->ran, result->shares);
    cut(result->commitments);
    for (auto& done : result->done)
      if (!done.partial.bytes.empty())
        done.partial = {blob_id(Bytes{1, 2}), 2, {1, 2}, false};
  } else if (auto* answer = std::get_if<JobAnswer>(&message)) {
    cut(answer->jobs);
    for (auto& job : answer->jobs)
      cut(job.shares);
  }
  return message;
}

std::vector<Bytes> tessera::fuzz::seeds() {
  constexpr std::size_t seed_bytes_max = 3000;
  const Codec codec{self(), mesh()};
  std::vector<Bytes> all;
  for (std::size_t kind = 0; kind != std::variant_size_v<Message>; ++kind)
    for (std::uint64_t n = 0, kept = 0; n != 50 && kept != 2; ++n) {
      const auto message = short_message(codec, kind, n);
      const auto bytes = codec.encode(message);
      if (bytes.size() > seed_bytes_max)
        continue;
      ++kept;
      all.push_back(seed({whole}, bytes));
      if (const auto sealed = kind_of(message))
        all.push_back(seed({*sealed}, body_of(bytes)));
    }
  RandomMessage random{self(), codec, 1};
  all.push_back(seed({record}, codec.seal_record(random.record())->seal.body));
  const auto spec_seal = codec.seal_spec(random.spec())->seal;
  all.push_back(seed({spec}, spec_seal.body));
  all.push_back(seed({envelope}, Codec::envelope_bytes(spec_seal)));
  return all;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max, unsigned seed) {
  return fuzz::mutated_words(data, size, max, seed, 1);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  const auto rest = ByteView{data, size}.subspan(1);
  const auto kind = std::uint8_t(data[0] % kinds);
  const Codec codec{self(), mesh()};
  if (kind == spec)
    codec.open_spec(seal(self(), mesh(), SealType::spec, to_bytes(rest)));
  else if (kind == envelope)
    codec.envelope(rest);

  const auto read = codec.decode(self().id(), packet(kind, rest));
  const auto* heard = std::get_if<Message>(&read);
  if (!heard)
    return 0;
  const auto bytes = codec.encode(said_again(*heard));
  const auto again = codec.decode(self().id(), bytes);
  const auto* reheard = std::get_if<Message>(&again);
  fuzz::must(reheard && codec.encode(said_again(*reheard)) == bytes);
  return 0;
}
