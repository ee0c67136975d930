#include "crypto/digest.hpp"
#include "node/kernels/wide.hpp"
#include "tests/support/serial.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <numeric>
#include <random>

using namespace tessera;

namespace {

constexpr std::uint64_t top = std::uint64_t{1} << 63;

std::string text(const Result<Bytes>& result) {
  REQUIRE(result.ok());
  return std::string(text_of(*result));
}

// Schoolbook decimal arithmetic, low digit first: slow, and nothing like words with carries.
struct Decimal {
  std::vector<int> digits{0};

  void times_plus(std::uint64_t factor, std::uint64_t extra) {
    u128 carry = extra;
    for (auto& d : digits) {
      carry += u128(factor) * unsigned(d);
      d = int(carry % 10);
      carry /= 10;
    }
    for (; carry > 0; carry /= 10)
      digits.push_back(int(carry % 10));
  }
  void divide(int by) {
    int rest = 0;
    for (auto i = digits.size(); i-- > 0;) {
      rest = rest * 10 + digits[i];
      digits[i] = rest / by;
      rest %= by;
    }
    REQUIRE(rest == 0);
    while (digits.size() > 1 && digits.back() == 0)
      digits.pop_back();
  }
  void subtract(const Decimal& other) {
    int borrow = 0;
    for (std::size_t i = 0; i < digits.size(); ++i) {
      digits[i] -= borrow + (i < other.digits.size() ? other.digits[i] : 0);
      borrow = digits[i] < 0;
      digits[i] += 10 * borrow;
    }
    REQUIRE(borrow == 0);
    while (digits.size() > 1 && digits.back() == 0)
      digits.pop_back();
  }
  std::string str() const {
    std::string s;
    for (auto i = digits.size(); i-- > 0;)
      s += char('0' + digits[i]);
    return s;
  }
};

// (n - 1) n (2n - 1) / 6, for n up to 2^63.
Decimal squares_below(std::uint64_t n) {
  if (n == 0)
    return {};
  Decimal d;
  d.times_plus(0, n - 1);
  d.times_plus(n, 0);
  d.times_plus(2 * (n - 1) + 1, 0);
  d.divide(6);
  return d;
}

// Runs the leaves in any order, then merges at the tree's cuts.
Result<Bytes> shuffled_result(const Kernel& kernel, const Params& params, std::uint64_t items,
                              std::uint64_t leaf_items, std::mt19937_64& rng) {
  const BlockTree tree(leaves_of(items, leaf_items));
  std::vector<std::uint64_t> order(tree.leaves());
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), rng);
  std::map<Block, Bytes> done;
  auto run = *kernel.open(params, {}, items);
  for (const auto leaf : order)
    done[Block{0, leaf}] = *serial_leaf(*run, leaf, items, leaf_items);
  // Any pair of done siblings merges, whichever a die picks, until one is left.
  while (done.size() > 1) {
    auto it = std::next(done.begin(), std::ptrdiff_t(rng() % done.size()));
    const auto up = *tree.parent(it->first);
    const auto [left, right] = tree.halves(up);
    if (!done.count(left) || !done.count(right))
      continue;
    Bytes merged;
    if (auto ok = run->merge(done[left], done[right], merged); !ok)
      return ok.error();
    done.erase(left);
    done.erase(right);
    done[up] = merged;
  }
  Bytes out;
  if (auto ok = run->finish(done.begin()->second, out); !ok)
    return ok.error();
  return out;
}

Digest cut_digest(std::uint64_t begin, std::uint64_t end) {
  Bytes words;
  for (const auto word : {begin, end})
    for (int i = 0; i < 8; ++i)
      words.push_back(std::uint8_t(word >> (8 * i)));
  return digest_of("tessera shape leaf", {words});
}

// The tree once more, level by level from the leaves, without BlockTree: an odd one out moves up.
std::string shape_by_levels(std::uint64_t items, std::uint64_t leaf_items) {
  std::vector<Digest> level;
  for (std::uint64_t at = 0; at < items; at += leaf_items)
    level.push_back(cut_digest(at, std::min(items, at + leaf_items)));
  while (level.size() > 1) {
    std::vector<Digest> up;
    for (std::size_t i = 0; i < level.size(); i += 2)
      up.push_back(i + 1 == level.size()
                       ? level[i]
                       : digest_of("tessera shape merge", {level[i].view(), level[i + 1].view()}));
    level = up;
  }
  return to_hex(level[0]);
}

} // namespace

TEST_CASE("sumsq of any N and any leaf is the closed form") {
  const std::uint64_t seed = 21;
  std::mt19937_64 rng(seed);
  for (int round = 0; round < 300; ++round) {
    const auto items = 1 + rng() % 5000, leaf = 1 + rng() % (2 * items);
    INFO("seed " << seed << ": " << items << " items, leaves of " << leaf);
    CHECK(text(serial_job(*find_kernel("sumsq"), {}, items, leaf)) == squares_below(items).str());
  }
  CHECK(text(serial_job(*find_kernel("sumsq"), {}, 1)) == "0");
  CHECK(text(serial_job(*find_kernel("sumsq"), {}, 2)) == "1");
  CHECK(text(serial_job(*find_kernel("sumsq"), {}, 1'000'000)) == squares_below(1'000'000).str());
}

