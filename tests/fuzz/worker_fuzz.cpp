#include "node/worker/codec.hpp"
#include "tests/fuzz/input.hpp"

// Packets as a worker that was taken over may send them, and the other way round. What is read says
// the same when it is said again. Input: 0 or 1 (a reply, a request), then the packet. No
// descriptors: their part is worker_line_test's.
namespace {

using namespace tessera;
using fuzz::must;

template<class Decode>
void check(ByteView bytes, Decode decode) {
  InPacket in;
  in.bytes = bytes;
  const auto read = decode(std::move(in));
  if (!read)
    return;
  OutPacket out;
  encode(*read, out);
  must(out.bytes == to_bytes(bytes) && out.fd_count == 0);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{{data, size}};
  if (input.byte() % 2)
    check(input.rest, decode_request);
  else
    check(input.rest, decode_reply);
  return 0;
}
