#include "node/kernels/native.hpp"

// Fixed work: a chain of integer operations that can be neither skipped nor vectorised.
namespace tessera {
namespace {

std::uint64_t spun(std::uint64_t item, std::int64_t work) {
  auto x = item + 0x9e3779b97f4a7c15;
  for (std::int64_t i = 0; i < work; ++i) {
    x ^= x >> 29;
    x *= 0xd6e8feb86659fd93; // Odd, so that no two chains meet.
  }
  return x;
}

class SpinRun : public CountingRun {
public:
  explicit SpinRun(std::int64_t work) : CountingRun("spin"), work_(work) {}

  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override {
    std::uint64_t sum = 0;
    for (auto item = begin; item < end; ++item)
      sum += spun(item, work_);
    put(out, sum);
    return Nothing{};
  }

private:
  std::int64_t work_;
};

class Spin : public Kernel {
public:
  const KernelInfo& info() const override { return info_; }

  Result<Plan> plan(const Params&, std::uint64_t items, ByteView) const override {
    if (auto checked = check_items("spin", items); !checked)
      return checked.error();
    return Plan{items, 1};
  }

  Result<std::unique_ptr<KernelRun>> open(const Params& params, ByteView,
                                          std::uint64_t) const override {
    return std::unique_ptr<KernelRun>(
        std::make_unique<SpinRun>(param<std::int64_t>(params, "work")));
  }

private:
  KernelInfo info_{.name = "spin",
                   .help = "the same fixed work for each item, to measure a mesh with",
                   .params = {{.name = "work",
                               .fallback = std::int64_t{500'000},
                               .help = "steps for each item; one takes about 2 ns",
                               .min = 0,
                               .max = 1e12,
                               .choices = {}}},
                   .result = "text/plain"};
};

} // namespace

const Kernel& spin_kernel() {
  static const Spin kernel;
  return kernel;
}

} // namespace tessera
