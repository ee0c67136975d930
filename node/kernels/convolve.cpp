#include "node/kernels/convolve.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace tessera {
namespace {

// Room for n more samples at the end of `out`.
std::uint8_t* extend(Bytes& out, std::size_t n) {
  out.resize(out.size() + n);
  return out.data() + out.size() - n;
}

// e^x for 0 <= x < 64 from basic arithmetic alone: libm's depends on the CPU.
double power_of_e(double x) {
  double sum = 1, term = 1;
  for (int i = 1; i <= 16; ++i) {
    term = term * (x / 64) / i;
    sum += term;
  }
  for (int i = 0; i < 6; ++i)
    sum *= sum;
  return sum;
}

void luma_row(const std::uint8_t* from, std::size_t pixels, std::uint32_t channels,
              std::uint8_t* to) {
  if (channels == 1) {
    std::copy_n(from, pixels, to);
    return;
  }
  for (std::size_t x = 0; x < pixels; ++x)
    to[x] =
        std::uint8_t((77 * from[3 * x] + 150 * from[3 * x + 1] + 29 * from[3 * x + 2] + 128) >> 8);
}

void add_row(std::uint16_t* __restrict sums, const std::uint8_t* __restrict row, std::size_t n) {
  for (std::size_t x = 0; x < n; ++x)
    sums[x] = std::uint16_t(sums[x] + row[x]);
}

void subtract_row(std::uint16_t* __restrict sums, const std::uint8_t* __restrict row,
                  std::size_t n) {
  for (std::size_t x = 0; x < n; ++x)
    sums[x] = std::uint16_t(sums[x] - row[x]);
}

// Slides a window of 2r+1 pixels over column sums.
void box_row(const std::uint16_t* sums, std::uint32_t width, std::uint32_t channels,
             std::uint32_t radius, std::uint8_t* to) {
  const auto side = 2 * radius + 1;
  const auto area = side * side;
  // ceil(2^48 / area): exact for sums of at most 256 * area, and area < 2^17.
  const auto reciprocal = ((std::uint64_t{1} << 48) + area - 1) / area;
  for (std::uint32_t c = 0; c < channels; ++c) {
    std::uint32_t sum = area / 2;
    for (std::uint32_t x = 0; x + 1 < side; ++x)
      sum += sums[x * channels + c];
    const auto* in = sums + std::size_t(side - 1) * channels + c;
    const auto* gone = sums + c;
    auto* result = to + c;
    for (std::uint32_t x = 0; x < width; ++x) {
      sum += *in;
      *result = std::uint8_t(sum * reciprocal >> 48);
      sum -= *gone;
      in += channels, gone += channels, result += channels;
    }
  }
}

// acc = w * a
void weigh(std::uint32_t* __restrict acc, const std::uint8_t* __restrict a, std::uint16_t w,
           std::size_t n) {
  for (std::size_t x = 0; x < n; ++x)
    acc[x] = std::uint32_t(w) * a[x];
}

// acc += w * (a + b); the sum of two 8-bit or two 15-bit samples fits 16 bits.
template<class Sample>
void weigh_pair(std::uint32_t* __restrict acc, const Sample* __restrict a,
                const Sample* __restrict b, std::uint16_t w, std::size_t n) {
  for (std::size_t x = 0; x < n; ++x)
    acc[x] += std::uint32_t(w) * std::uint16_t(a[x] + b[x]);
}

struct GaussRows {
  std::vector<std::uint32_t> acc;
  std::vector<std::uint16_t> mid; // In 1/128 of a sample.
};

void gauss_columns(const Patch& patch, const std::vector<std::uint16_t>& weights, std::uint32_t y,
                   GaussRows& rows) {
  const auto n = patch.stride();
  weigh(rows.acc.data(), patch.row(y), weights[0], n);
  for (std::uint32_t k = 1; k < weights.size(); ++k)
    weigh_pair(rows.acc.data(), patch.row(y - k), patch.row(y + k), weights[k], n);
  for (std::size_t x = 0; x < n; ++x)
    rows.mid[x] = std::uint16_t((rows.acc[x] + 128) >> 8);
}

void gauss_along(const std::vector<std::uint16_t>& weights, std::uint32_t channels, std::size_t n,
                 GaussRows& rows, std::uint8_t* to) {
  const auto radius = weights.size() - 1;
  const auto* centre = rows.mid.data() + radius * channels;
  for (std::size_t x = 0; x < n; ++x)
    rows.acc[x] = std::uint32_t(weights[0]) * centre[x];
  for (std::size_t k = 1; k <= radius; ++k)
    weigh_pair(rows.acc.data(), centre - k * channels, centre + k * channels, weights[k], n);
  for (std::size_t x = 0; x < n; ++x)
    to[x] = std::uint8_t((rows.acc[x] + (1u << 21)) >> 22);
}

// A float holds the integer under the root exactly, and its root rounds correctly: never up to the
// next integer below 2^12.
std::uint8_t length_of(int gx, int gy) {
  return std::uint8_t(std::min(255, int(std::sqrt(float(gx * gx + gy * gy)))));
}

void sobel_row(const std::uint8_t* a, const std::uint8_t* b, const std::uint8_t* c, std::size_t n,
               std::uint8_t* to) {
  for (std::size_t x = 0; x < n; ++x) {
    const int gx = a[x + 2] - a[x] + 2 * (b[x + 2] - b[x]) + c[x + 2] - c[x];
    const int gy = c[x] + 2 * c[x + 1] + c[x + 2] - a[x] - 2 * a[x + 1] - a[x + 2];
    to[x] = length_of(gx, gy);
  }
}

void sharpen_row(const std::uint8_t* up, const std::uint8_t* row, const std::uint8_t* down,
                 std::size_t channels, std::size_t n, std::uint8_t* __restrict to) {
  for (std::size_t x = 0; x < n; ++x) {
    const auto at = x + channels;
    const int sum = 5 * row[at] - row[x] - row[at + channels] - up[at] - down[at];
    to[x] = std::uint8_t(std::clamp(sum, 0, 255));
  }
}

} // namespace

