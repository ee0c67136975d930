#include "node/kernels/kernel.hpp"
#include "tests/fuzz/words.hpp"
#include "tests/net/random_message.hpp"

// A job's spec as a submitter may seal it, then its parameters and its plan as a node makes them
// from it. Input: 0 or 1 (a spec's body; parameters), the kernel's number, then the bytes.
namespace {

using namespace tessera;
using fuzz::must;

struct Peer {
  Identity self = Identity::from_seed(Secret<32>{{7}});
  MeshId mesh = digest_of(view("fuzzed mesh"));
  Codec codec{self, mesh};
};

const Peer& peer() {
  static const Peer it;
  return it;
}

void check_params(const Kernel& kernel, ByteView encoded, std::uint64_t items) {
  const auto params = decode_params(kernel.info(), encoded);
  if (!params) {
    must(!params.error().code.empty() && !params.error().what.empty());
    return;
  }
  must(params->size() == kernel.info().params.size());
  must(encode_params(*params) == to_bytes(encoded)); // One job, one spelling.
  const auto plan = kernel.plan(*params, items, Bytes(64, 1));
  must(!plan || (plan->items >= 1 && plan->items <= std::uint64_t{1} << 63));
  must(!plan || plan->leaf_items >= 1);
}

void check_spec(const SignedSpec& spec) {
  const auto& s = spec.spec;
  must(s.submitter == peer().self.id() && s.params.size() <= params_bytes_max);
  must(s.items >= 1 && s.leaf_items >= 1 && s.leaves() >= 1);
  const auto again = peer().codec.open_spec(peer().codec.seal_spec(s)->seal);
  must(again && again->spec == s);
  if (const auto* known = find_kernel(s.kernel))
    check_params(*known, s.params, s.items);
}

} // namespace

std::vector<Bytes> tessera::fuzz::seeds() {
  std::vector<Bytes> all;
  for (std::uint8_t n = 0; n != kernels().size(); ++n) {
    const auto& info = kernels()[n]->info();
    auto good = RandomMessage{peer().self, peer().codec, n}.spec();
    good.kernel = info.name;
    good.kernel_version = info.version;
    good.params = encode_params(*check_params(info, {}));
    all.push_back(seed({0, n}, peer().codec.seal_spec(good)->seal.body));
    all.push_back(seed({1, n}, good.params));
  }
  return all;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max, unsigned seed) {
  if (size > 2 && data[0] % 2 == 0)
    return fuzz::mutated_words(data, size, max, seed, 2);
  return LLVMFuzzerMutate(data, size, max);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{{data, size}};
  const auto kind = input.byte() % 2;
  const auto& kernel = *kernels()[input.byte() % kernels().size()];
  if (kind == 1)
    return check_params(kernel, input.rest, 100), 0;
  const auto& [self, mesh, codec] = peer();
  if (const auto spec = codec.open_spec(seal(self, mesh, SealType::spec, to_bytes(input.rest))))
    check_spec(*spec);
  return 0;
}
