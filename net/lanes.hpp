#pragma once

#include "crypto/handshake.hpp"
#include "net/session.hpp"

#include <deque>

// The two ways a message goes: cut into pieces on the way out, put together on the way in.
namespace tessera {

// What a message costs of outbox and credit besides its bytes, so that empty ones are not free.
inline constexpr std::size_t message_overhead_bytes = 64;

// The multiple of 64 that fits into a frame: the next piece is as aligned as the first.
inline constexpr std::size_t piece_bytes_max = 65472;

// A frame's plaintext whose kind is below 8: bit 0 its lane, bit 1 first, bit 2 last; then, on the
// first, the message's size as u32; then a part of the message.
struct Piece {
  Lane lane = Lane::control;
  bool first = false, last = false;
  std::size_t total = 0; // Of the whole message; only on the first.
  ByteView body;

  std::size_t cost() const { return body.size() + (first ? message_overhead_bytes : 0); }
};
std::optional<Piece> parse_piece(ByteView plaintext); // Nothing: no piece, or cut short.

// Messages of one lane that wait to go.
class OutLane {
public:
  explicit OutLane(Lane lane) : lane_(lane) {}

  void push(Bytes message);
  std::size_t cost() const { return cost_; } // Of what has not gone yet.
  void clear();

  bool ready(std::size_t budget) const; // Whether a piece may go that costs no more.
  struct Cut {
    ByteView plaintext; // Good until the next call.
    std::size_t cost;
    bool last;
  };
  Cut next(std::size_t budget); // Only when ready(budget).

private:
  ByteView plaintext_of(std::uint8_t kind, std::size_t size);

  Lane lane_;
  std::deque<Bytes> queue_;
  std::size_t sent_ = 0; // Of the front.
  std::size_t cost_ = 0;
  Bytes plaintext_; // Of a piece that cannot stay where it lies.
};

// A message of one lane that is on its way in.
class InLane {
public:
  // The message that the piece completes; nothing: more pieces are to come.
  std::variant<std::monostate, Bytes, Closed> take(const Piece& piece,
                                                   std::size_t message_bytes_max);
  std::size_t bytes() const { return begun_ ? total_ : 0; } // Set aside for what is half here.

private:
  bool begun_ = false;
  std::size_t total_ = 0;
  Bytes message_;
};

} // namespace tessera
