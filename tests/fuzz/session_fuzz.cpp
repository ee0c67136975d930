#include "crypto/little_endian.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/steady_random.hpp"
#include "tests/net/raw_peer.hpp"

// Throws frames at an open session that a peer with all its keys might send, and events between
// them. Input: steps. Each is a byte for what to do and one for how much:
//   0    a frame of the next `much` bytes      8    a ping
//   1    a piece of 64 * `much` bytes, kind    9    the pong of its last ping
//        and total from the next five bytes    10-11  it says a message, 1024 * `much` long
//   2    raw bytes, the next `much`            12   its owner consumes what it has
//   3-6  a message of 79 * `much` bytes in up  13   its owner closes, if `much` is 0
//        to three pieces, of either lane       14-15  50 * `much` ms pass
//   7    100 * `much` more credit
namespace {

using namespace tessera;

using fuzz::Input;
using fuzz::must;

struct World {
  SessionLimits limits = small();
  Time now{};
  Session session{handshake_of(NoiseRole::responder, 1), limits, 1, now};
  RawPeer peer{session, NoiseRole::initiator, limits.rekey_frames, now};
  std::array<std::size_t, 2> held{}, held_messages{}; // By lane.
  bool down = false;
  std::uint64_t credit = 0, pinged = 0, ping = 0; // Given; ours; the session's last.

  static SessionLimits small() {
    SessionLimits l;
    l.message_bytes_max = 20'000;
    l.outbox_bytes_max = 100'000;
    l.credit_bytes = 40'128;
    l.held_bytes_max = 30'000;
    l.rekey_frames = 5;
    l.renew_within = std::chrono::seconds(60);
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
  void hear(ByteView plaintext) { check(session.received(peer.frame(plaintext), now)); }

  void hear_message(Lane lane, std::size_t size, std::size_t pieces) {
    const Bytes piece(size / pieces + 1);
    for (std::size_t sent = 0, i = 0; i != pieces; ++i) {
      const auto part = ByteView{piece}.first(std::min(piece.size(), size - sent));
      sent += part.size();
      const auto kind = int(lane) + (i == 0 ? 2 : 0) + (i + 1 == pieces ? 4 : 0);
      hear(piece_frame(std::uint8_t(kind), std::uint32_t(size), part));
    }
  }

  void step(Input& input) {
    const auto what = input.byte() % 16;
    const std::size_t much = input.byte();
    if (what == 0) {
      hear(input.take(much));
    } else if (what == 1) {
      auto plaintext = to_bytes(input.take(5));
      plaintext.resize(5 + 64 * much);
      hear(plaintext);
    } else if (what == 2) {
      check(session.received(input.take(much), now));
    } else if (what <= 6) {
      hear_message(Lane(what % 2), 79 * much, 1 + much % 3);
    } else if (what == 7) {
      hear(number_frame(10, credit += 100 * much));
    } else if (what == 8) {
      hear(number_frame(8, ++pinged));
    } else if (what == 9 && ping) {
      hear(number_frame(9, std::exchange(ping, 0)));
    } else if (what == 10 || what == 11) {
      session.send(Bytes(1024 * much), Lane(what % 2), now);
    } else if (what == 12) {
      for (const auto lane : {Lane::control, Lane::bulk})
        session.consumed(held[std::size_t(lane)], lane, now);
      held = held_messages = {};
      must(session.wants_input());
    } else if (what == 13 && much == 0) {
      session.close("closed by its owner");
    } else if (what >= 14) {
      now += std::chrono::milliseconds(50 * much);
      check(session.wake(now));
    }
    read_output();
  }

  // What it says is always whole and in order.
  void read_output() {
    const auto out = session.take_output(200'000, now);
    const auto said = peer.read(out);
    must(out.empty() || !said.empty());
    must(!session.has_output());
    for (const auto& plaintext : said)
      if (plaintext.at(0) == 8)
        ping = get<std::uint64_t>(plaintext, 1);
  }
};

} // namespace

std::vector<Bytes> tessera::fuzz::seeds() {
  return {seed({3, 2, 4, 9, 5, 255, 6, 255, 12, 0}),          // Messages of both lanes, consumed.
          seed({7, 255, 11, 3, 10, 2, 7, 255, 14, 2}),        // Credit, and what it lets go.
          seed({8, 0, 14, 21, 9, 0, 8, 0, 14, 200, 14, 200}), // Pings, then silence.
          seed({0, 5, 6, 1, 0, 0, 0, 1, 2, 7, 0, 0, 0, 64}),  // Pieces by hand.
          seed({11, 20, 13, 0, 14, 1}),                       // An end while it speaks.
          seed({0, 1, 11}),                                   // Not what it should be.
          seed({2, 3, 255, 255, 255})};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::SteadyRandom::restart();
  World world;
  for (Input input{{data, size}}; !input.rest.empty();)
    world.step(input);
  return 0;
}