TEST_CASE("sumsq is exact up to the last item of 2^63") {
  const std::uint64_t seed = 22;
  std::mt19937_64 rng(seed);
  auto run = *find_kernel("sumsq")->open({}, {}, top);
  for (int round = 0; round < 200; ++round) {
    const auto length = 1 + rng() % 300;
    const auto end = round == 0 ? top : top - rng() % (top >> (round % 60));
    const auto begin = end - std::min(end, length);
    Bytes partial, result;
    REQUIRE(run->run(begin, end, partial).ok());
    REQUIRE(run->finish(partial, result).ok());
    auto expected = squares_below(end);
    expected.subtract(squares_below(begin));
    INFO("seed " << seed << ": from " << begin << " to " << end);
    CHECK(text_of(result) == expected.str());
  }
}

TEST_CASE("wide sums carry through all words, and print as schoolbook decimals") {
  const std::uint64_t seed = 23;
  std::mt19937_64 rng(seed);
  for (int round = 0; round < 1000; ++round) {
    Wide wide;
    for (auto& word : wide.words) // Extreme words are likely, so that carries ripple.
      word = rng() % 3 == 0 ? ~std::uint64_t{0} : rng() % 3 == 0 ? 0 : rng();
    wide.words[2] >>= 1;
    Decimal expected;
    for (std::size_t i = 3; i-- > 0;) {
      expected.times_plus(std::uint64_t{1} << 32, 0);
      expected.times_plus(std::uint64_t{1} << 32, wide.words[i]);
    }
    INFO("seed " << seed << " round " << round);
    CHECK(to_decimal(wide) == expected.str());
    Bytes bytes;
    put_wide(bytes, wide);
    CHECK(bytes.size() == Wide::bytes);
    CHECK(get_wide(bytes) == wide);
    wide += wide;
    expected.times_plus(2, 0);
    CHECK(to_decimal(wide) == expected.str());
  }
}

TEST_CASE("shape is the hash of its tree, computed level by level") {
  const auto& shape = *find_kernel("shape");
  for (std::uint64_t items = 1; items <= 130; ++items)
    for (const std::uint64_t leaf : {1, 2, 3, 7, 200}) {
      INFO(items << " items, leaves of " << leaf);
      CHECK(text(serial_job(shape, {}, items, leaf)) == shape_by_levels(items, leaf));
    }
  for (const auto items : {65535, 65536, 65537})
    CHECK(text(serial_job(shape, {}, std::uint64_t(items))) ==
          shape_by_levels(std::uint64_t(items), 1));
}

TEST_CASE("shape tells two sides swapped, a leaf doubled, and another cut") {
  const auto run = *find_kernel("shape")->open({}, {}, 4);
  Bytes a, b, wider, ab, ba, aa;
  REQUIRE(run->run(0, 1, a).ok());
  REQUIRE(run->run(1, 2, b).ok());
  REQUIRE(run->run(0, 2, wider).ok());
  REQUIRE(run->merge(a, b, ab).ok());
  REQUIRE(run->merge(b, a, ba).ok());
  REQUIRE(run->merge(a, a, aa).ok());
  CHECK(a != b);
  CHECK(ab != ba);
  CHECK(ab != aa);
  CHECK(ab != wider);
}

TEST_CASE("leaves in any order, merged in any order of siblings, give the serial result") {
  const std::uint64_t seed = 24;
  std::mt19937_64 rng(seed);
  for (const std::string name : {"option", "pi", "shape", "spin", "sumsq"}) {
    const auto& kernel = *find_kernel(name);
    auto params = *check_params(kernel.info(), {});
    if (name == "spin")
      params["work"] = std::int64_t{3};
    for (int round = 0; round < 60; ++round) {
      const auto items = 1 + rng() % 90, leaf = 1 + rng() % 5;
      INFO("seed " << seed << ": " << name << " " << items << " / " << leaf);
      CHECK(text(shuffled_result(kernel, params, items, leaf, rng)) ==
            text(serial_result(kernel, params, items, leaf, {})));
    }
  }
}

TEST_CASE("spin's result belongs to its items and work, not to its cuts") {
  const auto& spin = *find_kernel("spin");
  const auto one = text(serial_job(spin, {{"work", "100"}}, 50, 1));
  CHECK(one == text(serial_job(spin, {{"work", "100"}}, 50, 7)));
  CHECK(one == text(serial_job(spin, {{"work", "100"}}, 50, 50)));
  CHECK(one != text(serial_job(spin, {{"work", "101"}}, 50)));
  CHECK(one != text(serial_job(spin, {{"work", "100"}}, 51)));
}

TEST_CASE("spin's bytes are the same on every machine") {
  // From a model in another language: see the formula in spin.cpp.
  CHECK(text(serial_job(*find_kernel("spin"), {{"work", "1000"}}, 10)) == "8314436988575265305");
}

TEST_CASE("sleep counts its items and takes its time") {
  const auto before = std::chrono::steady_clock::now();
  CHECK(text(serial_job(*find_kernel("sleep"), {{"ms", "2"}}, 10, 3)) == "10");
  CHECK(std::chrono::steady_clock::now() - before >= std::chrono::milliseconds(20));
  CHECK(text(serial_job(*find_kernel("sleep"), {{"ms", "0"}}, 1000)) == "1000");
}
