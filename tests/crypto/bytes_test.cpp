#include "crypto/bytes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <new>
#include <random>
#include <set>

using namespace tessera;

namespace {

Bytes some_bytes(std::mt19937_64& rng, std::size_t n) {
  Bytes bytes(n);
  for (auto& byte : bytes)
    byte = std::uint8_t(rng());
  return bytes;
}

// One bit at a time, as RFC 4648 tells it.
std::string naive_base32(const Bytes& bytes) {
  std::string bits, text;
  for (const auto byte : bytes)
    for (int i = 7; i >= 0; --i)
      bits += byte >> i & 1 ? '1' : '0';
  while (bits.size() % 5)
    bits += '0';
  for (std::size_t i = 0; i != bits.size(); i += 5)
    text += "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[std::stoi(bits.substr(i, 5), nullptr, 2)];
  return text;
}

} // namespace

TEST_CASE("base32 writes the examples of RFC 4648 without their padding") {
  CHECK(to_base32({}) == "");
  CHECK(to_base32(view("f")) == "MY");
  CHECK(to_base32(view("fo")) == "MZXQ");
  CHECK(to_base32(view("foo")) == "MZXW6");
  CHECK(to_base32(view("foob")) == "MZXW6YQ");
  CHECK(to_base32(view("fooba")) == "MZXW6YTB");
  CHECK(to_base32(view("foobar")) == "MZXW6YTBOI");
}

TEST_CASE("hex and base32 give back what they took, in either case") {
  for (std::uint64_t seed = 0; seed != 200; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 rng{seed};
    const auto bytes = some_bytes(rng, seed % 41);
    auto base32 = to_base32(bytes), hex = to_hex(bytes);
    CHECK(base32 == naive_base32(bytes));
    CHECK(from_base32(base32) == bytes);
    CHECK(from_hex(hex) == bytes);
    std::ranges::transform(base32, base32.begin(), [](unsigned char c) { return std::tolower(c); });
    std::ranges::transform(hex, hex.begin(), [](unsigned char c) { return std::toupper(c); });
    CHECK(from_base32(base32) == bytes);
    CHECK(from_hex(hex) == bytes);
  }
}

TEST_CASE("each text that base32 reads is the only one for its bytes") {
  // All texts of up to three digits: what is read must be what would have been written.
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::size_t read = 0;
  const auto try_one = [&](const std::string& text) {
    if (const auto bytes = from_base32(text)) {
      CHECK(to_base32(*bytes) == text);
      ++read;
    }
  };
  for (char a : digits) {
    try_one({a});
    for (char b : digits) {
      try_one({a, b});
      for (char c : digits)
        try_one({a, b, c});
    }
  }
  CHECK(read == 256); // One byte is two digits; one and three digits are no whole bytes.
}

TEST_CASE("hex and base32 refuse what is neither") {
  for (const auto* text : {"0", "0g", "g0", " 00", "0x", "00 "})
    CHECK_FALSE(from_hex(text));
  for (const auto* text : {"M0", "M1", "M8", "MY==", "M-", "M Y", "MZ", "A", "AAA"})
    CHECK_FALSE(from_base32(text));
}

TEST_CASE("random bytes fill the whole span, and differ each time") {
  std::set<Bytes> seen;
  for (int i = 0; i != 100; ++i) {
    Bytes bytes(32);
    fill_random(bytes);
    CHECK(seen.insert(bytes).second);
  }
  std::array<bool, 32> touched{};
  for (const auto& bytes : seen)
    for (std::size_t i = 0; i != 32; ++i)
      touched[i] = touched[i] || bytes[i];
  CHECK(std::ranges::count(touched, true) == 32);
  fill_random({});
}

TEST_CASE("a secret is overwritten when it goes") {
  alignas(Secret<32>) std::array<std::uint8_t, sizeof(Secret<32>)> place;
  auto* secret = new (place.data()) Secret<32>;
  secret->bytes.fill(0xa5);
  std::destroy_at(secret);
  // The storage outlives the object: what is left in it is what an attacker would read.
  const volatile std::uint8_t* left = place.data();
  for (std::size_t i = 0; i != place.size(); ++i)
    CHECK(left[i] == 0);
  wipe({});
}
