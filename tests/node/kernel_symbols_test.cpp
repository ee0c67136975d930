#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <regex>
#include <set>
#include <string>

// What the kernels' library wants from outside: nothing of libm whose bits depend on the CPU.
namespace {

std::set<std::string> undefined_in(const std::string& file, const char* options) {
  const auto command = std::string("nm ") + options + " '" + file + "' 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> nm(::popen(command.c_str(), "r"), ::pclose);
  REQUIRE(nm);
  std::set<std::string> symbols;
  char line[4096];
  const std::regex undefined(R"(^\s+U ([A-Za-z0-9_]+))");
  while (std::fgets(line, sizeof line, nm.get()))
    if (std::cmatch m; std::regex_search(line, m, undefined))
      symbols.insert(m[1]);
  return symbols;
}

// exp, expf, expl, __exp_finite, _ZGVbN2v_exp and their kind. Roots and roundings are exact.
bool is_transcendental(const std::string& symbol) {
  static const std::regex name(
      "(__|_ZGV[a-zA-Z0-9]*_)?"
      "(exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|pow10|sin|cos|tan|sincos|asin|acos|atan|"
      "atan2|sinh|cosh|tanh|asinh|acosh|atanh|cbrt|hypot|erf|erfc|lgamma|tgamma|gamma|[jy][01n])"
      "(f|l|f32|f64|f128|_r)?(_finite)?");
  return std::regex_match(symbol, name);
}

} // namespace

TEST_CASE("no kernel calls a transcendental function of libm") {
  const auto symbols = undefined_in(KERNELS_LIBRARY, "-u");
  if (symbols.empty()) {
    MESSAGE(std::string("SKIPPED: no nm here (Debian: binutils)"));
    return;
  }
  REQUIRE(symbols.contains("memcpy")); // It was read.
  for (const auto& symbol : symbols) {
    INFO(symbol);
    CHECK_FALSE(is_transcendental(symbol));
  }
}

TEST_CASE("the check sees a call, and what is harmless passes") {
  volatile double x = 0.5;
  CHECK(std::exp(x) > 1); // So that this program calls it.
  const auto symbols = undefined_in(std::filesystem::read_symlink("/proc/self/exe"), "-uD");
  if (symbols.empty())
    return;
  CHECK(symbols.contains("exp"));
  for (const char* bad : {"exp", "logf", "powl", "__exp_finite", "_ZGVbN2v_sin", "sincos"})
    CHECK(is_transcendental(bad));
  for (const char* good : {"sqrt", "sqrtf", "ceil", "expect", "logger", "memcpy", "png_sin"})
    CHECK_FALSE(is_transcendental(good));
}
