#include "node/kernels/moments.hpp"

#include "crypto/little_endian.hpp"

#include <bit>
#include <cmath>

namespace tessera {
namespace {

// Four sums abreast: fixed, so that the bits are, and no chain of additions to wait for.
template<class Term>
double summed(std::size_t count, Term term) {
  double sums[4]{};
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4)
    for (std::size_t k = 0; k < 4; ++k)
      sums[k] += term(i + k);
  for (; i < count; ++i)
    sums[0] += term(i);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

} // namespace

Moments moments_of(const double* numbers, std::size_t count) {
  if (count == 0)
    return {};
  const auto first = numbers[0];
  const auto beyond = summed(count, [&](std::size_t i) { return numbers[i] - first; });
  const auto mean = first + beyond / double(count);
  const auto squares = summed(count, [&](std::size_t i) {
    const auto d = numbers[i] - mean;
    return d * d;
  });
  return {count, mean, squares};
}

Moments merged(const Moments& left, const Moments& right) {
  const auto count = left.count + right.count;
  if (left.count == 0 || right.count == 0)
    return left.count == 0 ? right : left;
  const auto apart = right.mean - left.mean, share = double(right.count) / double(count);
  return {count, left.mean + apart * share,
          left.squares + right.squares + apart * apart * (double(left.count) * share)};
}

std::optional<double> standard_error(const Moments& moments) {
  if (moments.count < 2)
    return std::nullopt;
  return std::sqrt(moments.squares / double(moments.count - 1) / double(moments.count));
}

void put_moments(Bytes& out, const Moments& moments) {
  put(out, moments.count);
  put(out, std::bit_cast<std::uint64_t>(moments.mean));
  put(out, std::bit_cast<std::uint64_t>(moments.squares));
}

std::optional<Moments> get_moments(ByteView bytes, std::uint64_t most) {
  if (bytes.size() != Moments::bytes)
    return std::nullopt;
  const Moments m{get<std::uint64_t>(bytes, 0), std::bit_cast<double>(get<std::uint64_t>(bytes, 8)),
                  std::bit_cast<double>(get<std::uint64_t>(bytes, 16))};
  const bool possible = m.count >= 1 && m.count <= most && std::isfinite(m.mean) &&
                        std::isfinite(m.squares) && m.squares >= 0;
  return possible ? std::optional(m) : std::nullopt;
}

} // namespace tessera
