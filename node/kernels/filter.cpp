#include "node/kernels/native.hpp"
#include "node/kernels/tile_run.hpp"

// Filters a photograph, in square tiles.
namespace tessera {
namespace {

Tiling tiling_of(const Params& params, const PictureHead& head) {
  return {head.width, head.height, std::uint32_t(param<std::int64_t>(params, "tile"))};
}

class Filter : public Kernel {
public:
  const KernelInfo& info() const override { return info_; }

  Result<Plan> plan(const Params& params, std::uint64_t items, ByteView head_bytes) const override {
    const auto head = get_head(head_bytes);
    if (!head)
      return not_a_prepared_picture();
    const auto tiles = tiling_of(params, *head).tiles();
    if (auto checked = check_derived_items("filter", items, tiles); !checked)
      return checked.error();
    return Plan{tiles, 1};
  }

  std::optional<TiledPicture> picture(const Params& params, ByteView head_bytes) const override {
    const auto head = get_head(head_bytes);
    if (!head)
      return std::nullopt;
    return TiledPicture{tiling_of(params, *head),
                        tile_channels(tile_op(param<std::string>(params, "op")), *head)};
  }

  bool is_prepared(const Params&, ByteView input) const override { return is_plain_pnm(input); }

  Status prepare(const Params&, ByteView input, Bytes& out) const override {
    return read_picture(input, out);
  }

  Result<std::unique_ptr<KernelRun>> open(const Params& params, ByteView input,
                                          std::uint64_t items) const override {
    const auto picture = get_picture(input);
    if (!picture)
      return not_a_prepared_picture();
    if (auto planned = plan(params, items, input); !planned)
      return planned.error();
    const TileWork work{.op = tile_op(param<std::string>(params, "op")),
                        .radius = std::uint32_t(param<std::int64_t>(params, "radius")),
                        .sigma = param<double>(params, "sigma")};
    return std::unique_ptr<KernelRun>(std::make_unique<TileRun>(
        "filter", work, picture->head, picture->pixels, tiling_of(params, picture->head)));
  }

private:
  KernelInfo info_{
      .name = "filter",
      .version = 2, // 2: a plain PNM is its own prepared form.
      .help = "filters a photograph, PNG, JPEG or PPM: blurs, edges, grayscale",
      .params = {{"op", std::string("gauss"), "what to do", 0, 0, {"box", "gauss", "edge", "gray"}},
                 tile_op_params()[0],
                 tile_op_params()[1],
                 {"tile",
                  std::int64_t{64},
                  "side of the squares that the picture is cut into, in pixels",
                  4,
                  1024,
                  {}}},
      .wants_input = true,
      .wants_items = false,
      .result = "image/png"};
};

} // namespace

const Kernel& filter_kernel() {
  static const Filter kernel;
  return kernel;
}

} // namespace tessera
