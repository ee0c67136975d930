#include "crypto/handshake.hpp"
#include "crypto/little_endian.hpp"
#include "tests/fuzz/input.hpp"

// A handshake between two nodes, on a line that changes bytes. Who got a changed one never takes
// the other for proven; if none was, both do. Input: a byte of choices (1: private mesh), one for
// the size of each cut, one for the number of changes, then each: which stream, where, and the bits
// to flip.
namespace {

using namespace tessera;
using fuzz::must;

Handshake node(NoiseRole role, bool is_private) {
  static const std::array identities{Identity::from_seed(Secret<32>{{1}}),
                                     Identity::from_seed(Secret<32>{{2}})};
  HandshakeConfig c;
  c.role = role;
  c.identity = &identities[role == NoiseRole::initiator];
  c.mesh = digest_of("fuzzed mesh", {});
  c.psks.resize(is_private);
  return Handshake{c};
}

struct End {
  Handshake machine;
  Bytes inbox;          // Said by the other, and not yet arrived.
  std::size_t read = 0; // Of all that came.
  std::vector<std::pair<std::size_t, std::uint8_t>> flips; // By place in the stream.
  bool misled = false, proven = false, over = false;

  // Takes one cut, and returns the answer.
  Bytes step(std::size_t cut) {
    auto part = to_bytes(ByteView{inbox}.first(std::min(cut, inbox.size())));
    inbox.erase(inbox.begin(), inbox.begin() + long(part.size()));
    for (const auto& [at, bits] : flips)
      if (at >= read && at < read + part.size()) {
        part[at - read] ^= bits;
        misled = true;
      }
    read += part.size();
    if (over)
      return {};
    auto progress = machine.received(part);
    proven = std::holds_alternative<PeerHello>(progress.outcome);
    over = proven || std::holds_alternative<Closed>(progress.outcome);
    return std::move(progress.reply);
  }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{{data, size}};
  const bool is_private = input.byte() & 1;
  const std::size_t cut = input.byte() + 1u;
  End dials{node(NoiseRole::initiator, is_private), {}, 0, {}};
  End listens{node(NoiseRole::responder, is_private), {}, 0, {}};
  for (auto n = input.byte() % 8; n; --n) {
    auto& end = input.byte() & 1 ? dials : listens;
    const auto at = input.place(600); // Both streams are shorter.
    if (const auto bits = input.byte();
        bits && std::ranges::none_of(end.flips, [&](const auto& f) { return f.first == at; }))
      end.flips.emplace_back(at, bits);
  }
  put(listens.inbox, dials.machine.start());
  while (!dials.inbox.empty() || !listens.inbox.empty()) {
    put(listens.inbox, dials.step(cut));
    put(dials.inbox, listens.step(cut));
  }
  must(!(dials.misled && dials.proven));
  must(!(listens.misled && listens.proven));
  if (!dials.misled && !listens.misled)
    must(dials.proven && listens.proven);
  return 0;
}
