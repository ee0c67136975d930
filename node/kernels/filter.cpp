#include "node/kernels/convolve.hpp"
#include "node/kernels/native.hpp"
#include "node/kernels/picture.hpp"

#include <cmath>
#include <cstring>

// Filters a photograph. One item is one tile; a leaf reads its tile's halo from the whole picture,
// whose edges go on for ever.
namespace tessera {
namespace {

enum class Op { box, gauss, edge, gray };

Op op_of(const Params& params) {
  const auto name = param<std::string>(params, "op");
  return name == "box"     ? Op::box
         : name == "gauss" ? Op::gauss
         : name == "edge"  ? Op::edge
                           : Op::gray;
}

Error not_a_picture() {
  return {"E422", "the input is not a prepared picture",
          "its first 16 bytes do not tell width, height and channels of as many pixels",
          "submit the PNG or JPEG file itself: it is prepared then"};
}

Tiling tiling_of(const Params& params, const PictureHead& head) {
  return {head.width, head.height, std::uint32_t(param<std::int64_t>(params, "tile"))};
}

std::uint32_t channels_of(Op op, const PictureHead& head) {
  return op == Op::box || op == Op::gauss ? head.channels : 1;
}

class FilterRun : public KernelRun {
public:
  FilterRun(const Params& params, const PictureHead& head, ByteView pixels)
      : op_(op_of(params)), head_(head), pixels_(pixels), tiling_(tiling_of(params, head)) {
    if (op_ == Op::gauss)
      weights_ = gauss_weights(param<double>(params, "sigma"));
    if (op_ == Op::box)
      halo_ = std::uint32_t(param<std::int64_t>(params, "radius"));
    else
      halo_ = op_ == Op::gauss ? std::uint32_t(weights_.size() - 1) : op_ == Op::edge;
    channels_ = channels_of(op_, head);
  }

  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override {
    for (auto item = begin; item < end; ++item) {
      load(tiling_.tile(item));
      filter(out);
    }
    return Nothing{};
  }

  Status merge(ByteView left, ByteView right, Bytes& out) override {
    const auto whole = tiling_.pixels() * channels_;
    if (left.size() > whole || right.size() > whole - left.size())
      return bad_partial("filter", left.size() + right.size(),
                         "at most " + std::to_string(whole) + " bytes");
    out.reserve(out.size() + left.size() + right.size());
    put(out, left);
    put(out, right);
    return Nothing{};
  }

  Status finish(ByteView partial, Bytes& out) override {
    const auto whole = tiling_.pixels() * channels_;
    if (partial.size() != whole)
      return bad_partial("filter", partial.size(), std::to_string(whole) + " bytes");
    return write_png(tiling_, channels_, partial, out);
  }

private:
  // Copies the tile and its halo; past an edge, the edge's pixels are repeated.
  void load(const Rect& tile) {
    patch_.width = tile.width + 2 * halo_;
    patch_.height = tile.height + 2 * halo_;
    patch_.channels = head_.channels;
    patch_.samples.resize(patch_.stride() * patch_.height);
    for (std::uint32_t y = 0; y < patch_.height; ++y)
      load_row(clamped(std::int64_t(tile.y) + y - halo_, head_.height), tile.x,
               patch_.samples.data() + y * patch_.stride());
  }

  void load_row(std::uint32_t y, std::uint32_t tile_x, std::uint8_t* to) const {
    const std::size_t channels = head_.channels;
    const auto* row = pixels_.data() + std::size_t(y) * head_.width * channels;
    const auto first = std::int64_t(tile_x) - halo_;
    const auto from = clamped(first, head_.width);
    const auto until = clamped(first + patch_.width - 1, head_.width) + 1;
    to = repeated(row, std::size_t(from - first), to);
    to = std::copy_n(row + from * channels, (until - from) * channels, to);
    repeated(row + (head_.width - 1) * channels, std::size_t(first + patch_.width - until), to);
  }

  std::uint8_t* repeated(const std::uint8_t* pixel, std::size_t times, std::uint8_t* to) const {
    for (; times > 0; --times)
      to = std::copy_n(pixel, head_.channels, to);
    return to;
  }

  static std::uint32_t clamped(std::int64_t at, std::uint32_t size) {
    return std::uint32_t(std::clamp<std::int64_t>(at, 0, std::int64_t(size) - 1));
  }

  void filter(Bytes& out) const {
    switch (op_) {
    case Op::box:
      return box_blur(patch_, halo_, out);
    case Op::gauss:
      return gauss_blur(patch_, weights_, out);
    case Op::edge:
      return edges(patch_, out);
    case Op::gray:
      return grays(patch_, out);
    }
  }

  Op op_;
  PictureHead head_;
  ByteView pixels_;
  Tiling tiling_;
  std::vector<std::uint16_t> weights_; // Of gauss.
  std::uint32_t halo_ = 0;
  std::uint32_t channels_ = 0; // Of the result.
  Patch patch_;                // Kept for its memory alone.
};

class Filter : public Kernel {
public:
  const KernelInfo& info() const override { return info_; }

  Result<Plan> plan(const Params& params, std::uint64_t items, ByteView head_bytes) const override {
    const auto head = get_head(head_bytes);
    if (!head)
      return not_a_picture();
    const auto tiles = tiling_of(params, *head).tiles();
    if (auto checked = check_derived_items("filter", items, tiles); !checked)
      return checked.error();
    return Plan{tiles, 1};
  }

  std::optional<TiledPicture> picture(const Params& params, ByteView head_bytes) const override {
    const auto head = get_head(head_bytes);
    if (!head)
      return std::nullopt;
    return TiledPicture{tiling_of(params, *head), channels_of(op_of(params), *head)};
  }

  Status prepare(const Params&, ByteView input, Bytes& out) const override {
    return read_picture(input, out);
  }

  Result<std::unique_ptr<KernelRun>> open(const Params& params, ByteView input,
                                          std::uint64_t items) const override {
    const auto head = get_head(input);
    if (!head || input.size() - picture_head_bytes != head->bytes())
      return not_a_picture();
    if (auto checked = check_derived_items("filter", items, tiling_of(params, *head).tiles());
        !checked)
      return checked.error();
    return std::unique_ptr<KernelRun>(
        std::make_unique<FilterRun>(params, *head, input.subspan(picture_head_bytes)));
  }

private:
  KernelInfo info_{
      .name = "filter",
      .help = "filters a photograph, PNG or JPEG: blurs, edges, grayscale",
      .params = {{.name = "op",
                  .fallback = std::string("gauss"),
                  .help = "what to do",
                  .choices = {"box", "gauss", "edge", "gray"}},
                 {.name = "radius",
                  .fallback = std::int64_t{4},
                  .help = "of box, in pixels",
                  .min = 0,
                  .max = box_radius_max,
                  .choices = {}},
                 {.name = "sigma",
                  .fallback = 3.0,
                  .help = "of gauss, in pixels",
                  .min = 0.1,
                  .max = 40,
                  .choices = {}},
                 {.name = "tile",
                  .fallback = std::int64_t{64},
                  .help = "side of the squares that the picture is cut into, in pixels",
                  .min = 4,
                  .max = 1024,
                  .choices = {}}},
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
