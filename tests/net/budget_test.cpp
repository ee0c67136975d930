#include "net/budget.hpp"

#include <doctest/doctest.h>

#include <numeric>
#include <random>
#include <vector>

using namespace tessera;

namespace {

using Shares = std::vector<Budget::Share>;

Shares shares_of(const std::shared_ptr<Budget>& budget, std::size_t n) {
  Shares shares;
  for (std::size_t i = 0; i != n; ++i)
    shares.emplace_back(budget);
  return shares;
}

} // namespace

TEST_CASE("what is used is the sum of what is held, by whatever moves and ends") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 rng{seed};
    const auto budget = std::make_shared<Budget>(1000, 10);
    auto shares = shares_of(budget, 6);
    std::vector<std::size_t> held(shares.size());
    for (int step = 0; step != 200; ++step) {
      const auto i = rng() % shares.size(), k = rng() % shares.size();
      if (rng() % 4) {
        shares[i].hold(held[i] = rng() % 300);
      } else if (rng() % 2) {
        shares[i] = Budget::Share{budget};
        held[i] = 0;
      } else {
        std::swap(shares[i], shares[k]);
        std::swap(held[i], held[k]);
      }
      REQUIRE(budget->used() == std::accumulate(held.begin(), held.end(), std::size_t{0}));
    }
    shares.clear();
    CHECK(budget->used() == 0);
  }
}

TEST_CASE("n that want all of it get an equal part each, and as much stays free for the next") {
  for (const std::size_t n : {1u, 2u, 9u, 99u}) {
    INFO(n << " greedy ones");
    const auto budget = std::make_shared<Budget>(10'000, 1);
    auto shares = shares_of(budget, n);
    std::vector<std::size_t> held(n);
    for (bool more = true; more;) {
      more = false;
      for (std::size_t i = 0; i != n; ++i)
        if (shares[i].may_hold(held[i] + 1)) {
          shares[i].hold(++held[i]);
          more = true;
        }
    }
    for (const auto bytes : held) {
      CHECK(bytes <= 10'000 / (n + 1) + 1);
      CHECK(bytes + 1 >= 10'000 / (n + 1));
    }
    Budget::Share late{budget};
    CHECK(late.may_hold(held[0] - 1));
  }
}

TEST_CASE("however full it is, each may hold the least share, and no more") {
  const auto budget = std::make_shared<Budget>(1000, 10);
  auto shares = shares_of(budget, 2);
  for (const std::size_t used : {991u, 1000u, 5000u}) {
    shares[0].hold(used);
    CHECK(shares[1].may_hold(10));
    CHECK_FALSE(shares[1].may_hold(11));
  }
  CHECK(Budget::Share{}.may_hold(std::size_t(-1))); // No budget bounds nothing.
}
