#pragma once

#include <cstdint>

// Random points of the unit square, by number, and how many of them the quarter circle holds.
//
// Point i is (X, Y) / 2^47. The upper 15 bits of both are word i % 4 of Philox's block i / 4: they
// decide nearly always. Along the circle (1 point in 15,000) the lower 32 decide as well, of a
// block of the point's own. All is integers, so that every CPU counts the same, with wide registers
// or with none.
namespace tessera {

std::uint64_t points_in_circle(std::uint64_t seed, std::uint64_t begin, std::uint64_t end);

// Its ways, for tests; each counts the same. A way that this CPU or build has not counts one by
// one.
std::uint64_t in_circle_one_by_one(std::uint64_t seed, std::uint64_t begin, std::uint64_t end);
std::uint64_t in_circle_sse2(std::uint64_t seed, std::uint64_t begin, std::uint64_t end);
std::uint64_t in_circle_avx2(std::uint64_t seed, std::uint64_t begin, std::uint64_t end);
bool has_avx2();

} // namespace tessera
