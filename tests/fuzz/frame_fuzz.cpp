#include "crypto/little_endian.hpp"
#include "net/frames.hpp"
#include "tests/fuzz/input.hpp"

// Frames, as whoever has the key, or has not, may send them. What a reader makes of any cut is what
// a naive one makes of the whole stream; and what went in whole comes out the same. Input: after
// how many frames the key changes, the size of each cut, then steps, each a byte for what comes and
// one for how much:
//   0    a frame of the next `n` bytes            3  any bytes, the next `n`
//   1    a frame of 256 * `n` bytes               4  bits flip in what came so far: where, which
//   2    one sealed as it should be, of any       5  what came so far loses its last `n` bytes
//        length: a u16
namespace {

using namespace tessera;
using fuzz::must;

constexpr std::size_t stream_bytes_max = 100'000;

struct Heard {
  std::vector<Bytes> plaintexts;
  std::string fault;

  bool operator==(const Heard&) const = default;
};

CipherState cipher() {
  return CipherState{Secret<32>{{7}}};
}

// What was sent. Frames are FrameWriter's as long as all are; then they are sealed here, as the
// reader expects the next.
struct Stream {
  std::uint64_t rekey_frames;
  FrameWriter writer{cipher(), rekey_frames};
  CipherState state = cipher();
  Bytes bytes{};
  std::vector<Bytes> written{}; // In front, and whole.
  bool only_written = true;

  void frame(ByteView plaintext) {
    Bytes sealed;
    seal(std::uint16_t(plaintext.size() + noise_tag_bytes), plaintext, sealed);
    if (!only_written)
      return put(bytes, sealed);
    writer.write(plaintext, bytes);
    must(std::ranges::equal(sealed, ByteView{bytes}.last(sealed.size())));
    written.push_back(to_bytes(plaintext));
  }
  void frame_of_length(std::uint16_t length) {
    only_written = false;
    if (length < noise_tag_bytes)
      return put(bytes, length);
    seal(length, Bytes(length - noise_tag_bytes), bytes);
  }
  void seal(std::uint16_t length, ByteView plaintext, Bytes& out) {
    const Bytes head{std::uint8_t(length), std::uint8_t(length >> 8)};
    put(out, head);
    state.encrypt(head, plaintext, out);
    if (state.counter() % rekey_frames == 0)
      state.rekey();
  }
  void touched_from(std::size_t at) {
    only_written = false;
    std::size_t kept = 0, end = 0;
    while (kept != written.size() && (end += written[kept].size() + frame_overhead_bytes) <= at)
      ++kept;
    written.resize(kept);
  }

  void step(fuzz::Input& input) {
    const auto what = input.byte() % 6;
    const std::size_t n = input.byte();
    if (what == 0 && n && !input.rest.empty()) {
      frame(input.take(n));
    } else if (what == 1) {
      frame(Bytes(std::min(256 * n + 1, frame_plaintext_bytes_max), std::uint8_t(n)));
    } else if (what == 2) {
      frame_of_length(std::uint16_t(n | input.byte() << 8));
    } else if (what == 3) {
      put(bytes, input.take(n));
      only_written = false;
    } else if (what == 4 && n && !bytes.empty()) {
      const auto at = (input.place(0x10000) | std::size_t(input.byte()) << 16) % bytes.size();
      bytes[at] ^= std::uint8_t(n);
      touched_from(at);
    } else if (what == 5) {
      bytes.resize(bytes.size() - std::min(n, bytes.size()));
      touched_from(bytes.size());
    }
  }
};

// A frame after the other, from a stream that is there as a whole.
Heard naive(ByteView rest, std::uint64_t rekey_frames) {
  Heard heard;
  auto state = cipher();
  while (rest.size() >= 2) {
    const std::size_t size = 2 + get<std::uint16_t>(rest, 0);
    if (size > 65535 || (size <= 18 && rest.size() >= size))
      return heard.fault = "a frame of a wrong size", heard;
    if (rest.size() < size)
      break;
    Bytes plaintext;
    if (!state.decrypt(rest.first(2), rest.subspan(2, size - 2), plaintext))
      return heard.fault = "a frame that does not decrypt", heard;
    if (state.counter() % rekey_frames == 0)
      state.rekey();
    heard.plaintexts.push_back(std::move(plaintext));
    rest = rest.subspan(size);
  }
  return heard;
}

Heard read(ByteView stream, std::uint64_t rekey_frames, std::size_t cut) {
  FrameReader reader{cipher(), rekey_frames};
  Heard heard;
  while (!stream.empty()) {
    auto part = stream.first(std::min(cut, stream.size()));
    stream = stream.subspan(part.size());
    while (const auto plaintext = reader.next(part))
      heard.plaintexts.push_back(to_bytes(*plaintext));
    must(part.empty() || !reader.fault().empty());
    must(!reader.next(part)); // Nothing comes of nothing, or after a fault.
  }
  heard.fault = reader.fault();
  return heard;
}

} // namespace

std::vector<Bytes> tessera::fuzz::seeds() {
  return {seed({1, 255, 0, 5, 'h', 'e', 'l', 'l', 'o', 1, 2, 0, 1, 'x'}),
          seed({3, 0, 0, 2, 'a', 'b', 0, 1, 'c', 4, 128, 20, 0, 0}),
          seed({7, 9, 1, 255, 1, 200, 5, 1}),
          seed({0, 1, 2, 16, 0}),
          seed({0, 1, 2, 17, 0, 2, 254, 255}),
          seed({0, 60, 2, 253, 255, 3, 3, 1, 2, 3})};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{{data, size}};
  const std::uint64_t rekey_frames = 1 + input.byte() % 8;
  const std::size_t cut = 1 + input.byte();
  Stream stream{rekey_frames};
  while (!input.rest.empty() && stream.bytes.size() < stream_bytes_max)
    stream.step(input);
  const auto whole = naive(stream.bytes, rekey_frames);
  must(whole.plaintexts.size() >= stream.written.size());
  must(std::equal(stream.written.begin(), stream.written.end(), whole.plaintexts.begin()));
  must(read(stream.bytes, rekey_frames, stream.bytes.size() + 1) == whole);
  must(read(stream.bytes, rekey_frames, cut) == whole);
  if (stream.only_written)
    must(whole.fault.empty() && whole.plaintexts.size() == stream.written.size());
  return 0;
}
