#include "node/kernels/tile_run.hpp"

#include "node/kernels/native.hpp"

#include <array>

namespace tessera {
namespace {

struct NamedOp {
  const char* name;
  TileOp op;
};
constexpr std::array<NamedOp, 6> ops{{{"box", TileOp::box},
                                      {"gauss", TileOp::gauss},
                                      {"sharpen", TileOp::sharpen},
                                      {"edge", TileOp::edge},
                                      {"gray", TileOp::gray},
                                      {"invert", TileOp::invert}}};

std::uint32_t clamped(std::int64_t at, std::uint32_t size) {
  return std::uint32_t(std::clamp<std::int64_t>(at, 0, std::int64_t(size) - 1));
}

} // namespace

TileOp tile_op(const std::string& name) {
  for (const auto& op : ops)
    if (name == op.name)
      return op.op;
  assert(false);
  return TileOp::gray;
}

std::vector<std::string> tile_ops() {
  std::vector<std::string> names;
  for (const auto& op : ops)
    names.push_back(op.name);
  return names;
}

std::vector<ParamSpec> tile_op_params() {
  return {{"radius", std::int64_t{4}, "of box, in pixels", 0, box_radius_max, {}},
          {"sigma", 3.0, "of gauss, in pixels", 0.1, 40, {}}};
}

std::uint32_t tile_channels(TileOp op, const PictureHead& head) {
  return op == TileOp::edge || op == TileOp::gray ? 1 : head.channels;
}

Error not_a_prepared_picture() {
  return {"E422", "the input is not a prepared picture",
          "its first bytes do not tell width, height and channels of as many pixels",
          "submit the PNG, JPEG or PPM file itself: it is prepared then"};
}

TileRun::TileRun(std::string kernel, const TileWork& work, const PictureHead& head, ByteView pixels,
                 const Tiling& tiling)
    : kernel_(std::move(kernel)), work_(work), head_(head), pixels_(pixels), tiling_(tiling) {
  if (work.op == TileOp::gauss)
    weights_ = gauss_weights(work.sigma);
  const bool next = work.op == TileOp::edge || work.op == TileOp::sharpen;
  halo_ = work.op == TileOp::box     ? work.radius
          : work.op == TileOp::gauss ? std::uint32_t(weights_.size() - 1)
                                     : next;
  channels_ = tile_channels(work.op, head);
}

Status TileRun::run(std::uint64_t begin, std::uint64_t end, Bytes& out) {
  if (work_.in_order && begin == 0)
    put(out, view(pnm_head(head_.width, head_.height, channels_)));
  for (auto item = begin; item < end; ++item) {
    load(tiling_.tile(item));
    work(out);
  }
  return Nothing{};
}

Status TileRun::merge(ByteView left, ByteView right, Bytes& out) {
  const auto whole = tiling_.pixels() * channels_;
  if (left.size() > whole || right.size() > whole - left.size())
    return bad_partial(kernel_, left.size() + right.size(),
                       "at most " + std::to_string(whole) + " bytes");
  out.reserve(out.size() + left.size() + right.size());
  put(out, left);
  put(out, right);
  return Nothing{};
}

Status TileRun::finish(ByteView partial, Bytes& out) {
  const auto whole = tiling_.pixels() * channels_;
  if (partial.size() != whole)
    return bad_partial(kernel_, partial.size(), std::to_string(whole) + " bytes");
  return work_.png ? write_png(tiling_, channels_, partial, out, work_.level)
                   : write_pnm(tiling_, channels_, partial, out);
}

// Copies the tile and its halo; past an edge, the edge's pixels are repeated.
void TileRun::load(const Rect& tile) {
  patch_.width = tile.width + 2 * halo_;
  patch_.height = tile.height + 2 * halo_;
  patch_.channels = head_.channels;
  patch_.samples.resize(patch_.stride() * patch_.height);
  for (std::uint32_t y = 0; y < patch_.height; ++y)
    load_row(clamped(std::int64_t(tile.y) + y - halo_, head_.height), tile.x,
             patch_.samples.data() + y * patch_.stride());
}

void TileRun::load_row(std::uint32_t y, std::uint32_t tile_x, std::uint8_t* to) const {
  const std::size_t channels = head_.channels;
  const auto* row = pixels_.data() + std::size_t(y) * head_.width * channels;
  const auto first = std::int64_t(tile_x) - halo_;
  const auto from = clamped(first, head_.width);
  const auto until = clamped(first + patch_.width - 1, head_.width) + 1;
  to = repeated(row, std::size_t(from - first), to);
  to = std::copy_n(row + from * channels, (until - from) * channels, to);
  repeated(row + (head_.width - 1) * channels, std::size_t(first + patch_.width - until), to);
}

std::uint8_t* TileRun::repeated(const std::uint8_t* pixel, std::size_t times,
                                std::uint8_t* to) const {
  for (; times > 0; --times)
    to = std::copy_n(pixel, head_.channels, to);
  return to;
}

void TileRun::work(Bytes& out) const {
  switch (work_.op) {
  case TileOp::box:
    return box_blur(patch_, halo_, out);
  case TileOp::gauss:
    return gauss_blur(patch_, weights_, out);
  case TileOp::sharpen:
    return sharpen(patch_, out);
  case TileOp::edge:
    return edges(patch_, out);
  case TileOp::gray:
    return grays(patch_, out);
  case TileOp::invert:
    return invert(patch_, out);
  }
}

} // namespace tessera
