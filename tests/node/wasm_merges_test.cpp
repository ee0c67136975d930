#include "crypto/little_endian.hpp"
#include "node/wasm/merges.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

using namespace tessera;
using wasm::Merge;

namespace {

Merge named(const std::string& name) {
  const auto merge = Merge::named(name);
  INFO(name);
  REQUIRE(merge.ok());
  CHECK(merge->name() == name);
  return *merge;
}

std::string code_of(const Status& status) {
  return status ? "" : status.error().code;
}

Bytes merged(const std::string& name, ByteView left, ByteView right) {
  Bytes out{9};
  REQUIRE(named(name).merge(left, right, out).ok());
  REQUIRE(out.at(0) == 9); // Appends.
  return {out.begin() + 1, out.end()};
}

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double numbers[] = {0.0, -0.0, 1, -1, 1e-310, -1e-310, 1e308, -1e308, 2.5, inf, -inf};

double random_double(std::mt19937_64& rng) {
  switch (rng() % 4) {
  case 0:
    return numbers[rng() % std::size(numbers)];
  case 1:
    return double(std::int64_t(rng() % 7)) - 3;
  case 2: // Any bits, NaNs with payloads among them.
    return std::bit_cast<double>(rng() % 3 ? rng() : rng() | 0x7ff0000000000000);
  default:
    return std::ldexp(double(rng() % 1000), int(rng() % 100) - 50);
  }
}

std::uint64_t bits(double number) {
  return std::bit_cast<std::uint64_t>(number);
}

// By the words of the header, slowly.
std::uint64_t oracle(const std::string& name, std::uint64_t l, std::uint64_t r) {
  const auto a = std::bit_cast<double>(l), b = std::bit_cast<double>(r);
  const auto i = std::int64_t(l), j = std::int64_t(r);
  if (name == "sum_i64" || name == "count")
    return l + r;
  if (name == "min_i64")
    return std::uint64_t(i < j ? i : j);
  if (name == "max_i64")
    return std::uint64_t(i > j ? i : j);
  if (std::isnan(a) || std::isnan(b) || (name == "sum_f64" && std::isnan(a + b)))
    return 0x7ff8000000000000;
  if (name == "sum_f64")
    return bits(a + b);
  const bool left_is_less = a < b || (a == b && std::signbit(a));
  return (name == "min_f64") == left_is_less ? l : r;
}

struct Record {
  std::uint64_t score, id;
};

// Whether a stands before b.
bool better(bool floats, const Record& a, const Record& b) {
  if (!floats)
    return std::int64_t(a.score) != std::int64_t(b.score)
               ? std::int64_t(a.score) > std::int64_t(b.score)
               : a.id < b.id;
  const auto x = std::bit_cast<double>(a.score), y = std::bit_cast<double>(b.score);
  if (std::isnan(x) || std::isnan(y)) {
    if (std::isnan(x) != std::isnan(y))
      return std::isnan(y);
    return a.id != b.id ? a.id < b.id : a.score < b.score;
  }
  if (x != y)
    return x > y;
  return std::signbit(x) != std::signbit(y) ? std::signbit(y) : a.id < b.id;
}

Bytes encoded(const std::vector<Record>& records) {
  Bytes bytes;
  for (const auto& r : records) {
    put(bytes, r.score);
    put(bytes, r.id);
  }
  return bytes;
}

} // namespace

TEST_CASE("arrays merge as the oracle says, to the bit") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    CAPTURE(seed);
    std::mt19937_64 rng{seed};
    for (const std::string name :
         {"sum_i64", "min_i64", "max_i64", "sum_f64", "min_f64", "max_f64"}) {
      CAPTURE(name);
      Bytes left, right, expected;
      for (int n = 0; n != 2000; ++n) {
        const auto small = rng() % 3 == 0;
        const auto number = [&] {
          return small ? rng() % 5 - 2 : name.ends_with("i64") ? rng() : bits(random_double(rng));
        };
        const auto l = number(), r = number();
        put(left, l);
        put(right, r);
        put(expected, oracle(name, l, r));
      }
      CHECK(merged(name, left, right) == expected);
    }
  }
}

TEST_CASE("the k best are those of a full sort, in its order") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    CAPTURE(seed);
    std::mt19937_64 rng{seed};
    for (const bool floats : {false, true})
      for (const std::size_t k : {1, 3, 50, 1000}) {
        std::vector<Record> left(rng() % 60), right(rng() % 60);
        for (auto* side : {&left, &right})
          for (auto& r : *side)
            r = {floats ? bits(random_double(rng)) : rng() % 2 ? rng() % 9 - 4 : rng(), rng() % 5};
        auto all = left;
        all.insert(all.end(), right.begin(), right.end());
        // An insertion sort: nothing of the other way.
        for (std::size_t i = 1; i < all.size(); ++i)
          for (auto j = i; j > 0 && better(floats, all[j], all[j - 1]); --j)
            std::swap(all[j], all[j - 1]);
        all.resize(std::min(all.size(), k));
        const auto name = (floats ? "topk_f64:" : "topk_i64:") + std::to_string(k);
        CAPTURE(name);
        CHECK(merged(name, encoded(left), encoded(right)) == encoded(all));
        CHECK(merged(name, encoded(right), encoded(left)) == encoded(all));
      }
  }
}

TEST_CASE("concat keeps the order, count adds, none drops") {
  CHECK(text_of(merged("concat", view("left"), view("right"))) == "leftright");
  CHECK(merged("none", view("left"), view("right")).empty());
  Bytes five, most, sum;
  put(five, std::uint64_t{5});
  put(most, ~std::uint64_t{0});
  put(sum, std::uint64_t{4});
  CHECK(merged("count", five, most) == sum);
}

TEST_CASE("a result has the form of a merge's, were it of one leaf") {
  const auto finished = [](const std::string& name, ByteView partial) {
    Bytes out;
    REQUIRE(named(name).finish(partial, out).ok());
    return out;
  };
  const auto three = encoded({{1, 1}, {3, 3}, {2, 2}});
  CHECK(finished("topk_i64:2", three) == encoded({{3, 3}, {2, 2}}));
  CHECK(finished("concat", three) == three);
  CHECK(finished("sum_i64", three) == three);
  CHECK(finished("none", three).empty());
}

TEST_CASE("an empty partial changes nothing, and other lengths are refused") {
  const Bytes one(8, 7), two(16, 7);
  for (const std::string name : {"count", "sum_i64", "min_f64", "max_i64"}) {
    CAPTURE(name);
    CHECK(merged(name, one, {}) == one);
    CHECK(merged(name, {}, one) == one);
    CHECK(merged(name, {}, {}).empty());
    Bytes out;
    CHECK(code_of(named(name).merge(one, two, out)) == "E711");
    CHECK(code_of(named(name).merge(Bytes(9), Bytes(9), out)) == "E711");
    CHECK(out.empty());
  }
  Bytes out;
  CHECK(code_of(named("count").merge(two, two, out)) == "E711");
  CHECK(code_of(named("topk_f64:3").merge(one, two, out)) == "E711");
}

TEST_CASE("names that are none are refused, with those that are") {
  for (const auto* name : {"", "sum", "sum_f32", "concat:1", "topk_f64", "topk_f64:", "topk_f64:0",
                           "topk_f64:-1", "topk_f64:1x", "topk_f64:4294967296", "topk_f64:1:2"}) {
    CAPTURE(name);
    const auto merge = Merge::named(name);
    REQUIRE_FALSE(merge.ok());
    CHECK(merge.error().code == "E426");
    CHECK(merge.error().why.find("topk_i64:K") != std::string::npos);
  }
}
