#include "node/kernels/native.hpp"
#include "node/kernels/ordered_run.hpp"
#include "node/kernels/tile_run.hpp"

// A picture split into tiles, each tile processed, all stitched together: as many tiles as one
// likes, or of the size that one likes. Bands that become a PPM need no stitching: their bytes stay
// where they were made, as ordered output does.
namespace tessera {
namespace {

bool is_band(const Params& params) {
  return param<std::string>(params, "shape") == "band";
}

bool is_png(const Params& params) {
  return param<std::string>(params, "format") == "png";
}

Result<Tiling> tiling_of(const Params& params, const PictureHead& head) {
  const auto side = std::uint32_t(param<std::int64_t>(params, "tile"));
  const auto tiles = std::uint32_t(param<std::int64_t>(params, "tiles"));
  if (is_band(params)) {
    const auto bands = tiles ? tiles : (head.height - 1) / side + 1;
    if (bands <= head.height)
      return Tiling::of_bands(head.width, head.height, bands);
  } else if (tiles == 0) {
    return Tiling(head.width, head.height, side);
  } else if (const auto grid = Tiling::of_tiles(head.width, head.height, tiles)) {
    return *grid;
  }
  return Error{"E420", "the picture cannot be cut into " + std::to_string(tiles) + " tiles",
               "not each would have a pixel: the picture is " + std::to_string(head.width) + " x " +
                   std::to_string(head.height),
               "give fewer tiles, or a number with more divisors, for example -p tiles=100"};
}

class Tiles : public Kernel {
public:
  const KernelInfo& info() const override { return info_; }

  Result<Plan> plan(const Params& params, std::uint64_t items, ByteView head_bytes) const override {
    const auto head = get_head(head_bytes);
    if (!head)
      return not_a_prepared_picture();
    const auto tiling = tiling_of(params, *head);
    if (!tiling)
      return tiling.error();
    if (auto checked = check_derived_items("tiles", items, tiling->tiles()); !checked)
      return checked.error();
    return Plan{tiling->tiles(), 1};
  }

  std::optional<TiledPicture> picture(const Params& params, ByteView head_bytes) const override {
    const auto head = get_head(head_bytes);
    if (!head)
      return std::nullopt;
    const auto tiling = tiling_of(params, *head);
    if (!tiling)
      return std::nullopt;
    return TiledPicture{*tiling, tile_channels(tile_op(param<std::string>(params, "op")), *head)};
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
                        .sigma = param<double>(params, "sigma"),
                        .png = is_png(params),
                        .in_order = is_band(params) && !is_png(params),
                        .level = int(param<std::int64_t>(params, "level"))};
    std::unique_ptr<KernelRun> run = std::make_unique<TileRun>(
        "tiles", work, picture->head, picture->pixels, *tiling_of(params, picture->head));
    if (work.in_order)
      run = std::make_unique<OrderedRun>(std::move(run));
    return run;
  }

  std::string result_type(const Params& params) const override {
    return is_png(params) ? "image/png" : "image/x-portable-anymap";
  }

private:
  KernelInfo info_{
      .name = "tiles",
      .version = 2, // 2: a plain PNM is its own prepared form.
      .help = "splits a picture, PNG, JPEG or PPM, into tiles, processes each, and stitches them "
              "together",
      .params =
          {{"op", std::string("gauss"), "what to do with each tile", 0, 0, tile_ops()},
           tile_op_params()[0],
           tile_op_params()[1],
           {"shape",
            std::string("square"),
            "of a tile; a band is as wide as the picture, and as PPM it needs no stitching",
            0,
            0,
            {"square", "band"}},
           {"tile",
            std::int64_t{256},
            "side of a square tile, or height of a band, in pixels",
            4,
            16384,
            {}},
           {"tiles",
            std::int64_t{0},
            "how many tiles instead, all but equally large; 0: as tile says",
            0,
            1'000'000,
            {}},
           {"format",
            std::string("png"),
            "of the result: ppm is not compressed, and ready much sooner",
            0,
            0,
            {"png", "ppm"}},
           {"level", std::int64_t{deflate_level_default}, "how hard PNG is compressed", 0, 9, {}}},
      .wants_input = true,
      .wants_items = false,
      .result = "image/png"};
};

} // namespace

const Kernel& tiles_kernel() {
  static const Tiles kernel;
  return kernel;
}

} // namespace tessera
