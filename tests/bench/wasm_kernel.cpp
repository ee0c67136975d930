#include "node/worker/wasm/module_run.hpp"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <limits>

// The host of one module of the suite, as wasm_suite/native.c is of its native twin:
// wasm_kernel_bench MODULE ITEMS [ROUNDS [strict]] calls run over [0, ITEMS), and prints the
// fastest round's nanoseconds of CPU time and the u64 that it wrote: "NS TOTAL".
namespace {

using namespace tessera;
using namespace tessera::wasm;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

double now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return double(t.tv_sec) * 1e9 + double(t.tv_nsec);
}

std::shared_ptr<Module> compiled(Engine& engine, const char* path, bool strict) {
  std::ifstream in{path, std::ios::binary};
  const Bytes bytes{std::istreambuf_iterator<char>{in}, {}};
  auto module = Module::compile(engine, path, bytes, {}, {strict, false});
  if (!module)
    give_up(to_text(module.error()));
  return *module;
}

// The first call of an instance finds its pages untouched: it is not timed.
double fastest_ns(ModuleRun& run, std::uint64_t items, int rounds, Bytes& out) {
  auto best = std::numeric_limits<double>::max();
  for (int round = -1; round != rounds; ++round) {
    out.clear();
    const auto start = now_ns();
    if (const auto ran = run.run(0, round < 0 ? 1 : items, out); !ran)
      give_up(to_text(ran.error()));
    if (round >= 0)
      best = std::min(best, now_ns() - start);
  }
  return best;
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 3)
    give_up("usage: wasm_kernel_bench MODULE ITEMS [ROUNDS [strict]]");
  const bool strict = argc > 4;
  Engine engine;
  ModuleRun run{compiled(engine, argv[1], strict), {.strict_nans = strict}};
  Bytes out;
  const auto ns =
      fastest_ns(run, std::strtoull(argv[2], nullptr, 10), argc > 3 ? std::atoi(argv[3]) : 1, out);
  if (out.size() != 8)
    give_up("a kernel of the suite writes one u64");
  std::printf("%.0f ", ns);
  for (int i = 7; i >= 0; --i)
    std::printf("%02x", out[std::size_t(i)]);
  std::printf("%s\n", run.totals().calls_again ? " again" : "");
}
