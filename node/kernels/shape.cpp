#include "crypto/digest.hpp"
#include "node/kernels/native.hpp"

// A leaf is the hash of its cut, a merge the hash of its two sides: one leaf lost, doubled, swapped
// or cut elsewhere changes the result.
namespace tessera {
namespace {

constexpr std::size_t digest_bytes = sizeof(Digest::bytes);

class ShapeRun : public KernelRun {
public:
  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override {
    Bytes cut;
    put(cut, begin);
    put(cut, end);
    put(out, digest_of("tessera shape leaf", {cut}).view());
    return Nothing{};
  }

  Status merge(ByteView left, ByteView right, Bytes& out) override {
    for (const auto& side : {left, right})
      if (side.size() != digest_bytes)
        return bad_partial("shape", side.size(), "32 bytes");
    put(out, digest_of("tessera shape merge", {left, right}).view());
    return Nothing{};
  }

  Status finish(ByteView partial, Bytes& out) override {
    if (partial.size() != digest_bytes)
      return bad_partial("shape", partial.size(), "32 bytes");
    put(out, view(to_hex(partial)));
    return Nothing{};
  }
};

class Shape : public Kernel {
public:
  const KernelInfo& info() const override { return info_; }

  Result<Plan> plan(const Params&, std::uint64_t items, ByteView) const override {
    if (auto checked = check_items("shape", items); !checked)
      return checked.error();
    return Plan{items, 1};
  }

  Result<std::unique_ptr<KernelRun>> open(const Params&, ByteView, std::uint64_t) const override {
    return std::unique_ptr<KernelRun>(std::make_unique<ShapeRun>());
  }

private:
  KernelInfo info_{.name = "shape",
                   .help = "a hash of the merge tree itself: shows any error of order or cut",
                   .params = {},
                   .result = "text/plain"};
};

} // namespace

const Kernel& shape_kernel() {
  static const Shape kernel;
  return kernel;
}

} // namespace tessera
