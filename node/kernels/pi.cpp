#include "node/kernels/estimate.hpp"
#include "node/kernels/native.hpp"
#include "node/kernels/points.hpp"

#include <cmath>

// pi, from random points of the unit square: how many of them the quarter circle holds. Hits are
// whole numbers, so a merge loses nothing.
namespace tessera {
namespace {

constexpr std::uint64_t items_by_default = 100'000'000;

class PiRun : public KernelRun {
public:
  PiRun(std::uint64_t seed, std::uint64_t items) : seed_(seed), items_(items) {}

  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override {
    put(out, points_in_circle(seed_, begin, end));
    return Nothing{};
  }

  Status merge(ByteView left, ByteView right, Bytes& out) override {
    for (const auto& side : {left, right})
      if (auto checked = check(side); !checked)
        return checked;
    const auto a = get<std::uint64_t>(left, 0), b = get<std::uint64_t>(right, 0);
    if (a > items_ - b)
      return impossible(left.size() + right.size());
    put(out, a + b);
    return Nothing{};
  }

  Status finish(ByteView partial, Bytes& out) override {
    if (auto checked = check(partial); !checked)
      return checked;
    const auto hits = get<std::uint64_t>(partial, 0);
    OrderedJson json;
    put_estimate(json, "pi", 4 * share(hits), error(hits));
    json["samples"] = items_;
    json["hits"] = hits;
    put(out, view(json.dump() + "\n"));
    return Nothing{};
  }

private:
  double share(std::uint64_t hits) const { return double(hits) / double(items_); }
  std::optional<double> error(std::uint64_t hits) const {
    if (items_ < 2)
      return std::nullopt;
    const auto p = share(hits);
    return 4 * std::sqrt(p * (1 - p) / double(items_ - 1));
  }

  Error impossible(std::size_t size) const {
    return bad_partial("pi", size, "8 bytes that tell of at most " + std::to_string(items_));
  }
  Status check(ByteView partial) const {
    if (partial.size() == 8 && get<std::uint64_t>(partial, 0) <= items_)
      return Nothing{};
    return impossible(partial.size());
  }

  std::uint64_t seed_, items_;
};

class Pi : public Kernel {
public:
  const KernelInfo& info() const override { return info_; }

  // About a thousand leaves, of at most about a millisecond.
  Result<Plan> plan(const Params&, std::uint64_t items, ByteView) const override {
    return plan_of_samples("pi", items ? items : items_by_default, 1 << 20);
  }

  Result<std::unique_ptr<KernelRun>> open(const Params& params, ByteView,
                                          std::uint64_t items) const override {
    return std::unique_ptr<KernelRun>(
        std::make_unique<PiRun>(std::uint64_t(param<std::int64_t>(params, "seed")), items));
  }

private:
  KernelInfo info_{.name = "pi",
                   .help = "pi by random points; --items says how many, by default 100 million",
                   .params = {seed_param()},
                   .wants_items = false,
                   .result = "application/json"};
};

} // namespace

const Kernel& pi_kernel() {
  static const Pi kernel;
  return kernel;
}

} // namespace tessera
