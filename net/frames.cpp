#include "net/frames.hpp"

#include "crypto/little_endian.hpp"

#include <algorithm>
#include <cassert>

namespace tessera {

namespace {

std::size_t frame_bytes(ByteView head) {
  return 2 + std::size_t{get<std::uint16_t>(head, 0)};
}

ByteView take(std::size_t size, ByteView& bytes) {
  const auto front = bytes.first(size);
  bytes = bytes.subspan(size);
  return front;
}

void count_towards_rekey(CipherState& cipher, std::uint64_t rekey_frames) {
  if (cipher.counter() % rekey_frames == 0)
    cipher.rekey();
}

} // namespace

FrameWriter::FrameWriter(const CipherState& cipher, std::uint64_t rekey_frames)
    : cipher_(cipher), rekey_frames_(rekey_frames) {
  assert(rekey_frames > 0);
}

void FrameWriter::write(ByteView plaintext, Bytes& out) {
  assert(plaintext.size() <= frame_plaintext_bytes_max);
  const auto size = std::uint16_t(plaintext.size() + noise_tag_bytes);
  const std::array length{std::uint8_t(size), std::uint8_t(size >> 8)};
  put(out, length);
  cipher_.encrypt(length, plaintext, out);
  count_towards_rekey(cipher_, rekey_frames_);
}

FrameReader::FrameReader(const CipherState& cipher, std::uint64_t rekey_frames)
    : cipher_(cipher), rekey_frames_(rekey_frames) {
  assert(rekey_frames > 0);
  plaintext_.reserve(frame_bytes_max);
}

std::optional<ByteView> FrameReader::next(ByteView& bytes) {
  if (!fault_.empty())
    return {};
  if (partial_.empty() && bytes.size() >= 2 && bytes.size() >= frame_bytes(bytes))
    return open(take(frame_bytes(bytes), bytes));
  if (!gather(2, bytes))
    return {};
  if (frame_bytes(partial_) > frame_bytes_max) {
    fault_ = "a frame of a wrong size";
    return {};
  }
  if (!gather(frame_bytes(partial_), bytes))
    return {};
  const auto plaintext = open(partial_);
  partial_.clear();
  return plaintext;
}

// Moves bytes into partial_ until it holds `size`; false if they did not suffice.
bool FrameReader::gather(std::size_t size, ByteView& bytes) {
  if (partial_.size() < size)
    put(partial_, take(std::min(size - partial_.size(), bytes.size()), bytes));
  return partial_.size() >= size;
}

std::optional<ByteView> FrameReader::open(ByteView frame) {
  if (frame.size() <= frame_overhead_bytes || frame.size() > frame_bytes_max) {
    fault_ = "a frame of a wrong size";
    return {};
  }
  plaintext_.clear();
  if (!cipher_.decrypt(frame.first(2), frame.subspan(2), plaintext_)) {
    fault_ = "a frame that does not decrypt";
    return {};
  }
  count_towards_rekey(cipher_, rekey_frames_);
  return plaintext_;
}

} // namespace tessera
