#include "node/kernels/native.hpp"
#include "node/kernels/nearest.hpp"

namespace tessera {

Status KernelRun::finish(ByteView partial, Bytes& out) {
  put(out, partial);
  return Nothing{};
}

Status Kernel::prepare(const Params&, ByteView input, Bytes& out) const {
  put(out, input);
  return Nothing{};
}

const std::vector<const Kernel*>& kernels() {
  static const std::vector<const Kernel*> all{
      &each_kernel(),  &filter_kernel(), &mandelbrot_kernel(), &option_kernel(),
      &pi_kernel(),    &shape_kernel(),  &sleep_kernel(),      &spin_kernel(),
      &sumsq_kernel(), &tiles_kernel(),  &wordcount_kernel(),
  };
  return all;
}

const Kernel* find_kernel(const std::string& name) {
  for (const auto* kernel : kernels())
    if (kernel->info().name == name)
      return kernel;
  return nullptr;
}

std::string result_type(const std::string& kernel, ByteView encoded_params) {
  const auto* known = find_kernel(kernel);
  if (!known)
    return "application/octet-stream";
  const auto params = decode_params(known->info(), encoded_params);
  return params ? known->result_type(*params) : known->info().result;
}

std::string nearest_kernel(const std::string& name) {
  std::vector<std::string> names;
  for (const auto* kernel : kernels())
    names.push_back(kernel->info().name);
  return nearest(name, names);
}

} // namespace tessera
