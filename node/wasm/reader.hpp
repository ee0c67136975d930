#pragma once

#include "crypto/bytes.hpp"

#include <optional>
#include <string>

// Reads the binary format's parts from a view. Once something is missing or malformed the reader is
// bad, stays so, and all further answers are zero or empty: callers look once, at the end.
namespace tessera::wasm {

class Reader {
public:
  explicit Reader(ByteView bytes) : rest_(bytes) {}

  bool good() const { return good_; }
  bool at_end() const { return rest_.empty(); }
  std::size_t left() const { return rest_.size(); }
  void spoil() {
    good_ = false;
    rest_ = {};
  }

  std::uint8_t byte();
  std::uint32_t u32() { return std::uint32_t(leb(32)); }
  std::uint64_t u64() { return leb(64); }
  ByteView take(std::uint64_t size);
  std::string name(); // UTF-8 is the engine's to check.

private:
  std::uint64_t leb(unsigned bits); // Unsigned LEB128, at most ceil(bits / 7) bytes.

  ByteView rest_;
  bool good_ = true;
};

} // namespace tessera::wasm
