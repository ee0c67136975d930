#include "node/kernels/points.hpp"

#include "node/kernels/philox.hpp"

// For CPUs that have AVX2, asked at run time: integers are the same bits in any register.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx2")
#include "node/kernels/points_lanes.hpp"

namespace tessera {
namespace {

struct Avx2 {
  using V = __m256i;
  static V all(std::uint32_t word) { return _mm256_set1_epi32(std::int32_t(word)); }
  static V numbers(std::uint32_t n) { return _mm256_set_epi64x(n + 3, n + 2, n + 1, n); }
  static V product(V a, V b) { return _mm256_mul_epu32(a, b); }
  static V up(V a) { return _mm256_srli_epi64(a, 32); }
  static V packed(V a, V b) { // Of each half of them, which is as good.
    return _mm256_castps_si256(
        _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88));
  }
  static V squares(V words) {
    const auto xy = _mm256_srli_epi16(words, 1);
    return _mm256_madd_epi16(xy, xy);
  }
  static V less(V a, std::int32_t b) { return _mm256_sub_epi32(a, _mm256_set1_epi32(b)); }
  static V negative(V a) { return _mm256_srai_epi32(a, 31); }
  static V above(V a, std::int32_t b) { return _mm256_cmpgt_epi32(a, _mm256_set1_epi32(b)); }
  static V sum(V a, V b) { return _mm256_add_epi32(a, b); }
  static bool everywhere(V a) { return _mm256_movemask_epi8(a) == -1; }
  static std::uint64_t negative_total(V a) {
    alignas(32) std::int32_t lanes[8];
    _mm256_store_si256(reinterpret_cast<V*>(lanes), a);
    std::uint64_t sum = 0;
    for (const auto lane : lanes)
      sum -= std::uint64_t(std::int64_t(lane));
    return sum;
  }
};

std::uint64_t counted(std::uint64_t seed, std::uint64_t begin, std::uint64_t end) {
  return Lanes<Avx2>(seed).hits(begin, end);
}

} // namespace
} // namespace tessera
#pragma GCC pop_options

namespace tessera {

bool has_avx2() {
  return __builtin_cpu_supports("avx2");
}

std::uint64_t in_circle_avx2(std::uint64_t seed, std::uint64_t begin, std::uint64_t end) {
  return has_avx2() ? counted(seed, begin, end) : in_circle_one_by_one(seed, begin, end);
}

} // namespace tessera
#else
namespace tessera {

bool has_avx2() {
  return false;
}

std::uint64_t in_circle_avx2(std::uint64_t seed, std::uint64_t begin, std::uint64_t end) {
  return in_circle_one_by_one(seed, begin, end);
}

} // namespace tessera
#endif