void box_blur(const Patch& patch, std::uint32_t radius, Bytes& out) {
  const auto width = patch.width - 2 * radius, height = patch.height - 2 * radius;
  const auto n = patch.stride();
  auto* to = extend(out, std::size_t(width) * height * patch.channels);
  std::vector<std::uint16_t> sums(n);
  for (std::uint32_t y = 0; y < 2 * radius; ++y)
    add_row(sums.data(), patch.row(y), n);
  for (std::uint32_t y = 0; y < height; ++y) {
    add_row(sums.data(), patch.row(y + 2 * radius), n);
    box_row(sums.data(), width, patch.channels, radius, to);
    subtract_row(sums.data(), patch.row(y), n);
    to += std::size_t(width) * patch.channels;
  }
}

std::vector<std::uint16_t> gauss_weights(double sigma) {
  const int radius = std::max(1, int(std::ceil(3 * sigma)));
  std::vector<double> upto; // Half the kernel, cumulated; the centre counts half.
  double sum = 0;
  for (int k = 0; k <= radius; ++k) {
    const auto weight = 1 / power_of_e(std::min(60.0, k * k / (2 * sigma * sigma)));
    sum += k == 0 ? weight / 2 : weight;
    upto.push_back(sum);
  }
  // Rounding what is cumulated keeps the total exact without bending one weight.
  std::vector<std::uint16_t> weights;
  int before = 0;
  for (const auto part : upto) {
    const int now = int(part / sum * (1 << 14) + 0.5);
    weights.push_back(std::uint16_t(weights.empty() ? 2 * now : now - before));
    before = now;
  }
  return weights;
}

void gauss_blur(const Patch& patch, const std::vector<std::uint16_t>& weights, Bytes& out) {
  const auto radius = std::uint32_t(weights.size() - 1);
  const auto width = patch.width - 2 * radius, height = patch.height - 2 * radius;
  const auto n = std::size_t(width) * patch.channels;
  auto* to = extend(out, n * height);
  GaussRows rows{std::vector<std::uint32_t>(patch.stride()),
                 std::vector<std::uint16_t>(patch.stride())};
  for (std::uint32_t y = 0; y < height; ++y) {
    gauss_columns(patch, weights, y + radius, rows);
    gauss_along(weights, patch.channels, n, rows, to + y * n);
  }
}

void edges(const Patch& patch, Bytes& out) {
  const auto width = patch.width - 2, height = patch.height - 2;
  std::vector<std::uint8_t> luma(std::size_t(patch.width) * patch.height);
  luma_row(patch.samples.data(), luma.size(), patch.channels, luma.data());
  auto* to = extend(out, std::size_t(width) * height);
  for (std::uint32_t y = 0; y < height; ++y) {
    const auto* a = luma.data() + std::size_t(y) * patch.width;
    sobel_row(a, a + patch.width, a + 2 * std::size_t(patch.width), width,
              to + std::size_t(y) * width);
  }
}

void sharpen(const Patch& patch, Bytes& out) {
  const auto height = patch.height - 2;
  const auto n = std::size_t(patch.width - 2) * patch.channels;
  auto* to = extend(out, n * height);
  for (std::uint32_t y = 0; y < height; ++y)
    sharpen_row(patch.row(y), patch.row(y + 1), patch.row(y + 2), patch.channels, n, to + y * n);
}

void invert(const Patch& patch, Bytes& out) {
  const auto n = patch.samples.size();
  auto* to = extend(out, n);
  for (std::size_t i = 0; i < n; ++i)
    to[i] = std::uint8_t(255 - patch.samples[i]);
}

void grays(const Patch& patch, Bytes& out) {
  const auto pixels = std::size_t(patch.width) * patch.height;
  luma_row(patch.samples.data(), pixels, patch.channels, extend(out, pixels));
}

} // namespace tessera
