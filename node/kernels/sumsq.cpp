#include "node/kernels/native.hpp"
#include "node/kernels/wide.hpp"

#include <algorithm>

// The sum of i^2 for i below N, exactly, item by item.
namespace tessera {
namespace {

// Four squares below 2^126 fit 128 bits, so that the wide sum is touched once for each four.
Wide squares(std::uint64_t begin, std::uint64_t end) {
  Wide sum;
  while (begin < end) {
    const auto stop = begin + std::min<std::uint64_t>(4, end - begin);
    u128 few = 0;
    for (; begin < stop; ++begin)
      few += u128(begin) * begin;
    sum += few;
  }
  return sum;
}

class SumsqRun : public KernelRun {
public:
  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override {
    put_wide(out, squares(begin, end));
    return Nothing{};
  }

  Status merge(ByteView left, ByteView right, Bytes& out) override {
    for (const auto& side : {left, right})
      if (side.size() != Wide::bytes)
        return bad_partial("sumsq", side.size(), "24 bytes");
    auto sum = get_wide(left);
    sum += get_wide(right);
    put_wide(out, sum);
    return Nothing{};
  }

  Status finish(ByteView partial, Bytes& out) override {
    if (partial.size() != Wide::bytes)
      return bad_partial("sumsq", partial.size(), "24 bytes");
    put(out, view(to_decimal(get_wide(partial))));
    return Nothing{};
  }
};

class Sumsq : public Kernel {
public:
  const KernelInfo& info() const override { return info_; }

  // About a thousand leaves, of at most about a millisecond.
  Result<Plan> plan(const Params&, std::uint64_t items, ByteView) const override {
    return plan_of_samples("sumsq", items, 1 << 20);
  }

  Result<std::unique_ptr<KernelRun>> open(const Params&, ByteView, std::uint64_t) const override {
    return std::unique_ptr<KernelRun>(std::make_unique<SumsqRun>());
  }

private:
  KernelInfo info_{.name = "sumsq",
                   .help = "the sum of i*i for i from 0 to items-1, exactly",
                   .params = {},
                   .result = "text/plain"};
};

} // namespace

const Kernel& sumsq_kernel() {
  static const Sumsq kernel;
  return kernel;
}

} // namespace tessera
