#include "net/lanes.hpp"

#include "crypto/little_endian.hpp"

#include <algorithm>
#include <cassert>

namespace tessera {

namespace {

constexpr std::uint8_t bulk_bit = 1, first_bit = 2, last_bit = 4, piece_bits = 7;

} // namespace

std::optional<Piece> parse_piece(ByteView plaintext) {
  if (plaintext.empty() || (plaintext[0] & ~piece_bits))
    return {};
  Piece piece;
  piece.lane = plaintext[0] & bulk_bit ? Lane::bulk : Lane::control;
  piece.first = plaintext[0] & first_bit;
  piece.last = plaintext[0] & last_bit;
  piece.body = plaintext.subspan(1);
  if (!piece.first)
    return piece;
  if (piece.body.size() < sizeof(std::uint32_t))
    return {};
  piece.total = get<std::uint32_t>(piece.body, 0);
  piece.body = piece.body.subspan(sizeof(std::uint32_t));
  return piece;
}

void OutLane::push(Bytes message) {
  cost_ += message.size() + message_overhead_bytes;
  queue_.push_back(std::move(message));
}

void OutLane::clear() {
  queue_.clear();
  sent_ = cost_ = 0;
}

bool OutLane::ready(std::size_t budget) const {
  if (queue_.empty())
    return false;
  const std::size_t least = queue_.front().empty() ? 0 : 1;
  return budget >= least + (sent_ ? 0 : message_overhead_bytes);
}

OutLane::Cut OutLane::next(std::size_t budget) {
  assert(ready(budget));
  const auto total = queue_.front().size();
  const bool first = sent_ == 0;
  const auto overhead = first ? message_overhead_bytes : 0;
  const auto size = std::min({total - sent_, piece_bytes_max, budget - overhead});
  const bool last = sent_ + size == total;
  const auto kind = std::uint8_t((lane_ == Lane::bulk ? bulk_bit : 0) | (first ? first_bit : 0) |
                                 (last ? last_bit : 0));
  const auto plaintext = plaintext_of(kind, size);
  sent_ += size;
  cost_ -= size + overhead;
  if (last) {
    sent_ = 0;
    if (!first)
      plaintext_.swap(queue_.front()); // Keeps alive what `plaintext` shows.
    queue_.pop_front();
  }
  return {plaintext, size + overhead, last};
}

// Later pieces need no copy: their kind goes where the byte before them was, which is sent.
ByteView OutLane::plaintext_of(std::uint8_t kind, std::size_t size) {
  auto& message = queue_.front();
  if (sent_) {
    message[sent_ - 1] = kind;
    return ByteView{message}.subspan(sent_ - 1, size + 1);
  }
  plaintext_.clear();
  plaintext_.push_back(kind);
  put(plaintext_, std::uint32_t(message.size()));
  put(plaintext_, ByteView{message}.first(size));
  return plaintext_;
}

std::variant<std::monostate, Bytes, Closed> InLane::take(const Piece& piece,
                                                         std::size_t message_bytes_max) {
  if (piece.first == begun_)
    return Closed{begun_ ? "a message begins within another" : "a piece of no message"};
  if (piece.first) {
    if (piece.total > message_bytes_max)
      return Closed{"a message of " + std::to_string(piece.total) + " bytes is too long"};
    begun_ = true;
    total_ = piece.total;
    message_ = {};
    message_.reserve(total_);
  }
  if (piece.body.empty() && total_)
    return Closed{"an empty piece"};
  if (piece.body.size() > total_ - message_.size())
    return Closed{"a message is longer than it said"};
  put(message_, piece.body);
  if (piece.last != (message_.size() == total_))
    return Closed{"a message does not end where it said"};
  if (!piece.last)
    return {};
  begun_ = false;
  return std::move(message_);
}

} // namespace tessera
