#include "node/worker/codec.hpp"
#include "tests/fuzz/input.hpp"

// Packets as a worker that was taken over may send them, and the other way round. What is read says
// the same when it is said again. Input: 0 or 1 (a reply, a request), then its bytes. No
// descriptors: their part is worker_line_test's.
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

Payload payload(Bytes bytes) {
  Payload p;
  p.size = bytes.size();
  p.bytes = std::move(bytes);
  return p;
}

CallDone done(bool choice) {
  CallDone d;
  d.call = 1;
  d.output = payload({1, 2});
  d.digest = blob_id(d.output.bytes);
  d.manifest = choice;
  d.over = !choice;
  d.pieces = payload({3});
  d.piece_rows = payload(Bytes(40, 4));
  return d;
}

} // namespace

std::vector<Bytes> tessera::fuzz::seeds() {
  std::vector<Bytes> all;
  const auto reply = [&](WorkerReply r) { all.push_back(seed({0}, packet(r))); };
  reply(done(false));
  reply(done(true));
  reply(CallFailed{1, {"E701", "what", "why", "fix"}});
  const auto request = [&](WorkerRequest r) { all.push_back(seed({1}, packet(r))); };
  const auto params = to_bytes(view("{}"));
  request(
      OpenJob{1, "sumsq", params, 100, 7, payload({1}), payload({2}), {}, true, payload({3}), 2});
  request(CloseJob{7});
  request(RunCall{1, 2, {3, 4}});
  request(MergeCall{1, 2, payload({1}), payload({})});
  request(FinishCall{1, 2, payload({1, 2, 3})});
  request(OpenedCall{1, 2});
  request(PrepareCall{1, "filter", params, payload({9})});
  return all;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{{data, size}};
  if (input.byte() % 2)
    check(to_bytes(input.rest), decode_request);
  else
    check(to_bytes(input.rest), decode_reply);
  return 0;
}
