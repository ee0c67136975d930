#include "node/worker/codec.hpp"
#include "tests/fuzz/input.hpp"

// Packets as a worker that was taken over may send them, and the other way round. What is read says
// the same when it is said again. Input: a kind (0 and 1: any bytes, as a reply or a request), then
// the bytes, or some for a good packet's fields and the damage to it. No descriptors: their part is
// worker_line_test's.
namespace {

using namespace tessera;
using fuzz::must;

Bytes packet(const auto& message) {
  OutPacket out;
  encode(message, out);
  return out.bytes;
}

template<class Decode>
void check(const Bytes& bytes, Decode decode) {
  InPacket in;
  in.bytes = bytes;
  if (const auto read = decode(std::move(in)))
    must(packet(*read) == bytes);
}

Payload payload(fuzz::Input& input) {
  Payload p;
  p.bytes = to_bytes(input.take(input.byte() % 16));
  p.size = p.bytes.size();
  return p;
}

WorkerRequest request(fuzz::Input& input) {
  switch (input.byte() % 7) {
  case 0:
    return OpenJob{1,
                   "sumsq",
                   to_bytes(input.take(5)),
                   100,
                   7,
                   payload(input),
                   payload(input),
                   payload(input),
                   true,
                   payload(input),
                   true};
  case 1:
    return CloseJob{input.byte()};
  case 2:
    return RunCall{1, 2, {std::uint8_t(input.byte() % 64), input.byte()}};
  case 3:
    return MergeCall{1, 2, payload(input), payload(input)};
  case 4:
    return FinishCall{1, 2, payload(input)};
  case 5:
    return OpenedCall{1, 2};
  default:
    return PrepareCall{1, "filter", to_bytes(input.take(5)), payload(input)};
  }
}

WorkerReply reply(fuzz::Input& input) {
  if (input.byte() % 2)
    return CallFailed{1, {"E701", "what", "why", "fix"}};
  auto output = payload(input);
  const auto digest = blob_id(output.bytes);
  CallDone done;
  done.call = 1;
  done.output = std::move(output);
  done.digest = digest;
  const auto choices = input.byte();
  done.manifest = choices & 1;
  done.over = choices & 2;
  done.pieces = payload(input);
  done.piece_rows = payload(input);
  return done;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{{data, size}};
  const auto kind = input.byte() % 4;
  if (kind == 0)
    check(to_bytes(input.rest), decode_reply);
  else if (kind == 1)
    check(to_bytes(input.rest), decode_request);
  else if (kind == 2)
    check(fuzz::damaged(packet(request(input)), input), decode_request);
  else
    check(fuzz::damaged(packet(reply(input)), input), decode_reply);
  return 0;
}
