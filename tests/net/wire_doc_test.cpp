#include "crypto/little_endian.hpp"
#include "net/manifest.hpp"
#include "net/wire/codec.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

// WIRE.md is all that a stranger has: where it can be held against the code, it is.
using namespace tessera;

namespace {

std::string text_of_file(const char* path) {
  std::ifstream in{path};
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

const std::string& doc() {
  static const auto text = text_of_file("net/WIRE.md");
  return text;
}

bool told(const std::string& words) {
  return doc().find(words) != std::string::npos;
}

std::string with_commas(std::size_t n) {
  auto text = std::to_string(n);
  for (auto at = int(text.size()) - 3; at > 0; at -= 3)
    text.insert(std::size_t(at), ",");
  return text;
}

} // namespace

TEST_CASE("WIRE.md carries the schema word for word") {
  const auto schema = text_of_file("net/wire/tessera.capnp");
  REQUIRE(schema.size() > 1000);
  CHECK(told("```capnp\n" + schema + "```\n"));
}

TEST_CASE("the check values of WIRE.md are ours") {
  Secret<32> seed;
  seed.bytes.fill(1);
  const auto self = Identity::from_seed(seed);
  const auto mesh = digest_of(view("a mesh"));
  CHECK(told("`" + to_hex(mesh) + "`"));
  const auto tag = digest_of("tessera mesh tag 1", {mesh.view()});
  CHECK(told("`" + to_hex(tag.view().first(8)) + "`"));
  CHECK(told("`" + to_hex(self.id().view()) + "`"));
  CHECK(told("`" + to_text(self.id()) + "`"));
  const auto sealed = seal(self, mesh, SealType::spec, to_bytes(view("a body")));
  CHECK(told("`" + to_hex(sealed.signature) + "`"));
  CHECK(told("`" + to_hex(blob_id({})) + "`"));
  CHECK(told("`" + to_hex(blob_id(Bytes(2 * blob_chunk_bytes + 1))) + "`"));
}

TEST_CASE("the limits of WIRE.md are ours") {
  const auto row = [](const std::string& what, std::size_t n) {
    INFO(what);
    CHECK(told("| " + what + " | " + with_commas(n) + " |\n"));
  };
  row("message", message_bytes_max);
  row("records in a message", records_max);
  row("addresses of a node", addresses_max);
  row("kernels of a node", kernels_max);
  row("bytes of a text", text_bytes_max);
  row("bytes of params", params_bytes_max);
  row("inputs of a job", inputs_max);
  row("leases of a grant", leases_max);
  row("blocks of a lease; undone, and failed, of a result", lease_blocks_max);
  row("nodes on a lease's path", lease_path_max);
  row("done blocks of a result", result_blocks_max);
  row("bytes of a partial that is inline", partial_inline_bytes_max);
  row("rows of a manifest", manifest_parts_max);
  row("bytes of ordered output that is no piece", ordered_bytes_max);
  row("blocks of a commitment", ran_max);
  row("commitments of a result", commitments_max);
  row("their bodies, each with 144 bytes more, without `ran`", commitments_bytes_max);
  row("shares", shares_max);
  row("rows of a lease table", table_rows_max);
  row("jobs of an answer", statuses_max);
  row("peers of a sample", sample_max);
  row("digests of a proof", proof_max);
  row("chunks of one ask", blob_ask_chunks_max);
  row("hops and ttl", hops_max);
  row("body of a record", record_bytes_max);
  row("body of a spec", spec_bytes_max);
  row("body of a cancellation", cancel_bytes_max);
  row("body of a receipt", receipt_bytes_max);
  row("body of a commitment", commitment_bytes_max);
}
