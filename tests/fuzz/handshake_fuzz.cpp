#include "crypto/handshake.hpp"

#include <algorithm>
#include <cstdlib>

// Throws any bytes, cut anywhere, at either end of a handshake. Build with clang:
//   clang++ -std=c++20 -I. -fsanitize=fuzzer,address,undefined tests/fuzz/handshake_fuzz.cpp \
//     crypto/*.cpp -lsodium
// Input: a byte of choices (1: dials, 2: private mesh, 4: a preamble that fits goes first), a byte
// for the size of each cut, then the stream.
namespace {

using namespace tessera;

Handshake node(bool dials, bool is_private, const Identity& identity) {
  return Handshake{{.role = dials ? NoiseRole::initiator : NoiseRole::responder,
                    .identity = &identity,
                    .mesh = digest_of("fuzzed mesh", {}),
                    .psks = is_private ? std::vector<Psk>(1) : std::vector<Psk>{}}};
}

Bytes fitting_preamble(bool is_private, const Identity& identity) {
  constexpr std::size_t preamble_bytes = 20; // One version is named.
  auto bytes = node(true, is_private, identity).start();
  bytes.resize(preamble_bytes);
  return bytes;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2)
    return 0;
  static const auto identity = Identity::from_seed(Secret<32>{{1}});
  const bool dials = data[0] & 1, is_private = data[0] & 2;
  const std::size_t cut = data[1] + 1u;
  auto machine = node(dials, is_private, identity);
  machine.start();
  if (data[0] & 4)
    machine.received(fitting_preamble(is_private, identity));
  for (ByteView rest{data + 2, size - 2}; !rest.empty();) {
    const auto part = rest.first(std::min(cut, rest.size()));
    rest = rest.subspan(part.size());
    // Without the peer's keys nobody gets through.
    if (std::holds_alternative<PeerHello>(machine.received(part).outcome))
      std::abort();
  }
  return 0;
}
