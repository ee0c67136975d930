#pragma once

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"

#include <cstdint>
#include <string>
#include <variant>

// Merges that a job names when its module exports none. Pure functions of (left, right), the same
// bits on every machine. All numbers are little-endian.
//
//   name              a partial is                      merged
//   concat            any bytes                         left, then right
//   none              any bytes                         nothing: the job has no result
//   count             one u64                           the sum modulo 2^64
//   sum_i64           i64 ...                           element by element, modulo 2^64
//   min_i64 max_i64   i64 ...                           element by element
//   sum_f64           f64 ...                           element by element, left + right
//   min_f64 max_f64   f64 ...                           element by element; -0 is below 0
//   topk_f64:K        records of f64 score, u64 id      the K best
//   topk_i64:K        records of i64 score, u64 id      the K best
//
// Arrays on both sides are of one length, except that an empty partial changes nothing. A NaN made
// or met by sum, min or max is the canonical one (0x7ff8000000000000). Best is the higher score
// (-0 below 0, every NaN below all numbers), then the lower id; equal records all stay.
namespace tessera::wasm {

class Merge {
public:
  enum class Kind : std::uint8_t {
    concat,
    none,
    count,
    sum_i64,
    min_i64,
    max_i64,
    sum_f64,
    min_f64,
    max_f64,
    topk_f64,
    topk_i64,
  };

  // E426: no such merge, or a K that is not in 1 ... 2^32 - 1.
  static Result<Merge> named(std::string_view name);
  Merge() = default;
  Kind kind() const { return kind_; }
  std::string name() const;

  // Appends merge(left, right) to `out`. E711: a partial that is not of the form above.
  Status merge(ByteView left, ByteView right, Bytes& out) const;
  // Appends the result to `out`: what a merge with an empty partial makes of it, so that a job of
  // one leaf ends in the same form. E711 as above.
  Status finish(ByteView partial, Bytes& out) const;

private:
  Merge(Kind kind, std::uint32_t k) : kind_(kind), k_(k) {}

  Kind kind_ = Kind::concat;
  std::uint32_t k_ = 0;
};

} // namespace tessera::wasm
