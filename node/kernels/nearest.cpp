#include "node/kernels/nearest.hpp"

#include <algorithm>

namespace tessera {
namespace {

// What people type is short; what is longer is near to nothing.
constexpr std::size_t typed_bytes_max = 64;

} // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      cost[i][j] = std::min(
          {cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  return cost[a.size()][b.size()];
}

std::string nearest(std::string_view typed, const std::vector<std::string>& words) {
  std::string best;
  std::size_t best_distance = typed_bytes_max;
  if (typed.size() > typed_bytes_max)
    return best;
  for (const auto& word : words) {
    const auto distance = edit_distance(typed, word);
    const auto near = std::max<std::size_t>(1, std::max(word.size(), typed.size()) / 3);
    if (distance < best_distance && distance <= near && distance < word.size()) {
      best = word;
      best_distance = distance;
    }
  }
  return best;
}

} // namespace tessera
