#include "node/http/conditions.hpp"

#include <doctest/doctest.h>

using namespace tessera::http;

TEST_CASE("If-None-Match names a tag, weak or strong, among others, or all") {
  for (const auto* names : {"\"a\"", "W/\"a\"", "\"b\", \"a\"", " \"b\" ,W/\"a\" ", "*"}) {
    CHECK(names_tag(names, "\"a\""));
    CHECK(names_tag(names, "W/\"a\""));
  }
  for (const auto* other : {"", "\"b\"", "a", "\"a", ","})
    CHECK_FALSE(names_tag(other, "\"a\""));
}

TEST_CASE("a range is what RFC 9110 says") {
  struct Case {
    const char* range;
    RangeWish wish;
  };
  const RangeWish whole{}, none{false, {}};
  const auto part = [](std::uint64_t first, std::uint64_t end) {
    return RangeWish{true, ByteRange{first, end}};
  };
  const Case cases[] = {
      {"bytes=0-4", part(0, 5)},
      {"bytes=0-0", part(0, 1)},
      {"bytes=9-", part(9, 10)},
      {"bytes=3-99", part(3, 10)},
      {"bytes= 3 - 4 ", part(3, 5)},
      {"bytes=-3", part(7, 10)},
      {"bytes=-99", part(0, 10)},
      {"bytes=0-18446744073709551616", part(0, 10)},
      // None of it is here.
      {"bytes=10-", none},
      {"bytes=10-20", none},
      {"bytes=-0", none},
      {"bytes=99999999999999999999-", none},
      // What cannot be read is as good as absent, and several are not served apart.
      {"", whole},
      {"bytes=", whole},
      {"bytes=-", whole},
      {"bytes=4-3", whole},
      {"bytes=a-3", whole},
      {"bytes=1-b", whole},
      {"bytes=--3", whole},
      {"bytes=0-1,3-4", whole},
      {"lines=0-4", whole},
      {"0-4", whole},
  };
  for (const auto& c : cases) {
    INFO(c.range);
    CHECK(range_wish(c.range, "", "\"a\"", 10) == c.wish);
  }
  CHECK(range_wish("bytes=0-", "", "\"a\"", 0) == none);
  CHECK(range_wish("bytes=-1", "", "\"a\"", 0) == none);
}

TEST_CASE("a range of what has changed is the whole") {
  CHECK(range_wish("bytes=0-4", "\"a\"", "\"a\"", 10).range.has_value());
  for (const auto* other : {"\"b\"", "W/\"a\"", "Wed, 21 Oct 2015 07:28:00 GMT"})
    CHECK(range_wish("bytes=0-4", other, "\"a\"", 10) == RangeWish{});
}

TEST_CASE("Content-Range tells which bytes of how many") {
  CHECK(content_range(ByteRange{2, 5}, 10) == "bytes 2-4/10");
  CHECK(content_range({}, 10) == "bytes */10");
}
