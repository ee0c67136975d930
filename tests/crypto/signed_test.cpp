#include "crypto/signed.hpp"

#include <doctest/doctest.h>

using namespace tessera;

namespace {

const auto signer = Identity::from_seed(Secret<32>{{1, 2, 3}});
const MeshId mesh = digest_of("test mesh", {});

} // namespace

TEST_CASE("an envelope verifies as what it was sealed as") {
  for (const std::string_view body : {"", "x", "some longer body of a record"}) {
    const auto sealed = seal(signer, mesh, SealType::record, to_bytes(view(body)));
    CHECK(sealed.key == signer.id());
    CHECK(text_of(sealed.body) == body);
    CHECK(verified(sealed, mesh, SealType::record));
  }
}

TEST_CASE("an envelope of one type or mesh never passes for another") {
  const auto sealed = seal(signer, mesh, SealType::grant, to_bytes(view("body")));
  for (std::uint16_t type = 0; type != 300; ++type)
    CHECK(verified(sealed, mesh, SealType{type}) == (SealType{type} == SealType::grant));
  CHECK_FALSE(verified(sealed, digest_of("other mesh", {}), SealType::grant));
}

TEST_CASE("any changed bit of an envelope is refused") {
  const auto sealed = seal(signer, mesh, SealType::result, to_bytes(view("a result")));
  const auto refused_with = [](auto& bytes, const Signed& it) {
    for (std::size_t i = 0; i != bytes.size(); ++i)
      for (int bit = 0; bit != 8; ++bit) {
        bytes[i] ^= std::uint8_t(1 << bit);
        CHECK_FALSE(verified(it, mesh, SealType::result));
        bytes[i] ^= std::uint8_t(1 << bit);
      }
    CHECK(verified(it, mesh, SealType::result));
  };
  auto copy = sealed;
  refused_with(copy.body, copy);
  refused_with(copy.key.key, copy);
  refused_with(copy.signature, copy);
  for (std::size_t size = 0; size != sealed.body.size(); ++size) {
    copy.body.resize(size);
    CHECK_FALSE(verified(copy, mesh, SealType::result));
    copy.body = sealed.body;
  }
}

TEST_CASE("a bare signature over the body is no envelope") {
  const Bytes body = to_bytes(view("body"));
  CHECK_FALSE(verified({body, signer.id(), signer.sign(body)}, mesh, SealType::record));
}
