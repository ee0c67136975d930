#pragma once

#include "net/wire/parts.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <algorithm>
#include <cstring>
#include <optional>

// Whole Cap'n Proto messages as flat, unpacked bytes: a segment table and the segments.
namespace tessera::wire {

inline Bytes flat_bytes(capnp::MessageBuilder& message) {
  const auto words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  return {bytes.begin(), bytes.end()};
}

// Most messages are small; Cap'n Proto's own first segment of 8 KiB would be zeroed for nothing.
// For long ones a guess that is too low costs a word more for each object outside the first
// segment.
inline constexpr unsigned first_segment_words = 128;

template<class Root, class T>
Bytes to_flat(const T& value, std::size_t words = first_segment_words) {
  capnp::MallocMessageBuilder message{unsigned(words)};
  to_wire(message.initRoot<Root>(), value);
  return flat_bytes(message);
}

// Pointers may lead to one place many times, and deep: a message of 3.7 KB can cost 95 ms (measured
// at Cap'n Proto's own limits). So reading may take 4 times what came, and 16 levels.
inline constexpr std::size_t traversal_factor = 4;
inline constexpr int nesting_max = 16;

// What `read` makes of the root. The bytes are one whole message, and nothing behind it.
template<class Root, class Read>
auto from_flat(ByteView bytes, Read read) {
  require(!bytes.empty() && bytes.size() % sizeof(capnp::word) == 0,
          "a message is not of whole words");
  const auto count = bytes.size() / sizeof(capnp::word);
  kj::Array<capnp::word> copy; // Only when the bytes do not lie as words must.
  const auto* words = reinterpret_cast<const capnp::word*>(bytes.data());
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(capnp::word) != 0) {
    copy = kj::heapArray<capnp::word>(count);
    std::memcpy(copy.begin(), bytes.data(), bytes.size());
    words = copy.begin();
  }
  capnp::FlatArrayMessageReader message{{words, count}, {traversal_factor * count, nesting_max}};
  require(message.getEnd() == words + count, "a message has bytes behind it");
  return read(message.getRoot<Root>());
}

} // namespace tessera::wire
