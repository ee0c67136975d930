#include "node/kernels/points.hpp"

#include "node/kernels/philox.hpp"
#include "node/kernels/wide.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>

#include "node/kernels/points_lanes.hpp"
#endif

namespace tessera {

std::uint64_t in_circle_one_by_one(std::uint64_t seed, std::uint64_t begin, std::uint64_t end) {
  const Philox random(seed);
  std::uint64_t hits = 0;
  for (; begin < end; ++begin) {
    const auto word = random(begin / 4)[begin % 4];
    const auto fine = random(begin / 4, 1 + begin % 4);
    const u128 x = std::uint64_t(word >> 1 & 0x7fff) << 32 | fine[0];
    const u128 y = std::uint64_t(word >> 17) << 32 | fine[1];
    hits += x * x + y * y < u128(1) << 94;
  }
  return hits;
}

#if defined(__SSE2__)
namespace {

struct Sse2 {
  using V = __m128i;
  static V all(std::uint32_t word) { return _mm_set1_epi32(std::int32_t(word)); }
  static V numbers(std::uint32_t n) { return _mm_set_epi64x(n + 1, n); }
  static V product(V a, V b) { return _mm_mul_epu32(a, b); }
  static V up(V a) { return _mm_srli_epi64(a, 32); }
  static V packed(V a, V b) {
    return _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), 0x88));
  }
  static V squares(V words) {
    const auto xy = _mm_srli_epi16(words, 1);
    return _mm_madd_epi16(xy, xy);
  }
  static V less(V a, std::int32_t b) { return _mm_sub_epi32(a, _mm_set1_epi32(b)); }
  static V negative(V a) { return _mm_srai_epi32(a, 31); }
  static V above(V a, std::int32_t b) { return _mm_cmpgt_epi32(a, _mm_set1_epi32(b)); }
  static V sum(V a, V b) { return _mm_add_epi32(a, b); }
  static bool everywhere(V a) { return _mm_movemask_epi8(a) == 0xffff; }
  static std::uint64_t negative_total(V a) {
    alignas(16) std::int32_t lanes[4];
    _mm_store_si128(reinterpret_cast<V*>(lanes), a);
    std::uint64_t sum = 0;
    for (const auto lane : lanes)
      sum -= std::uint64_t(std::int64_t(lane));
    return sum;
  }
};

} // namespace

std::uint64_t in_circle_sse2(std::uint64_t seed, std::uint64_t begin, std::uint64_t end) {
  return Lanes<Sse2>(seed).hits(begin, end);
}
#else
std::uint64_t in_circle_sse2(std::uint64_t seed, std::uint64_t begin, std::uint64_t end) {
  return in_circle_one_by_one(seed, begin, end);
}
#endif

std::uint64_t points_in_circle(std::uint64_t seed, std::uint64_t begin, std::uint64_t end) {
  return has_avx2() ? in_circle_avx2(seed, begin, end) : in_circle_sse2(seed, begin, end);
}

} // namespace tessera
