#pragma once

#include "crypto/little_endian.hpp"
#include "node/kernels/kernel.hpp"

// The native kernels, one file each, and what they share.
namespace tessera {

const Kernel& each_kernel();
const Kernel& filter_kernel();
const Kernel& mandelbrot_kernel();
const Kernel& option_kernel();
const Kernel& pi_kernel();
const Kernel& shape_kernel();
const Kernel& sleep_kernel();
const Kernel& spin_kernel();
const Kernel& sumsq_kernel();
const Kernel& tiles_kernel();
const Kernel& wordcount_kernel();

inline constexpr std::uint64_t items_max = std::uint64_t{1} << 63;

// A parameter that check_params has put there.
template<class T>
T param(const Params& params, const char* name) {
  return std::get<T>(params.at(name));
}

// E421 unless `items` is in 1 ... 2^63.
Status check_items(const std::string& kernel, std::uint64_t items);

// About a thousand leaves of at most `leaf_most` items each. E421.
Result<Plan> plan_of_samples(const std::string& kernel, std::uint64_t items,
                             std::uint64_t leaf_most);

// What makes another choice of random numbers: a whole number below 2^53.
ParamSpec seed_param();

// For kernels that know their own count: E421 when another one is asked for.
Status check_derived_items(const std::string& kernel, std::uint64_t asked, std::uint64_t derived);

// E711: bytes that this kernel cannot have made.
Error bad_partial(const std::string& kernel, std::size_t size, const std::string& expected);

// Partials that are one u64, summed modulo 2^64; the result is its decimal text.
class CountingRun : public KernelRun {
public:
  explicit CountingRun(std::string kernel) : kernel_(std::move(kernel)) {}
  Status merge(ByteView left, ByteView right, Bytes& out) final;
  Status finish(ByteView partial, Bytes& out) final;

private:
  std::string kernel_;
};

} // namespace tessera
