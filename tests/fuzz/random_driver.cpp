#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

// What feeds a fuzzer's entry where libFuzzer is not to be had: input from a seed, blind to
// coverage, and with no more than libFuzzer's own flags: -seed=, -runs=, -max_total_time=
// (seconds), -max_len=, or files to try again. Input n of seed s is always the same; one that
// breaks is written to ./crash-s-n.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" void __sanitizer_set_death_callback(void (*)()) __attribute__((weak));

namespace {

using Input = std::vector<std::uint8_t>;

struct Flags {
  std::uint64_t seed = 1, runs = 0, max_total_time = 0, max_len = 4096;
  std::vector<std::string> files;
};

Flags flags_of(int argc, char** argv) {
  Flags flags;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&](const std::string& name, std::uint64_t& to) {
      const bool is = word.starts_with("-" + name + "=");
      if (is)
        to = std::stoull(word.substr(name.size() + 2));
      return is;
    };
    if (!value("seed", flags.seed) && !value("runs", flags.runs) &&
        !value("max_total_time", flags.max_total_time) && !value("max_len", flags.max_len))
      flags.files.push_back(word);
  }
  return flags;
}

// Lengths and bytes small more often than large, stretches said twice, limits of integers.
class Source {
public:
  Source(std::uint64_t seed, std::uint64_t number) : rng_(seed * 0x9e3779b97f4a7c15 + number) {}

  Input input(std::size_t size_max) {
    Input input(std::min<std::size_t>(below(std::uint64_t{1} << below(16)), size_max));
    const auto style = below(4);
    for (auto& byte : input)
      byte = style == 0 ? rng_() : small();
    for (auto changes = input.empty() ? 0 : below(6); changes; --changes)
      change(input);
    return input;
  }

private:
  std::uint64_t below(std::uint64_t n) { return rng_() % n; }
  std::uint8_t small() {
    switch (below(4)) {
    case 0:
      return std::uint8_t(rng_());
    case 1:
      return std::uint8_t(0x20 + below(0x5f));
    default:
      return std::uint8_t(below(std::uint64_t{1} << below(8)));
    }
  }
  void change(Input& input) {
    const auto at = below(input.size());
    const auto size = std::min<std::size_t>(1 + below(32), input.size() - at);
    if (below(2)) { // A stretch from elsewhere.
      const auto from = below(input.size() - size + 1);
      const Input stretch(input.begin() + long(from), input.begin() + long(from + size));
      std::ranges::copy(stretch, input.begin() + long(at));
    } else {
      constexpr std::array<std::uint8_t, 4> limits{0x00, 0x7f, 0x80, 0xff};
      std::fill_n(input.begin() + long(at), std::min<std::size_t>(size, 8), limits[below(4)]);
    }
  }

  std::mt19937_64 rng_;
};

const Input* running = nullptr;
char crash_name[64];

// The process is lost anyway: it may call what a signal handler should not.
void keep_input() {
  if (!running)
    return;
  if (auto* file = std::fopen(crash_name, "wb")) {
    std::fwrite(running->data(), 1, running->size(), file);
    std::fclose(file);
  }
  std::fprintf(stderr, "\nthe input that broke is in %s\n", crash_name);
  running = nullptr;
}

void broke(int signal) {
  keep_input();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const Input& input) {
  running = &input;
  LLVMFuzzerTestOneInput(input.data(), input.size());
  running = nullptr;
}

} // namespace

int main(int argc, char** argv) {
  const auto flags = flags_of(argc, argv);
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL})
    std::signal(signal, broke);
  if (__sanitizer_set_death_callback)
    __sanitizer_set_death_callback(keep_input);

  for (const auto& name : flags.files) {
    std::snprintf(crash_name, sizeof crash_name, "%s", name.c_str());
    std::ifstream in{name, std::ios::binary};
    run({std::istreambuf_iterator<char>{in}, {}});
  }
  if (!flags.files.empty())
    return 0;

  const auto start = std::chrono::steady_clock::now();
  const auto over = [&](std::uint64_t n) {
    return (flags.runs && n == flags.runs) ||
           (flags.max_total_time &&
            std::chrono::steady_clock::now() - start >= std::chrono::seconds(flags.max_total_time));
  };
  std::uint64_t n = 0;
  for (; !over(n); ++n) {
    std::snprintf(crash_name, sizeof crash_name, "crash-%llu-%llu",
                  static_cast<unsigned long long>(flags.seed), static_cast<unsigned long long>(n));
    run(Source{flags.seed, n}.input(flags.max_len));
  }
  std::printf("%llu inputs of seed %llu\n", static_cast<unsigned long long>(n),
              static_cast<unsigned long long>(flags.seed));
}
