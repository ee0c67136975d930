#include "crypto/little_endian.hpp"
#include "net/manifest.hpp"
#include "node/worker/worker.hpp"
#include "tests/fuzz/input.hpp"

// A manifest as a peer may send it, walked with whatever comes for what is nested in it; and the
// rows that a worker tells of its pieces. Input: 0 to 3 (any bytes as a manifest, a good one with
// damage, any bytes as rows, good ones with damage), then the bytes, or some for the good one and
// the damage.
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

Bytes good(fuzz::Input& input) {
  Manifest m{input.byte(), {}};
  for (auto n = 1 + input.byte() % manifest_parts_max; n; --n)
    m.parts.push_back({blob_id(input.take(2)), 1u + input.byte(), input.byte() % 2 == 0});
  return m.encoded();
}

struct Rows {
  Bytes pieces, rows;
};

Rows good_rows(fuzz::Input& input) {
  Rows good;
  for (auto n = input.byte() % 5; n; --n) {
    const auto piece = input.take(input.byte() % 32);
    put(good.rows, blob_id(piece).view());
    put(good.rows, std::uint64_t{piece.size()});
    put(good.pieces, piece);
  }
  return good;
}

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

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{{data, size}};
  const auto kind = input.byte() % 4;
  if (kind == 0) {
    check(to_bytes(input.rest), input);
  } else if (kind == 1) {
    const auto bytes = good(input);
    check(fuzz::damaged(bytes, input), input);
  } else if (kind == 2) {
    auto pieces = to_bytes(input.take(input.byte()));
    check_rows({std::move(pieces), to_bytes(input.rest)});
  } else {
    auto rows = good_rows(input);
    rows.rows = fuzz::damaged(std::move(rows.rows), input);
    check_rows(rows);
  }
  return 0;
}
