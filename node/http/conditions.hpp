#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What a request asks for on condition, and the part of a body that it wants (RFC 9110, sections 13
// and 14). One range at a time: of several, the whole is sent, as the RFC allows.
namespace tessera::http {

// Whether If-None-Match names this tag, compared weakly, or is "*".
bool names_tag(std::string_view if_none_match, std::string_view etag);

struct ByteRange {
  std::uint64_t first = 0, end = 0; // [first, end)

  std::uint64_t size() const { return end - first; }
  bool operator==(const ByteRange&) const = default;
};
struct RangeWish {
  bool possible = true;             // Else 416.
  std::optional<ByteRange> range{}; // Nothing: the whole.

  bool operator==(const RangeWish&) const = default;
};
// `range`, `if_range`: the headers, empty where absent. `etag`: a strong one.
RangeWish range_wish(std::string_view range, std::string_view if_range, std::string_view etag,
                     std::uint64_t size);

// "bytes 0-4/10", and "bytes */10" of what cannot be had.
std::string content_range(const std::optional<ByteRange>& range, std::uint64_t size);

} // namespace tessera::http
