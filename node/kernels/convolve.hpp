#pragma once

#include "crypto/bytes.hpp"

#include <cstdint>
#include <vector>

// Filters over one patch: a tile with its halo. All sums are integers, so every compiler and CPU
// gives the same bytes. Inner loops run over a whole row and leave vectors to the compiler.
namespace tessera {

// Rows of interleaved 8-bit samples.
struct Patch {
  std::uint32_t width = 0, height = 0, channels = 0; // Of the whole, halo included.
  std::vector<std::uint8_t> samples;

  std::size_t stride() const { return std::size_t(width) * channels; }
  const std::uint8_t* row(std::uint32_t y) const { return samples.data() + y * stride(); }
};

inline constexpr std::uint32_t box_radius_max = 128; // Column sums of 257 samples fit 16 bits.

// Each appends the patch's inside, (width - 2r) x (height - 2r), to `out`.

// The mean of (2r+1)^2 samples, halves rounded up.
void box_blur(const Patch& patch, std::uint32_t radius, Bytes& out);

// Weights of a Gaussian in 1/2^15: [0] is the centre's, [k] that of both samples k away. Together,
// weights[0] + 2 * (the rest) = 2^15. Radius: ceil(3 sigma).
std::vector<std::uint16_t> gauss_weights(double sigma);

// Columns first, to 1/128 of a sample, then rows; each rounded to nearest, halves up.
void gauss_blur(const Patch& patch, const std::vector<std::uint16_t>& weights, Bytes& out);

// Sobel's gradient of the luma: floor(sqrt(gx^2 + gy^2)), at most 255; halo 1, one channel out.
void edges(const Patch& patch, Bytes& out);

// Five times each sample less its four neighbours, cut to 8 bits; halo 1.
void sharpen(const Patch& patch, Bytes& out);

// 255 less each sample; no halo.
void invert(const Patch& patch, Bytes& out);

// BT.601 luma in 1/256; one channel out, no halo.
void grays(const Patch& patch, Bytes& out);

} // namespace tessera
