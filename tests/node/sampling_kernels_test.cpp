#include "node/kernels/points.hpp"
#include "tests/support/serial.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>
#include <random>

using namespace tessera;

namespace {

using Given = std::map<std::string, std::string>;
using Json = nlohmann::json;

Json result_of(const char* kernel, const Given& given, std::uint64_t items,
               std::uint64_t leaf = 0) {
  const auto result = serial_job(*find_kernel(kernel), given, items, leaf);
  REQUIRE(result.ok());
  return Json::parse(text_of(*result));
}

double at(const Json& json, const char* name) {
  return json.at(name).get<double>();
}

struct Market {
  double spot = 100, strike = 100, rate = 0.05, volatility = 0.2, years = 1, dividend = 0;

  Given given(const char* type, const char* antithetic = "yes", int seed = 1) const {
    return {{"spot", std::to_string(spot)},
            {"strike", std::to_string(strike)},
            {"rate", std::to_string(rate)},
            {"volatility", std::to_string(volatility)},
            {"years", std::to_string(years)},
            {"dividend", std::to_string(dividend)},
            {"type", type},
            {"antithetic", antithetic},
            {"seed", std::to_string(seed)}};
  }
};

double below(double z) {
  return std::erfc(-z / std::sqrt(2.0)) / 2;
}

// Black and Scholes' closed form.
double closed_form(const Market& m, bool call) {
  const auto spread = m.volatility * std::sqrt(m.years);
  const auto d1 =
      (std::log(m.spot / m.strike) + (m.rate - m.dividend) * m.years) / spread + spread / 2;
  const auto spot = m.spot * std::exp(-m.dividend * m.years);
  const auto strike = m.strike * std::exp(-m.rate * m.years);
  const auto call_price = spot * below(d1) - strike * below(d1 - spread);
  return call ? call_price : call_price - spot + strike;
}

const std::vector<Market> markets{{},
                                  {.strike = 120},
                                  {.strike = 80, .dividend = 0.03},
                                  {.rate = -0.01, .volatility = 0.5, .years = 3},
                                  {.spot = 1e6, .strike = 1e6, .volatility = 0.1, .years = 0.25},
                                  {.rate = 0, .volatility = 1, .years = 2}};

} // namespace

TEST_CASE("points are counted alike one by one, by SSE2 and by AVX2") {
  const std::uint64_t seed = 41;
  std::mt19937_64 rng(seed);
  MESSAGE(std::string(has_avx2() ? "this CPU has AVX2" : "SKIPPED: no AVX2 here"));
  for (int round = 0; round < 60; ++round) {
    const auto key = rng();
    // Also where the lower half of a block's number runs over.
    const auto begin =
        round % 3 == 0 ? (std::uint64_t{1} << 34) - rng() % 3000 : rng() >> (2 + rng() % 60);
    const auto end = begin + rng() % 6000;
    INFO("seed " << seed << ": key " << key << ", points " << begin << " to " << end);
    const auto hits = in_circle_one_by_one(key, begin, end);
    CHECK(in_circle_sse2(key, begin, end) == hits);
    CHECK(in_circle_avx2(key, begin, end) == hits);
    CHECK(points_in_circle(key, begin, end) == hits);
  }
}

TEST_CASE("many points, some of them along the circle, are counted alike") {
  const auto hits = in_circle_one_by_one(7, 5, 1'000'003);
  CHECK(in_circle_sse2(7, 5, 1'000'003) == hits);
  CHECK(in_circle_avx2(7, 5, 1'000'003) == hits);
}

