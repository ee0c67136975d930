#include "node/kernels/kernel.hpp"
#include "node/kernels/picture.hpp"
#include "node/kernels/points.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <random>
#include <string>

// What the kernels do in one process, without a mesh: processor time, the median of five runs that
// take turns. build/release/tests/kernels_bench
using namespace tessera;

namespace {

double now() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}

struct Row {
  const char* name;
  double amount; // Of what is done.
  const char* unit;
  std::function<void()> work;
};

void measure(const std::vector<Row>& rows) {
  std::vector<std::vector<double>> times(rows.size());
  for (int round = 0; round < 5; ++round)
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto start = now();
      rows[i].work();
      times[i].push_back(now() - start);
    }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::sort(times[i].begin(), times[i].end());
    std::printf("%-44s %8.1f M%s/s  %7.1f ms\n", rows[i].name, rows[i].amount / times[i][2] / 1e6,
                rows[i].unit, times[i][2] * 1e3);
  }
}

volatile std::uint64_t kept; // So that nothing is left out.

// What one would write without a mesh.
template<class Random>
void plain_pi(Random random, std::uint64_t samples) {
  std::uint64_t hits = 0;
  for (std::uint64_t i = 0; i < samples; ++i) {
    const auto x = double(random() >> 11) * 0x1p-53, y = double(random() >> 11) * 0x1p-53;
    hits += x * x + y * y < 1;
  }
  kept = hits;
}

struct Xorshift128 { // Vigna's xorshift128+: about the fastest that is common.
  std::uint64_t a = 1, b = 2;
  std::uint64_t operator()() {
    auto x = a;
    const auto y = b;
    a = y;
    x ^= x << 23;
    b = x ^ y ^ (x >> 17) ^ (y >> 26);
    return b + y;
  }
};

// All leaves of a job, without merges.
std::function<void()> leaves(const char* name, const std::map<std::string, std::string>& given,
                             std::uint64_t items, ByteView input = {}) {
  const auto& kernel = *find_kernel(name);
  const auto params = *check_params(kernel.info(), given);
  const auto plan =
      *kernel.plan(params, items, input.first(std::min<std::size_t>(64, input.size())));
  std::shared_ptr<KernelRun> run = *kernel.open(params, input, plan.items);
  return [run, plan] {
    Bytes out;
    for (std::uint64_t at = 0; at < plan.items; at += plan.leaf_items) {
      out.clear();
      (void)run->run(at, std::min(plan.items, at + plan.leaf_items), out);
    }
  };
}

std::function<void()> finish(const std::map<std::string, std::string>& given, ByteView input) {
  const auto& kernel = *find_kernel("tiles");
  const auto params = *check_params(kernel.info(), given);
  std::shared_ptr<KernelRun> run = *kernel.open(params, input, 100);
  auto tiles = std::make_shared<Bytes>();
  (void)run->run(0, 100, *tiles);
  return [run, tiles] {
    Bytes out;
    (void)run->finish(*tiles, out);
  };
}

Bytes prepared(const char* kernel, ByteView file) {
  Bytes out;
  (void)find_kernel(kernel)->prepare(*check_params(find_kernel(kernel)->info(), {}), file, out);
  return out;
}

// Slopes with a little noise, as a photograph has.
Bytes picture(std::uint32_t side) {
  const auto head = "P6 " + std::to_string(side) + " " + std::to_string(side) + " 255\n";
  auto file = to_bytes(view(head));
  std::mt19937 rng(1);
  for (std::uint32_t y = 0; y < side; ++y)
    for (std::uint32_t x = 0; x < side; ++x)
      for (std::uint32_t c = 0; c < 3; ++c)
        file.push_back(std::uint8_t((x + y + 40 * c) * 100 / side + rng() % 4));
  return file;
}

Bytes text(std::size_t bytes) { // Words as seldom as in a language: Zipf's law, roughly.
  std::mt19937_64 rng(1);
  std::string out;
  while (out.size() < bytes) {
    auto rank = std::uint64_t{1} << rng() % 16;
    for (rank += rng() % rank; rank > 0; rank /= 21)
      out += char('a' + rank % 21);
    out += ' ';
  }
  return to_bytes(view(out));
}

} // namespace

int main() {
  constexpr std::uint64_t points = 50'000'000, paths = 4'000'000;
  std::printf("registers of pi: %s\n", has_avx2() ? "AVX2" : "SSE2");
  measure({{"pi", double(points), "samples", [] { kept = points_in_circle(1, 0, points); }},
           {"pi, SSE2", double(points), "samples", [] { kept = in_circle_sse2(1, 0, points); }},
           {"pi, plain loop of xorshift128+", double(points), "samples",
            [] { plain_pi(Xorshift128{}, points); }},
           {"pi, plain loop of std::mt19937_64", double(points), "samples",
            [] { plain_pi(std::mt19937_64(1), points); }},
           {"option, antithetic", double(paths), "paths", leaves("option", {}, paths)},
           {"option", double(paths), "paths", leaves("option", {{"antithetic", "no"}}, paths)}});
  const auto words = prepared("wordcount", text(32 << 20));
  measure({{"wordcount", double(words.size()), "B", leaves("wordcount", {}, 0, words)}});
  constexpr std::uint32_t side = 4000;
  const auto file = picture(side);
  const auto raw = prepared("tiles", file);
  const auto pixels = double(side) * side;
  const auto tiles = [&](const char* op) {
    return leaves("tiles", {{"op", op}, {"tiles", "100"}}, 0, raw);
  };
  measure({{"tiles: a PPM is read", pixels, "pixels", [&] { (void)prepared("tiles", file); }},
           {"tiles: gauss, sigma 3", pixels, "pixels", tiles("gauss")},
           {"tiles: box, radius 4", pixels, "pixels", tiles("box")},
           {"tiles: sharpen", pixels, "pixels", tiles("sharpen")},
           {"tiles: edge", pixels, "pixels", tiles("edge")},
           {"tiles: a PPM is written", pixels, "pixels",
            finish({{"tiles", "100"}, {"op", "invert"}, {"format", "ppm"}}, raw)},
           {"tiles: a PNG is written, level 1", pixels, "pixels",
            finish({{"tiles", "100"}, {"op", "invert"}, {"level", "1"}}, raw)},
           {"tiles: a PNG is written, level 2", pixels, "pixels",
            finish({{"tiles", "100"}, {"op", "invert"}}, raw)}});
}
