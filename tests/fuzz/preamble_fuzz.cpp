#include "crypto/handshake.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/steady_random.hpp"

// Throws preambles, and what follows them, at either end of a handshake. Nobody gets through, and
// where the stream is cut makes no difference. Input: a byte of choices (1: dials, 2: private mesh;
// 4: the magic, 8: the pattern, 16: the mesh tag is right), one for the size of each cut, then the
// stream.
namespace {

using namespace tessera;
using fuzz::must;

HandshakeConfig config(bool dials, bool is_private) {
  static const auto identity = Identity::from_seed(Secret<32>{{1}});
  HandshakeConfig c;
  c.role = dials ? NoiseRole::initiator : NoiseRole::responder;
  c.identity = &identity;
  c.mesh = digest_of("fuzzed mesh", {});
  c.psks.resize(is_private);
  return c;
}

// Magic 8, pattern 1, number of versions 1, tag 8, versions.
Bytes mended(ByteView stream, std::uint8_t choices, ByteView fitting) {
  auto bytes = to_bytes(stream);
  const auto mend = [&](std::uint8_t choice, std::size_t at, std::size_t size) {
    for (; choices & choice && size && at < bytes.size(); ++at, --size)
      bytes[at] = fitting[at];
  };
  mend(4, 0, 8);
  mend(8, 8, 1);
  mend(16, 10, 8);
  return bytes;
}

struct Heard {
  std::size_t reply_bytes = 0; // Its keys are new each time.
  std::string why;

  bool operator==(const Heard&) const = default;
};

Heard heard(const HandshakeConfig& c, ByteView stream, std::size_t cut) {
  Handshake machine{c};
  machine.start();
  Heard result;
  while (!stream.empty()) {
    const auto part = stream.first(std::min(cut, stream.size()));
    stream = stream.subspan(part.size());
    const auto progress = machine.received(part);
    must(!std::holds_alternative<PeerHello>(progress.outcome));
    result.reply_bytes += progress.reply.size();
    if (const auto* closed = std::get_if<Closed>(&progress.outcome)) {
      must(!closed->why.empty());
      result.why = closed->why;
      return result;
    }
  }
  return result;
}

} // namespace

std::vector<Bytes> tessera::fuzz::seeds() {
  SteadyRandom::restart();
  std::vector<Bytes> all;
  for (const std::uint8_t role : {0, 1})
    for (const std::uint8_t is_private : {0, 2}) {
      const auto choices = std::uint8_t(role | is_private | 4 | 8 | 16);
      auto stream = Handshake{config(true, is_private)}.start();
      all.push_back(seed({choices, 7}, stream));
      stream.resize(18);
      stream[9] = 2; // Versions, and no more.
      all.push_back(seed({choices, 255}, stream));
    }
  return all;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::SteadyRandom::restart();
  fuzz::Input input{{data, size}};
  const auto choices = input.byte();
  const std::size_t cut = input.byte() + 1u;
  const bool is_private = choices & 2;
  const auto fitting = Handshake{config(true, is_private)}.start();
  const auto stream = mended(input.rest, choices, fitting);
  const auto c = config(choices & 1, is_private);
  must(heard(c, stream, cut) == heard(c, stream, stream.size() + 1));
  return 0;
}
