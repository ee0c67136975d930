#include "crypto/little_endian.hpp"
#include "net/manifest.hpp"
#include "node/worker/worker.hpp"
#include "tests/fuzz/input.hpp"

// A manifest as a peer may send it, walked with whatever comes for what is nested in it; and the
// rows that a worker tells of its pieces. Input: 0 (a manifest), then its size as a u16, it, and
// bytes for what is nested; or 1 (rows), then a byte for the size of the pieces, they, and the
// rows.
namespace {

using namespace tessera;
using fuzz::must;

std::uint64_t sum_of(const Manifest& m) {
  std::uint64_t sum = 0;
  for (const auto& part : m.parts) {
    must(part.size > 0 && sum + part.size > sum);
    sum += part.size;
  }
  return sum;
}

// What comes for a manifest: a good one, or anything.
Bytes nested(const Manifest::Part& part, fuzz::Input& input) {
  const auto kind = input.byte();
  if (kind % 2)
    return to_bytes(input.take(kind));
  const auto left = 1 + input.byte() % part.size;
  Manifest m{0, {{blob_id(input.take(1)), left, kind % 4 == 0 && !input.rest.empty()}}};
  if (left < part.size)
    m.parts.push_back({{}, part.size - left, false});
  return m.encoded();
}

void walk(const Manifest& m, fuzz::Input input) {
  ManifestWalk walk{m};
  std::uint64_t passed = 0;
  while (const auto part = walk.next()) {
    if (part->manifest && walk.enter(nested(*part, input)))
      continue;
    must(walk.next() == part);
    passed += part->size;
    walk.pass();
  }
  must(passed == m.size());
}

void check(const Bytes& bytes, const fuzz::Input& rest) {
  const auto m = Manifest::of(bytes);
  if (!m)
    return;
  must(!m->parts.empty() && m->parts.size() <= manifest_parts_max);
  must(m->size() == sum_of(*m));
  must(m->encoded() == bytes);
  walk(*m, rest);
}

struct Rows {
  Bytes pieces, rows;
};

void check_rows(const Rows& told) {
  CallDone done;
  done.pieces.size = told.pieces.size();
  done.piece_rows.bytes = told.rows;
  done.piece_rows.size = told.rows.size();
  const auto rows = rows_of(done);
  if (!rows)
    return must(rows.error().code == "E703");
  std::uint64_t sum = 0;
  for (const auto& row : *rows) {
    must(row.size <= told.pieces.size() - sum);
    sum += row.size;
  }
  must(sum == told.pieces.size() && rows->size() * 40 == told.rows.size());
}

} // namespace

std::vector<Bytes> tessera::fuzz::seeds() {
  std::vector<Bytes> all;
  for (const std::uint8_t parts : {1, 2, 5}) {
    Manifest m{parts, {}};
    for (std::uint8_t n = 0; n != parts; ++n)
      m.parts.push_back({blob_id(Bytes{n}), 1u + n, n % 2 == 1});
    const auto bytes = m.encoded();
    auto whole = seed({0, std::uint8_t(bytes.size()), std::uint8_t(bytes.size() >> 8)}, bytes);
    put(whole, Bytes{0, 4, 'a', 1, 3, 1, 2, 3, 4, 0});
    all.push_back(whole);
    auto rows = seed({1, std::uint8_t(3 * parts)}, Bytes(3 * parts));
    for (std::uint8_t n = 0; n != parts; ++n) {
      put(rows, blob_id(Bytes(3)).view());
      put(rows, std::uint64_t{3});
    }
    all.push_back(rows);
  }
  return all;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{{data, size}};
  if (input.byte() % 2) {
    auto pieces = to_bytes(input.take(input.byte()));
    check_rows({std::move(pieces), to_bytes(input.rest)});
  } else {
    const auto bytes = to_bytes(input.take(input.place(0x10000)));
    check(bytes, input);
  }
  return 0;
}