TEST_CASE("pi is pi, within four standard errors, at each of many seeds") {
  constexpr double truth = 3.14159265358979323846;
  double squares = 0;
  constexpr int seeds = 50;
  for (int seed = 0; seed < seeds; ++seed) {
    const auto json = result_of("pi", {{"seed", std::to_string(seed)}}, 200'000);
    const auto off = (at(json, "pi") - truth) / at(json, "standard_error");
    INFO("seed " << seed);
    CHECK(std::abs(off) < 4);
    CHECK(at(json, "low_95") < at(json, "pi"));
    CHECK(at(json, "high_95") > at(json, "pi"));
    squares += off * off;
  }
  // The error is said neither too large nor too small: chi squared of 50, at 1 in 10,000.
  CHECK(squares > 20);
  CHECK(squares < 96);
}

TEST_CASE("pi's hits belong to seed and samples, not to the cuts") {
  const auto one = result_of("pi", {}, 10'001);
  CHECK(one == result_of("pi", {}, 10'001, 7));
  CHECK(one == result_of("pi", {}, 10'001, 10'001));
  CHECK(one.at("samples") == 10'001);
  CHECK(one.at("hits") == in_circle_one_by_one(1, 0, 10'001));
  CHECK(one.at("hits") != result_of("pi", {{"seed", "2"}}, 10'001).at("hits"));
}

TEST_CASE("a single sample has no standard error") {
  CHECK(result_of("pi", {}, 1).at("standard_error").is_null());
  CHECK(result_of("option", {}, 1).at("standard_error").is_null());
  CHECK(result_of("option", {}, 1).at("low_95").is_null());
}

TEST_CASE("options cost what Black and Scholes say, within four standard errors") {
  double squares = 0;
  int priced = 0;
  for (const auto& market : markets)
    for (const char* type : {"call", "put"})
      for (const char* antithetic : {"yes", "no"})
        for (int seed = 1; seed <= 3; ++seed, ++priced) {
          const auto json = result_of("option", market.given(type, antithetic, seed), 100'000);
          const auto truth = closed_form(market, type == std::string("call"));
          const auto off = (at(json, "price") - truth) / at(json, "standard_error");
          INFO(json.dump() << " of " << truth);
          CHECK(std::abs(off) < 4);
          squares += off * off;
        }
  CHECK(squares > priced * 0.4); // No standard error that is always far too large.
  CHECK(squares < priced * 1.9);
}

TEST_CASE("call less put is the forward: put-call parity, of the same paths") {
  for (const auto& m : markets) {
    const auto call = result_of("option", m.given("call"), 50'000);
    const auto put = result_of("option", m.given("put"), 50'000);
    const auto forward =
        m.spot * std::exp(-m.dividend * m.years) - m.strike * std::exp(-m.rate * m.years);
    // The paths' own mean is not exactly the forward: it is off by its standard error.
    const auto error = at(call, "standard_error") + at(put, "standard_error");
    INFO(call.dump() << " less " << put.dump() << " is " << forward);
    CHECK(std::abs(at(call, "price") - at(put, "price") - forward) < 4 * error);
  }
}

TEST_CASE("antithetic paths lower the error") {
  const auto with = result_of("option", Market{}.given("call", "yes"), 50'000);
  const auto without = result_of("option", Market{}.given("call", "no"), 50'000);
  CHECK(at(with, "standard_error") < 0.8 * at(without, "standard_error"));
}

TEST_CASE("without volatility or time nothing is uncertain") {
  for (const char* type : {"call", "put"}) {
    const bool call = type == std::string("call");
    const auto intrinsic = [&](double spot, double strike) {
      return std::max(0.0, call ? spot - strike : strike - spot);
    };
    for (const double strike : {90.0, 100.0, 110.0}) {
      const Market still{.strike = strike, .volatility = 0};
      auto json = result_of("option", still.given(type), 1001);
      CHECK(at(json, "price") ==
            doctest::Approx(intrinsic(100, strike * std::exp(-0.05))).epsilon(1e-13));
      CHECK(at(json, "standard_error") == 0);
      const Market now{.strike = strike, .years = 0};
      json = result_of("option", now.given(type), 1001);
      CHECK(at(json, "price") == intrinsic(100, strike));
      CHECK(at(json, "standard_error") == 0);
      CHECK(at(json, "low_95") == at(json, "price"));
    }
  }
}

TEST_CASE("the ends of every parameter's range give finite prices") {
  const auto& option = *find_kernel("option");
  const auto& specs = option.info().params;
  const auto text = [](const ParamSpec& spec, bool high) -> std::string {
    if (!spec.choices.empty())
      return high ? spec.choices.back() : spec.choices.front();
    const auto v = high ? spec.max : spec.min;
    return std::holds_alternative<double>(spec.fallback) ? std::to_string(v)
                                                         : std::to_string(std::int64_t(v));
  };
  for (unsigned corner = 0; corner < 1u << specs.size(); ++corner) {
    Given given;
    for (std::size_t i = 0; i < specs.size(); ++i)
      given[specs[i].name] = text(specs[i], corner >> i & 1);
    INFO("corner " << corner);
    const auto json = result_of("option", given, 300);
    CHECK(std::isfinite(at(json, "price")));
    CHECK(at(json, "price") >= 0);
    CHECK(std::isfinite(at(json, "standard_error")));
  }
}

TEST_CASE("a path's payoff belongs to seed and number: leaves that start at odd paths agree") {
  const auto run =
      *find_kernel("option")->open(*check_params(find_kernel("option")->info(), {}), {}, 1000);
  const auto payoff = [&](std::uint64_t i) {
    Bytes one;
    REQUIRE(run->run(i, i + 1, one).ok());
    return one;
  };
  for (std::uint64_t i = 0; i < 10; ++i) {
    Bytes both, expected;
    REQUIRE(run->run(i, i + 2, both).ok());
    REQUIRE(run->merge(payoff(i), payoff(i + 1), expected).ok());
    INFO("path " << i);
    CHECK(both == expected);
  }
  CHECK(payoff(0) != payoff(1));
}

TEST_CASE("moments and hits that nobody can have are refused with E711") {
  const auto word = [](std::uint64_t w) {
    Bytes b;
    for (int i = 0; i < 8; ++i)
      b.push_back(std::uint8_t(w >> (8 * i)));
    return b;
  };
  const auto moments = [&](std::uint64_t n, double mean, double squares) {
    Bytes b = word(n);
    for (const auto x : {mean, squares})
      for (const auto byte : word(std::bit_cast<std::uint64_t>(x)))
        b.push_back(byte);
    return b;
  };
  const auto refuses = [](const char* kernel, const Bytes& good, const Bytes& bad) {
    auto run = *find_kernel(kernel)->open(*check_params(find_kernel(kernel)->info(), {}), {}, 10);
    Bytes out;
    for (const auto& status :
         {run->merge(good, bad, out), run->merge(bad, good, out), run->finish(bad, out)})
      if (status.ok() || status.error().code != "E711")
        return false;
    return out.empty();
  };
  constexpr auto infinity = std::numeric_limits<double>::infinity();
  const auto good = moments(1, 5, 0);
  for (const auto& bad :
       {moments(0, 0, 0), moments(11, 5, 1), moments(~std::uint64_t{0}, 5, 1),
        moments(2, infinity, 1), moments(2, std::nan(""), 1), moments(2, 5, infinity),
        moments(2, 5, std::nan("")), moments(2, 5, -1), Bytes{}, Bytes(23), Bytes(25)})
    CHECK(refuses("option", good, bad));
  CHECK_FALSE(refuses("option", good, moments(9, 5, 1))); // It merges.
  for (const auto& bad : {word(11), word(~std::uint64_t{0}), Bytes{}, Bytes(7), Bytes(9)})
    CHECK(refuses("pi", word(0), bad));
  CHECK_FALSE(refuses("pi", word(1), word(9)));
  // Together they are more than there are.
  auto run = *find_kernel("pi")->open(*check_params(find_kernel("pi")->info(), {}), {}, 10);
  Bytes out;
  CHECK_FALSE(run->merge(word(6), word(5), out).ok());
  auto priced =
      *find_kernel("option")->open(*check_params(find_kernel("option")->info(), {}), {}, 10);
  CHECK_FALSE(priced->merge(moments(6, 5, 1), moments(5, 5, 1), out).ok());
  CHECK_FALSE(priced->finish(moments(9, 5, 1), out).ok());
}

TEST_CASE("results are those of a model in another language") {
  // Python, from the definitions in points.hpp and option.cpp, with its own exp and quantile.
  CHECK(result_of("pi", {}, 100'000).at("hits") == 78556);
  const auto option = result_of("option", {}, 20'000);
  CHECK(at(option, "price") == doctest::Approx(10.419942798261827).epsilon(1e-13));
  CHECK(at(option, "standard_error") == doctest::Approx(0.052340384357938786).epsilon(1e-10));
}

TEST_CASE("the bytes are the same on every machine") {
  // Where they change, kernels of two builds do not mix: raise the kernel's version.
  CHECK(text_of(*serial_job(*find_kernel("pi"), {}, 1'000'000)) ==
        R"({"pi":3.14218,"standard_error":0.0016417757286022786,"low_95":3.138962178701248,)"
        R"("high_95":3.1453978212987526,"samples":1000000,"hits":785545})"
        "\n");
  CHECK(text_of(*serial_job(*find_kernel("option"), {}, 100'000)) ==
        R"({"type":"call","price":10.421801681327318,"standard_error":0.02321456977067303,)"
        R"("low_95":10.376301960660207,"high_95":10.46730140199443,"paths":100000,)"
        R"("antithetic":true})"
        "\n");
}
