#pragma once

#include "crypto/noise.hpp"

#include <string_view>

// Frames: a 2-byte length in clear, then one AEAD ciphertext that also covers the length. The n-th
// frame of a direction uses nonce n; its key is changed each `rekey_frames` frames. Drawn in
// net/session.cpp.
namespace tessera {

inline constexpr std::size_t frame_bytes_max = 65535; // With its length.
inline constexpr std::size_t frame_overhead_bytes = 2 + noise_tag_bytes;
inline constexpr std::size_t frame_plaintext_bytes_max = frame_bytes_max - frame_overhead_bytes;

class FrameWriter {
public:
  FrameWriter() = default;
  FrameWriter(const CipherState& cipher, std::uint64_t rekey_frames);

  void write(ByteView plaintext, Bytes& out); // Appends one frame.

private:
  CipherState cipher_;
  std::uint64_t rekey_frames_ = 1;
};

// Takes any cut. Whole frames are opened where they lie; only one that came in parts is gathered.
class FrameReader {
public:
  FrameReader() = default;
  FrameReader(const CipherState& cipher, std::uint64_t rekey_frames);

  // The plaintext of the next frame, good until the next call; `bytes` moves past what was taken.
  // Nothing: more bytes are wanted, or there is a fault().
  std::optional<ByteView> next(ByteView& bytes);

  std::string_view fault() const { return fault_; } // Why nothing more is read; empty: none.

private:
  bool gather(std::size_t size, ByteView& bytes);
  std::optional<ByteView> open(ByteView frame);

  CipherState cipher_;
  std::uint64_t rekey_frames_ = 1;
  Bytes partial_; // The start of a frame: less than all of it, between calls.
  Bytes plaintext_;
  std::string_view fault_;
};

} // namespace tessera
