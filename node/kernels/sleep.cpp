#include "node/kernels/native.hpp"

#include <chrono>
#include <thread>

// Time without work: many slots on few cores.
namespace tessera {
namespace {

class SleepRun : public CountingRun {
public:
  explicit SleepRun(std::chrono::milliseconds nap) : CountingRun("sleep"), nap_(nap) {}

  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override {
    for (auto item = begin; item < end; ++item)
      std::this_thread::sleep_for(nap_);
    put(out, end - begin);
    return Nothing{};
  }

private:
  std::chrono::milliseconds nap_;
};

class Sleep : public Kernel {
public:
  const KernelInfo& info() const override { return info_; }

  Result<Plan> plan(const Params&, std::uint64_t items, ByteView) const override {
    if (auto checked = check_items("sleep", items); !checked)
      return checked.error();
    return Plan{items, 1};
  }

  Result<std::unique_ptr<KernelRun>> open(const Params& params, ByteView,
                                          std::uint64_t) const override {
    const std::chrono::milliseconds nap{param<std::int64_t>(params, "ms")};
    return std::unique_ptr<KernelRun>(std::make_unique<SleepRun>(nap));
  }

private:
  KernelInfo info_{.name = "sleep",
                   .help = "sleeps for each item, and counts them",
                   .params = {{.name = "ms",
                               .fallback = std::int64_t{10},
                               .help = "milliseconds for each item",
                               .min = 0,
                               .max = 3'600'000,
                               .choices = {}}},
                   .result = "text/plain"};
};

} // namespace

const Kernel& sleep_kernel() {
  static const Sleep kernel;
  return kernel;
}

} // namespace tessera
