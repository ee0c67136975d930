#pragma once

#include "crypto/handshake.hpp"
#include "net/budget.hpp"
#include "net/rate.hpp"
#include "net/time.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <variant>

// One authenticated, encrypted connection, as bytes in and bytes out: no socket, no clock.
//
//   handshaking --(peer proven)--> open --(any violation, silence, an hour, close())--> closed
//        \------(deadline 5 s, refusal)-----------------------------------------------/
//
// Messages travel in frames: 2-byte length, then AEAD over {kind, body}. Each frame is at most
// 65,535 bytes; a message is cut into frames of its lane, and control frames go between bulk
// frames. Bulk needs credit, which the receiver gives as its owner consumes. Each side rekeys after
// 2^16 frames, and within an hour whoever dialled has to dial again. An idle side pings each
// second.
namespace tessera {

enum class Lane : std::uint8_t { control = 0, bulk = 1 };

struct SessionLimits {
  Duration handshake_deadline = std::chrono::seconds(5);
  Duration ping_every = std::chrono::seconds(1);
  Duration suspect_after = std::chrono::seconds(3);
  Duration dead_after = std::chrono::seconds(15);
  std::size_t message_bytes_max = 1 << 20;
  std::size_t outbox_bytes_max = 8 << 20; // Control and bulk together; send() refuses beyond.
  // Bulk that we accept before our owner has consumed it; counts as at least two longest messages.
  std::size_t credit_bytes = 4 << 20;
  // Control that our owner may hold before we want no more input. Each message of either lane
  // counts 1 KiB on top, for the mailbox it lies in: at most about 4,096 of them.
  std::size_t held_bytes_max = 4 << 20;
  // Of all sessions of the node: past our share of it we want no input, and refuse to send.
  std::shared_ptr<Budget> budget = nullptr; // None: no bound but those above.
  // Of all sessions of the node: when bulk may go, and when credit for more of it is given. Control
  // goes at once, and bulk waits for it. None: no bound.
  std::shared_ptr<Rate> upload = nullptr, download = nullptr;
  std::uint64_t rekey_frames = 1 << 16; // The wire's; smaller only in tests, at both ends.
  // By then the session ends, for a new handshake. Each draws its moment from the last quarter of
  // this, so that what was opened at one moment is not dialled again at one moment.
  Duration renew_within = std::chrono::hours(1);
};

// News of a session, in the order they happened.
struct SessionUp {
  PeerHello peer;
};
struct MessageIn {
  Bytes message;
  Lane lane;
};
struct Suspected {}; // Silent for suspect_after.
struct Heard {};     // Heard again after Suspected.
struct SessionDown {
  std::string why;
};
using SessionNews = std::variant<SessionUp, MessageIn, Suspected, Heard, SessionDown>;

class Session {
public:
  // `seed`: of its dice, which say only when it ends for a new handshake.
  Session(HandshakeConfig handshake, SessionLimits limits, std::uint64_t seed, Time now);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  // Bytes that came from the other end. Any cut.
  std::vector<SessionNews> received(ByteView bytes, Time now);

  // Queues a message. False: not open, too long, or the outbox is full, or all sessions' are: it
  // was not queued.
  bool send(Bytes message, Lane lane, Time now);

  // The owner is done with `bytes` bytes of MessageIn of this lane. Of bulk, that much credit goes
  // back.
  void consumed(std::size_t bytes, Lane lane, Time now);

  // False while the owner holds too much, of this session or of all: read no more from the peer,
  // whose silence is then ours. What was read already may still be given. Others may let go, too:
  // ask again after each wake().
  bool wants_input() const;

  // Bytes to write next, at most about `bytes_max` (whole frames); empty if nothing may go now.
  // Control first.
  Bytes take_output(std::size_t bytes_max, Time now);
  bool has_output() const;

  // Orderly end: what is queued already still comes out of take_output(), then why; then closed(),
  // and the owner closes the socket. No news follow, but a SessionDown if the peer ends it sooner.
  void close(std::string why);
  bool closed() const; // Reads no more, and queues no more; last words may wait in take_output().

  std::optional<Time> next_wake() const; // Deadlines, pings, suspicion.
  std::vector<SessionNews> wake(Time now);

  std::optional<Duration> rtt() const; // Smoothed from pings; nothing before the first answer.
  std::size_t outbox_bytes() const;
  // At the very end: what the owner still holds counts until this share goes.
  Budget::Share unreturned();
  struct Counters {
    std::uint64_t bytes_in = 0, bytes_out = 0, messages_in = 0, messages_out = 0;
  };
  Counters counters() const;

private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
};

} // namespace tessera
