#include "tests/fuzz/input.hpp"
#include "tests/net/raw_peer.hpp"

// Throws frames at an open session that a peer with all its keys might send, and events between
// them. Input: steps. Each is a byte for what to do and one for how much:
//   0-3  a frame of the next `much` bytes      6  the owner consumes what it has
//   4    a piece of 64 * `much` bytes, kind    7  the owner closes, if `much` is 0
//        and total from the next five bytes    8  raw bytes, the next `much`
//   5    a message is sent, 1024 * `much` long 9  50 * `much` ms pass
namespace {

using namespace tessera;

using fuzz::Input;
using fuzz::must;

struct World {
  SessionLimits limits = small();
  Time now{};
  Session session{handshake_of(NoiseRole::responder, 1), limits, now};
  RawPeer peer{session, NoiseRole::initiator, limits.rekey_frames, now};
  std::array<std::size_t, 2> held{}, held_messages{}; // By lane.
  bool down = false;

  static SessionLimits small() {
    SessionLimits l;
    l.message_bytes_max = 20'000;
    l.outbox_bytes_max = 100'000;
    l.credit_bytes = 40'128;
    l.held_bytes_max = 30'000;
    l.rekey_frames = 5;
    return l;
  }

  void check(const std::vector<SessionNews>& news) {
    for (const auto& n : news) {
      must(!down);
      down = std::holds_alternative<SessionDown>(n);
      if (const auto* in = std::get_if<MessageIn>(&n)) {
        must(in->message.size() <= limits.message_bytes_max);
        held[std::size_t(in->lane)] += in->message.size();
        ++held_messages[std::size_t(in->lane)];
      }
    }
    must(held[1] + 64 * held_messages[1] <= limits.credit_bytes);
    must(session.wants_input() ||
         held[0] + 1024 * (held_messages[0] + held_messages[1]) > limits.held_bytes_max);
    must(session.outbox_bytes() <= limits.outbox_bytes_max);
    must(!down || session.closed());
  }
  void step(Input& input) {
    const auto what = input.byte() % 10;
    const std::size_t much = input.byte();
    if (what < 4) {
      check(session.received(peer.frame(input.take(much)), now));
    } else if (what == 4) {
      auto plaintext = to_bytes(input.take(5));
      plaintext.resize(5 + 64 * much);
      check(session.received(peer.frame(plaintext), now));
    } else if (what == 5) {
      session.send(Bytes(1024 * much), much % 2 ? Lane::bulk : Lane::control, now);
    } else if (what == 6) {
      for (const auto lane : {Lane::control, Lane::bulk})
        session.consumed(held[std::size_t(lane)], lane, now);
      held = held_messages = {};
      must(session.wants_input());
    } else if (what == 7 && much == 0) {
      session.close("closed by its owner");
    } else if (what == 8) {
      check(session.received(input.take(much), now));
    } else if (what == 9) {
      now += std::chrono::milliseconds(50 * much);
      check(session.wake(now));
    }
    const auto out = session.take_output(200'000, now);
    must(out.empty() || !peer.read(out).empty()); // What it says is always whole and in order.
    must(!session.has_output());
  }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world;
  for (Input input{{data, size}}; !input.rest.empty();)
    world.step(input);
  return 0;
}
