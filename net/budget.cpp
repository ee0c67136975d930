#include "net/budget.hpp"

#include <algorithm>
#include <utility>

namespace tessera {

std::size_t Budget::share_bytes_max() const {
  const std::size_t used = used_;
  return std::max(share_bytes_min_, bytes_max_ - std::min(bytes_max_, used));
}

Budget::Share::Share(Share&& other) noexcept
    : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}

Budget::Share& Budget::Share::operator=(Share&& other) noexcept {
  std::swap(budget_, other.budget_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void Budget::Share::hold(std::size_t bytes) {
  const auto before = std::exchange(bytes_, bytes);
  if (budget_)
    budget_->used_ += bytes - before; // Modulo 2^n, as it must when there is less.
}

} // namespace tessera
