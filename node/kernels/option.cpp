#include "node/kernels/estimate.hpp"
#include "node/kernels/moments.hpp"
#include "node/kernels/native.hpp"
#include "node/kernels/normal.hpp"
#include "node/kernels/philox.hpp"

#include <algorithm>

// What a European option is worth: the discounted mean of what it pays at the ends of random paths
// (geometric Brownian motion, Black and Scholes 1973). Path i needs one normal number: half i % 2
// of Philox's block i / 2.
namespace tessera {
namespace {

constexpr std::uint64_t items_by_default = 10'000'000;
constexpr std::size_t paths_a_chunk = 256; // What fits the first cache; part of the result's bits.

struct Contract {
  double spot, strike, rate, volatility, years, dividend;
  bool call, antithetic;
  std::uint64_t seed;

  explicit Contract(const Params& params)
      : spot(param<double>(params, "spot")), strike(param<double>(params, "strike")),
        rate(param<double>(params, "rate")), volatility(param<double>(params, "volatility")),
        years(param<double>(params, "years")), dividend(param<double>(params, "dividend")),
        call(param<std::string>(params, "type") == "call"),
        antithetic(param<std::string>(params, "antithetic") == "yes"),
        seed(std::uint64_t(param<std::int64_t>(params, "seed"))) {}

  double discount() const { return exp_of(-rate * years); }
};

class Paths {
public:
  explicit Paths(const Contract& c)
      : random_(c.seed), spot_(c.spot), strike_(c.strike), call_(c.call), antithetic_(c.antithetic),
        spread_(c.volatility * std::sqrt(c.years)),
        drift_((c.rate - c.dividend) * c.years - spread_ * spread_ / 2) {}

  // What paths 2 * block and the next one pay; with antithetic, each the mean of its own and that
  // of its mirror.
  Pair payoffs(std::uint64_t block) const {
    const auto w = random_(block);
    const auto u = [&](int low) { return open_uniform(w[low] | std::uint64_t(w[low + 1]) << 32); };
    const auto z = normal_quantile(Pair{u(0), u(2)});
    return antithetic_ ? (paid(z) + paid(-z)) * 0.5 : paid(z);
  }

private:
  Pair paid(Pair z) const {
    const auto end = spot_ * exp_of(drift_ + spread_ * z);
    const auto gain = call_ ? end - strike_ : strike_ - end;
    return gain > 0.0 ? gain : both(0);
  }

  Philox random_;
  double spot_, strike_;
  bool call_, antithetic_;
  double spread_, drift_;
};

class OptionRun : public KernelRun {
public:
  OptionRun(const Contract& contract, std::uint64_t items)
      : contract_(contract), paths_(contract), items_(items) {}

  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override {
    Moments all;
    while (begin < end) {
      const auto stop = begin + std::min<std::uint64_t>(paths_a_chunk, end - begin);
      all = merged(all, chunk(begin, stop));
      begin = stop;
    }
    put_moments(out, all);
    return Nothing{};
  }

  Status merge(ByteView left, ByteView right, Bytes& out) override {
    const auto a = get_moments(left, items_), b = get_moments(right, items_);
    if (!a || !b || a->count > items_ - b->count)
      return impossible(a ? right.size() : left.size());
    put_moments(out, merged(*a, *b));
    return Nothing{};
  }

  Status finish(ByteView partial, Bytes& out) override {
    const auto moments = get_moments(partial, items_);
    if (!moments || moments->count != items_)
      return impossible(partial.size());
    const auto discount = contract_.discount();
    auto error = standard_error(*moments);
    if (error)
      *error *= discount;
    OrderedJson json;
    json["type"] = contract_.call ? "call" : "put";
    put_estimate(json, "price", discount * moments->mean, error);
    json["paths"] = items_;
    json["antithetic"] = contract_.antithetic;
    put(out, view(json.dump() + "\n"));
    return Nothing{};
  }

private:
  Moments chunk(std::uint64_t begin, std::uint64_t end) const {
    double paid[paths_a_chunk + 2];
    std::size_t count = 0;
    for (auto block = begin / 2; 2 * block < end; ++block, count += 2) {
      const auto pair = paths_.payoffs(block);
      paid[count] = pair[0], paid[count + 1] = pair[1];
    }
    return moments_of(paid + begin % 2, std::size_t(end - begin));
  }

  Error impossible(std::size_t size) const {
    return bad_partial("option", size,
                       "the moments of at most " + std::to_string(items_) + " payoffs in 24 bytes");
  }

  Contract contract_;
  Paths paths_;
  std::uint64_t items_;
};

class Option : public Kernel {
public:
  const KernelInfo& info() const override { return info_; }

  // About a thousand leaves, of at most about a millisecond.
  Result<Plan> plan(const Params&, std::uint64_t items, ByteView) const override {
    return plan_of_samples("option", items ? items : items_by_default, 1 << 15);
  }

  Result<std::unique_ptr<KernelRun>> open(const Params& params, ByteView,
                                          std::uint64_t items) const override {
    return std::unique_ptr<KernelRun>(std::make_unique<OptionRun>(Contract(params), items));
  }

private:
  static ParamSpec real(const char* name, double fallback, const char* help, double min,
                        double max) {
    return {name, fallback, help, min, max, {}};
  }
  static ParamSpec one_of(const char* name, const char* help, std::vector<std::string> choices) {
    return {name, choices.front(), help, 0, 0, std::move(choices)};
  }

  // Bounds keep each path's end, and the square of it, far from what a double cannot hold.
  KernelInfo info_{
      .name = "option",
      .help = "the price of a European option by Monte Carlo; --items says how many paths, by "
              "default 10 million",
      .params = {one_of("type", "the right to buy, or to sell", {"call", "put"}),
                 real("spot", 100, "price of the underlying now", 0, 1e12),
                 real("strike", 100, "price agreed upon", 0, 1e12),
                 real("rate", 0.05, "risk-free interest a year, continuously compounded", -1, 1),
                 real("volatility", 0.2, "of the underlying, a year", 0, 10),
                 real("years", 1, "until it expires", 0, 100),
                 real("dividend", 0, "yield of the underlying a year, continuous", -1, 1),
                 one_of("antithetic", "pair each path with its mirror", {"yes", "no"}),
                 seed_param()},
      .wants_items = false,
      .result = "application/json"};
};

} // namespace

const Kernel& option_kernel() {
  static const Option kernel;
  return kernel;
}

} // namespace tessera
