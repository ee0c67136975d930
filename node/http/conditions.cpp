#include "node/http/conditions.hpp"

#include <algorithm>
#include <charconv>

namespace tessera::http {

namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == text.npos)
    return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string_view opaque(std::string_view tag) {
  return tag.starts_with("W/") ? tag.substr(2) : tag;
}

// Digits alone. What no number holds is larger than any size.
std::optional<std::uint64_t> number(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != text.npos)
    return std::nullopt;
  std::uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc::result_out_of_range ? ~std::uint64_t{0} : value;
}

} // namespace

bool names_tag(std::string_view if_none_match, std::string_view etag) {
  if (trimmed(if_none_match) == "*")
    return true;
  while (!if_none_match.empty()) {
    const auto comma = if_none_match.find(',');
    if (opaque(trimmed(if_none_match.substr(0, comma))) == opaque(etag))
      return true;
    if_none_match = comma == if_none_match.npos ? "" : if_none_match.substr(comma + 1);
  }
  return false;
}

RangeWish range_wish(std::string_view range, std::string_view if_range, std::string_view etag,
                     std::uint64_t size) {
  constexpr std::string_view unit = "bytes=";
  if (!range.starts_with(unit) || (!if_range.empty() && trimmed(if_range) != etag))
    return {};
  const auto wish = trimmed(range.substr(unit.size()));
  const auto dash = wish.find('-');
  if (dash == wish.npos)
    return {}; // Not one that can be read: as if it were not there.
  const auto first = number(trimmed(wish.substr(0, dash)));
  const auto last_text = trimmed(wish.substr(dash + 1));
  const auto last = number(last_text);
  if (!last && !last_text.empty())
    return {};
  if (!first) // The last so many.
    return dash != 0 || !last ? RangeWish{}
           : *last == 0 || size == 0
               ? RangeWish{false, {}}
               : RangeWish{true, ByteRange{size - std::min(*last, size), size}};
  if (last && *last < *first)
    return {};
  if (*first >= size)
    return {false, {}};
  return {true, ByteRange{*first, last && *last < size ? *last + 1 : size}};
}

std::string content_range(const std::optional<ByteRange>& range, std::uint64_t size) {
  const auto whole = "/" + std::to_string(size);
  if (!range)
    return "bytes *" + whole;
  return "bytes " + std::to_string(range->first) + "-" + std::to_string(range->end - 1) + whole;
}

} // namespace tessera::http
