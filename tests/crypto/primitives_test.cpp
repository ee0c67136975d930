#include "crypto/identity.hpp"
#include "crypto/noise.hpp"
#include "crypto/primitives.hpp"
#include "tests/crypto/vectors.hpp"

#include <algorithm>

using namespace tessera;
using namespace tessera::vectors;
using nlohmann::json;

TEST_CASE("Wycheproof: ChaCha20-Poly1305 seals as published, and opens nothing else") {
  if (!present("wycheproof/chacha20_poly1305_test.json"))
    return;
  int odd_nonces = 0;
  each_wycheproof("wycheproof/chacha20_poly1305_test.json", [&](const json&, const json& t) {
    const auto iv = hex(t, "iv");
    if (iv.size() != 12) {
      CHECK_FALSE(valid(t)); // No such nonce can even be said here.
      ++odd_nonces;
      return;
    }
    const Secret<32> key{fixed<32>(hex(t, "key"))};
    const auto nonce = fixed<12>(iv);
    const auto ad = hex(t, "aad"), message = hex(t, "msg"), tag = hex(t, "tag");
    Bytes published = hex(t, "ct"), sealed, opened;
    published.insert(published.end(), tag.begin(), tag.end());
    CHECK(primitives::open(key, nonce, ad, published, opened) == valid(t));
    CHECK(opened == (valid(t) ? message : Bytes{}));
    primitives::seal(key, nonce, ad, message, sealed);
    CHECK((sealed == published) == valid(t));
  });
  CHECK(odd_nonces > 0);
}

TEST_CASE("Wycheproof: Ed25519 signatures") {
  if (!present("wycheproof/ed25519_test.json"))
    return;
  each_wycheproof("wycheproof/ed25519_test.json", [](const json& group, const json& t) {
    const NodeId signer{fixed<32>(hex(group.at("publicKey"), "pk"))};
    const auto signature = hex(t, "sig");
    if (signature.size() != 64) {
      CHECK_FALSE(valid(t)); // The type refuses it.
      return;
    }
    CHECK(verify(signer, hex(t, "msg"), fixed<64>(signature)) == valid(t));
  });
}

TEST_CASE("Wycheproof: X25519, with every point of low order refused") {
  if (!present("wycheproof/x25519_test.json"))
    return;
  int low_order = 0;
  each_wycheproof("wycheproof/x25519_test.json", [&](const json&, const json& t) {
    const Secret<32> secret{fixed<32>(hex(t, "private"))};
    const auto shared = hex(t, "shared");
    const bool zero = std::ranges::all_of(shared, [](auto byte) { return byte == 0; });
    Secret<32> product;
    CHECK(primitives::x25519(secret, fixed<32>(hex(t, "public")), product) == !zero);
    if (!zero)
      CHECK(std::ranges::equal(product.view(), shared));
    low_order += zero;
  });
  CHECK(low_order > 10);
}

TEST_CASE("Wycheproof: HKDF-SHA256") {
  if (!present("wycheproof/hkdf_sha256_test.json"))
    return;
  each_wycheproof("wycheproof/hkdf_sha256_test.json", [](const json&, const json& t) {
    Bytes out(t.at("size").get<std::size_t>());
    const bool made = primitives::hkdf_sha256(hex(t, "salt"), hex(t, "ikm"), hex(t, "info"), out);
    CHECK(made == valid(t));
    if (made)
      CHECK(out == hex(t, "okm"));
  });
}

TEST_CASE("Wycheproof: HMAC-SHA256") {
  if (!present("wycheproof/hmac_sha256_test.json"))
    return;
  each_wycheproof("wycheproof/hmac_sha256_test.json", [](const json&, const json& t) {
    const auto tag = hex(t, "tag");
    const auto made = primitives::hmac_sha256(hex(t, "key"), hex(t, "msg"));
    CHECK(std::equal(tag.begin(), tag.end(), made.begin()) == valid(t));
  });
}

TEST_CASE("BLAKE2b gives its published answers, however the input is cut") {
  if (!present("blake2/blake2b-kat.txt"))
    return;
  std::ifstream in{folder() / "blake2/blake2b-kat.txt"};
  Bytes input, key;
  std::size_t seen = 0;
  for (std::string name, value, line; std::getline(in, line);) {
    const auto tab = line.find('\t');
    if (tab == std::string::npos)
      continue;
    name = line.substr(0, tab), value = line.substr(tab + 1);
    if (name == "in:")
      input = hex(value);
    if (name == "key:")
      key = hex(value);
    if (name != "hash:")
      continue;
    const auto cut = seen++ % (input.size() + 1);
    Bytes out(64);
    primitives::Blake2b hash{64, key};
    hash.add(ByteView{input}.first(cut)).add(ByteView{input}.subspan(cut)).finish(out);
    CHECK(to_hex(out) == value);
  }
  CHECK(seen == 256);
}

TEST_CASE("rekeyed ciphers agree with an independent implementation") {
  if (!present("noise/rekey_pyca.json"))
    return;
  const auto tests = load("noise/rekey_pyca.json").at("tests");
  CHECK(tests.size() == 8);
  for (const auto& t : tests) {
    CipherState ours{Secret<32>{fixed<32>(hex(t, "key"))}};
    CipherState theirs{Secret<32>{fixed<32>(hex(t, "rekeyed"))}};
    ours.rekey();
    Bytes sealed, opened;
    ours.encrypt(view("ad"), view("after the rekey"), sealed);
    CHECK(theirs.decrypt(view("ad"), sealed, opened));
    CHECK(text_of(opened) == "after the rekey");
  }
}

TEST_CASE("empty spans are as good as others, null pointers included") {
  const ByteView nothing;
  REQUIRE(nothing.data() == nullptr);
  CHECK(primitives::at(nothing) != nullptr);
  CHECK(to_hex(primitives::sha256(nothing)) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(to_hex(primitives::hmac_sha256(nothing, nothing)) ==
        "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
  const Secret<32> key;
  Bytes sealed, opened;
  primitives::seal(key, {}, nothing, nothing, sealed);
  CHECK(sealed.size() == 16);
  CHECK(primitives::open(key, {}, nothing, sealed, opened));
  CHECK(opened.empty());
  CHECK_FALSE(primitives::open(key, {}, nothing, nothing, opened));
  CHECK(primitives::hkdf_sha256(nothing, nothing, nothing, {}));
}

TEST_CASE("opening leaves what was in the output, and adds nothing to it on a wrong tag") {
  const Secret<32> key{{9}};
  Bytes sealed, out{1, 2, 3};
  primitives::seal(key, {}, {}, view("text"), sealed);
  CHECK(primitives::open(key, {}, {}, sealed, out));
  CHECK(out == Bytes{1, 2, 3, 't', 'e', 'x', 't'});
  sealed.back() ^= 1;
  CHECK_FALSE(primitives::open(key, {}, {}, sealed, out));
  CHECK(out == Bytes{1, 2, 3, 't', 'e', 'x', 't'});
}
