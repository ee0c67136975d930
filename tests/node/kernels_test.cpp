#include "node/kernels/kernel.hpp"
#include "node/kernels/nearest.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace tessera;

namespace {

using Given = std::map<std::string, std::string>;

KernelInfo sample_info() {
  KernelInfo info;
  info.name = "sample";
  info.params = {{"count", std::int64_t{5}, "", 1, 10, {}},
                 {"scale", 2.0, "", -1, 3.5, {}},
                 {"mode", std::string("fast"), "", 0, 0, {"fast", "exact"}},
                 {"note", std::string(""), "", 0, 0, {}}};
  return info;
}

bool whole_error(const Error& e) {
  return !e.code.empty() && !e.what.empty() && !e.why.empty() && !e.fix.empty();
}

Params checked(const Given& given) {
  auto params = check_params(sample_info(), given);
  REQUIRE(params.ok());
  return *params;
}

} // namespace

TEST_CASE("the eleven kernels are found by name, and no others") {
  for (const std::string name : {"each", "filter", "mandelbrot", "option", "pi", "shape", "sleep",
                                 "spin", "sumsq", "tiles", "wordcount"}) {
    const auto* kernel = find_kernel(name);
    REQUIRE(kernel);
    CHECK(kernel->info().name == name);
  }
  CHECK(kernels().size() == 11);
  CHECK(find_kernel("filtre") == nullptr);
  CHECK(find_kernel("") == nullptr);
}

TEST_CASE("each kernel's own defaults pass its own checks and come back from their bytes") {
  for (const auto* kernel : kernels()) {
    INFO(kernel->info().name);
    const auto params = check_params(kernel->info(), {});
    REQUIRE(params.ok());
    CHECK(params->size() == kernel->info().params.size());
    const auto back = decode_params(kernel->info(), encode_params(*params));
    REQUIRE(back.ok());
    CHECK(*back == *params);
  }
}

