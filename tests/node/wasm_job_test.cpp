#include "node/wasm/job.hpp"

#include <doctest/doctest.h>

using namespace tessera;
using namespace tessera::wasm;

namespace {

constexpr std::uint64_t MiB = 1 << 20;

Params given(std::map<std::string, std::string> texts) {
  auto params = check_params(module_info(), texts);
  REQUIRE(params);
  return *params;
}

Settings settings(std::map<std::string, std::string> texts) {
  auto made = settings_of(given(std::move(texts)));
  REQUIRE(made);
  return *made;
}

template<class T>
std::string code(const Result<T>& plan) {
  return plan ? "" : plan.error().code;
}

} // namespace

TEST_CASE("what is not said is as the limits have it") {
  const auto s = settings({});
  CHECK(s.limits.memory_bytes == Limits{}.memory_bytes);
  CHECK(s.limits.output_bytes == Limits{}.output_bytes);
  CHECK(s.limits.fuel == 0);
  CHECK(s.merge.kind() == Merge::Kind::concat);
  CHECK_FALSE(s.strict_nans);
  CHECK(s.call_time == std::chrono::seconds(30));
}

TEST_CASE("what is said arrives, through the spec's bytes") {
  const auto params = given({{"name", "my\ntask.wasm"},
                             {"memory", "65536"},
                             {"output", "5"},
                             {"fuel", "7"},
                             {"time", "1000"},
                             {"compile_time", "2000"},
                             {"record", "3"},
                             {"merge", "topk_f64:9"},
                             {"nan", "strict"}});
  const auto s = settings_of("wasm-64m", encode_params(params));
  REQUIRE(s);
  CHECK(s->name.find('\n') == std::string::npos);
  CHECK(s->limits.memory_bytes == 65536);
  CHECK(s->limits.output_bytes == 5);
  CHECK(s->limits.fuel == 7);
  CHECK(s->call_time == std::chrono::seconds(1));
  CHECK(s->compile_time == std::chrono::seconds(2));
  CHECK(s->record_bytes == 3);
  CHECK(s->merge.name() == "topk_f64:9");
  CHECK(s->strict_nans);
}

TEST_CASE("a spec in the wrong class, or not canonical, is E420; an unknown merge E426") {
  const auto small = encode_params(given({{"memory", "65536"}}));
  CHECK(settings_of("wasm-64m", small));
  CHECK(settings_of("wasm", small).error().code == "E420");
  CHECK(settings_of("wasm-1g", small).error().code == "E420");
  CHECK(settings_of("wasm", to_bytes(view("{}"))).error().code == "E420");
  CHECK(settings_of(given({{"merge", "avg"}})).error().code == "E426");
}

TEST_CASE("a node announces the classes for which its workers have room") {
  CHECK(kernels_for(383 * MiB).empty());
  CHECK(kernels_for(384 * MiB) == std::vector<std::string>{"wasm-64m@2"});
  CHECK(kernels_for(1024 * MiB) == std::vector<std::string>{"wasm-64m@2", "wasm@2"});
  CHECK(kernels_for(std::uint64_t{16} << 30).size() == classes().size());
  for (const auto& c : classes()) {
    CHECK(is_module_kernel(c.kernel));
    Limits limits;
    limits.memory_bytes = c.memory_bytes;
    CHECK(class_for(limits).kernel == c.kernel);
  }
  CHECK_FALSE(is_module_kernel("wasm-2g"));
  CHECK_FALSE(is_module_kernel("sumsq"));
}

TEST_CASE("a job has at most 2^16 leaves, unless it says so") {
  const auto s = settings({});
  CHECK(plan(s, 1, {})->leaf_items == 1);
  CHECK(plan(s, 65536, {})->leaf_items == 1);
  CHECK(plan(s, 65537, {})->leaf_items == 2);
  CHECK(plan(s, std::uint64_t{1} << 63, {})->leaf_items == std::uint64_t{1} << 47);
  CHECK(code(plan(s, 0, {})) == "E421");
  CHECK(code(plan(s, (std::uint64_t{1} << 63) + 1, {})) == "E421");
}

TEST_CASE("records count themselves") {
  const auto s = settings({{"record", "10"}});
  CHECK(plan(s, 0, 100)->items == 10);
  CHECK(plan(s, 0, 101)->items == 11);
  CHECK(plan(s, 11, 101)->items == 11);
  CHECK(code(plan(s, 10, 101)) == "E421");
  CHECK(code(plan(s, 0, 0)) == "E421");
  CHECK(code(plan(s, 5, {})) == "E422");
}

TEST_CASE("rounds want a step, and leave a range no input") {
  const auto s = settings({}), records = settings({{"record", "10"}});
  Abi abi;
  CHECK(code(check_rounds(s, abi, false)) == "E503");
  abi.steps = true;
  CHECK(check_rounds(s, abi, false).ok());
  CHECK(code(check_rounds(s, abi, true)) == "E422");
  CHECK(check_rounds(records, abi, true).ok());
}
