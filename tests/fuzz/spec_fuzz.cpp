#include "node/kernels/kernel.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/net/random_message.hpp"

// A job's spec as a submitter may seal it, then its parameters and its plan as a node makes them
// from it. Input: 0 to 2 (damaged spec of a native kernel, any bytes, edited parameters), the
// kernel's number, a seed, then the damage, the bytes, or the edits.
namespace {

using namespace tessera;
using fuzz::must;

void check_params(const Kernel& kernel, const JobSpec& spec) {
  const auto params = decode_params(kernel.info(), spec.params);
  if (!params) {
    must(!params.error().code.empty() && !params.error().what.empty());
    return;
  }
  must(params->size() == kernel.info().params.size());
  const auto bytes = encode_params(*params);
  const auto again = decode_params(kernel.info(), bytes);
  must(again.ok() && *again == *params && encode_params(*again) == bytes);
  const auto plan = kernel.plan(*params, spec.items, Bytes(64, 1));
  must(!plan || (plan->items >= 1 && plan->items <= std::uint64_t{1} << 63));
  must(!plan || plan->leaf_items >= 1);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto self = Identity::from_seed(Secret<32>{{7}});
  static const auto mesh = digest_of(view("fuzzed mesh"));
  static const Codec codec{self, mesh};
  fuzz::Input input{{data, size}};
  const auto kind = input.byte() % 3;
  const auto& kernel = *kernels()[input.byte() % kernels().size()];
  auto good = RandomMessage{self, codec, input.byte()}.spec();
  good.kernel = kernel.info().name;
  good.kernel_version = kernel.info().version;
  good.params = encode_params(*tessera::check_params(kernel.info(), {}));
  if (kind == 2) {
    good.params = to_bytes(view(fuzz::edited(std::string{text_of(good.params)}, input)));
    return check_params(kernel, good), 0;
  }
  const auto body =
      kind == 1 ? to_bytes(input.rest) : fuzz::damaged(codec.seal_spec(good)->seal.body, input);
  const auto spec = codec.open_spec(seal(self, mesh, SealType::spec, body));
  if (!spec)
    return 0;
  const auto& s = spec->spec;
  must(s.submitter == self.id() && s.params.size() <= params_bytes_max);
  must(s.items >= 1 && s.leaf_items >= 1 && s.leaves() >= 1);
  const auto again = codec.open_spec(codec.seal_spec(s)->seal);
  must(again && again->spec == s);
  if (const auto* known = find_kernel(s.kernel))
    check_params(*known, s);
  return 0;
}