TEST_CASE("a mistyped kernel has its nearest, and nonsense has none") {
  CHECK(nearest_kernel("filtr") == "filter");
  CHECK(nearest_kernel("mandlebrot") == "mandelbrot");
  CHECK(nearest_kernel("sumqs") == "sumsq");
  CHECK(nearest_kernel("Spin") == "spin");
  CHECK(nearest_kernel("banana") == "");
  CHECK(nearest_kernel("") == "");
  CHECK(nearest_kernel(std::string(100'000, 'x')) == "");
}

TEST_CASE("edit distance counts insertions, deletions, replacements and swaps") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("ab", "ba") == 1);
  CHECK(edit_distance("abcd", "badc") == 2);
}

TEST_CASE("one edit is never counted as more, at random words") {
  const std::uint64_t seed = 7;
  std::mt19937_64 rng(seed);
  for (int round = 0; round < 2000; ++round) {
    std::string word;
    for (auto n = 1 + rng() % 12; n > 0; --n)
      word += char('a' + rng() % 4);
    auto typed = word;
    const auto at = rng() % word.size();
    switch (rng() % 3) {
    case 0:
      typed.erase(at, 1);
      break;
    case 1:
      typed.insert(at, 1, 'z');
      break;
    default:
      typed[at] = 'z';
    }
    INFO("seed " << seed << ": " << word << " " << typed);
    CHECK(edit_distance(word, typed) == 1);
    CHECK(edit_distance(typed, word) == 1);
  }
}

TEST_CASE("given texts become typed values, and the rest is filled in") {
  const auto params = checked({{"count", "7"}, {"scale", "-0.5"}, {"mode", "exact"}});
  CHECK(params.at("count") == ParamValue(std::int64_t{7}));
  CHECK(params.at("scale") == ParamValue(-0.5));
  CHECK(params.at("mode") == ParamValue(std::string("exact")));
  CHECK(params.at("note") == ParamValue(std::string()));
  CHECK(checked({{"scale", "1e0"}}).at("scale") == ParamValue(1.0));
  CHECK(checked({{"count", "1"}, {"scale", "3.5"}}).size() == 4); // Bounds belong to the range.
}

TEST_CASE("each bad parameter is refused with E420 and three lines") {
  const std::vector<Given> table{
      {{"count", "0"}},
      {{"count", "11"}},
      {{"count", ""}},
      {{"count", "5x"}},
      {{"count", " 5"}},
      {{"count", "5.0"}},
      {{"count", "-"}},
      {{"count", "0x5"}},
      {{"count", "99999999999999999999"}},
      {{"scale", "nan"}},
      {{"scale", "inf"}},
      {{"scale", "3.51"}},
      {{"scale", "1,5"}},
      {{"scale", ""}},
      {{"scale", "1e999"}},
      {{"mode", "slow"}},
      {{"mode", ""}},
      {{"mode", "Fast"}},
      {{"note", "\xff"}},
      {{"coutn", "5"}},
      {{"", "5"}},
      {{"note", std::string(5000, 'x')}},
      {{"zzz", "1"}, {"count", "5"}},
  };
  for (const auto& given : table) {
    INFO(given.begin()->first << "=" << given.begin()->second);
    const auto params = check_params(sample_info(), given);
    REQUIRE_FALSE(params.ok());
    CHECK(params.error().code == "E420");
    CHECK(whole_error(params.error()));
  }
}

TEST_CASE("a refusal names the nearest parameter or choice, and what fits") {
  CHECK(check_params(sample_info(), {{"coutn", "5"}}).error().fix == "did you mean count?");
  CHECK(check_params(sample_info(), {{"mode", "exat"}}).error().fix == "did you mean exact?");
  CHECK(check_params(sample_info(), {{"count", "11"}}).error().why ==
        "it takes a whole number from 1 to 10");
  CHECK(check_params(sample_info(), {{"scale", "9"}}).error().why ==
        "it takes a number from -1 to 3.5");
  const auto rude = check_params(sample_info(), {{"mode", "\x1b[2Jx"}}).error();
  CHECK(to_text(rude).find('\x1b') == std::string::npos);
}

TEST_CASE("encoded parameters are sorted JSON and keep their types") {
  const auto params = checked({{"scale", "1"}, {"note", "tile \"5\""}});
  CHECK(text_of(encode_params(params)) ==
        R"({"count":5,"mode":"fast","note":"tile \"5\"","scale":1.0})");
}

TEST_CASE("random parameters come back from their bytes bit for bit") {
  const std::uint64_t seed = 11;
  std::mt19937_64 rng(seed);
  for (int round = 0; round < 2000; ++round) {
    Params params{{"count", std::int64_t(1 + rng() % 10)},
                  {"scale", double(rng() >> 11) / 9007199254740992.0 * 4.5 - 1},
                  {"mode", std::string(rng() % 2 ? "fast" : "exact")},
                  {"note", std::string(rng() % 20, char(' ' + rng() % 90))}};
    const auto bytes = encode_params(params);
    INFO("seed " << seed << ": " << text_of(bytes));
    const auto back = decode_params(sample_info(), bytes);
    REQUIRE(back.ok());
    CHECK(*back == params);
  }
}

TEST_CASE("only canonical, complete and fitting bytes are decoded") {
  const std::string good = R"({"count":5,"mode":"fast","note":"","scale":2.0})";
  REQUIRE(decode_params(sample_info(), view(good)).ok());
  const std::vector<std::string> table{
      "",
      "{}",
      "[]",
      "null",
      "{\"count\":5",
      R"({"count":5,"mode":"fast","note":""})",
      R"({"count":5,"mode":"fast","note":"","scale":2})",
      R"({"count":5.0,"mode":"fast","note":"","scale":2.0})",
      R"({"count":"5","mode":"fast","note":"","scale":2.0})",
      R"({"count":11,"mode":"fast","note":"","scale":2.0})",
      R"({"count":18446744073709551615,"mode":"fast","note":"","scale":2.0})",
      R"({"count":true,"mode":"fast","note":"","scale":2.0})",
      R"({"count":5,"mode":"slow","note":"","scale":2.0})",
      R"({"count":5,"mode":"fast","note":[],"scale":2.0})",
      R"({"count":5,"mode":"fast","note":"","scale":2.00})",
      R"({"count":5,"mode":"fast","note":"","scale":1e999})",
      R"({"count":5,"count":5,"mode":"fast","note":"","scale":2.0})",
      R"({"mode":"fast","count":5,"note":"","scale":2.0})",
      R"({"count":5,"extra":1,"mode":"fast","note":"","scale":2.0})",
      "{\"count\":5,\"mode\":\"fast\",\"note\":\"\xff\",\"scale\":2.0}",
      good + " ",
      std::string(60'000, '['),
      std::string(100'000, ' ') + good,
  };
  for (const auto& text : table) {
    INFO(text.substr(0, 80));
    const auto params = decode_params(sample_info(), view(text));
    REQUIRE_FALSE(params.ok());
    CHECK(params.error().code == "E420");
    CHECK(whole_error(params.error()));
  }
}

TEST_CASE("items of 0 or past 2^63 are refused with E421 by all who count items") {
  for (const std::string name : {"option", "pi", "shape", "sleep", "spin", "sumsq"}) {
    INFO(name);
    const auto& kernel = *find_kernel(name);
    const auto params = *check_params(kernel.info(), {});
    for (const auto items : {std::uint64_t{0}, (std::uint64_t{1} << 63) + 1, ~std::uint64_t{0}}) {
      if (items == 0 && !kernel.info().wants_items)
        continue; // It has a number of its own.
      const auto plan = kernel.plan(params, items, {});
      REQUIRE_FALSE(plan.ok());
      CHECK(plan.error().code == "E421");
      CHECK(whole_error(plan.error()));
    }
    for (const auto items : {std::uint64_t{1}, std::uint64_t{1} << 63}) {
      const auto plan = kernel.plan(params, items, {});
      REQUIRE(plan.ok());
      CHECK(plan->items == items);
      CHECK(plan->leaf_items >= 1);
      CHECK(plan->leaf_items <= items);
    }
  }
}

TEST_CASE("partials of a wrong size are refused with E711, and nothing is read past them") {
  for (const std::string name : {"shape", "sleep", "spin", "sumsq"}) {
    INFO(name);
    const auto& kernel = *find_kernel(name);
    auto params = *check_params(kernel.info(), {});
    if (name == "sleep")
      params["ms"] = std::int64_t{0};
    auto run = *kernel.open(params, {}, 3);
    Bytes good;
    REQUIRE(run->run(0, 1, good).ok());
    for (std::size_t size = 0; size < 64; ++size) {
      const Bytes other(size);
      Bytes out;
      for (const auto& status :
           {run->merge(good, other, out), run->merge(other, good, out), run->finish(other, out)}) {
        CHECK(status.ok() == (size == good.size()));
        CHECK((status.ok() || status.error().code == "E711"));
      }
    }
  }
}

TEST_CASE("kernels that sample know how many without being told") {
  for (const std::string name : {"option", "pi"}) {
    const auto& kernel = *find_kernel(name);
    CHECK_FALSE(kernel.info().wants_items);
    const auto plan = kernel.plan(*check_params(kernel.info(), {}), 0, {});
    REQUIRE(plan.ok());
    CHECK(plan->items >= 1'000'000);
    CHECK(plan->items / plan->leaf_items >= 64);
  }
}

TEST_CASE("a result's type is its kernel's, or what its parameters made of it") {
  const auto type = [](const char* kernel, const Given& given) {
    return result_type(kernel, encode_params(*check_params(find_kernel(kernel)->info(), given)));
  };
  CHECK(type("sumsq", {}) == "text/plain");
  CHECK(type("pi", {}) == "application/json");
  CHECK(type("tiles", {}) == "image/png");
  CHECK(type("tiles", {{"format", "ppm"}}) == "image/x-portable-anymap");
  CHECK(result_type("tiles", view("{}")) == "image/png"); // Of another version, perhaps.
  CHECK(result_type("no such", view("{}")) == "application/octet-stream");
}
