#pragma once

#include "node/kernels/convolve.hpp"
#include "node/kernels/kernel.hpp"
#include "node/kernels/picture.hpp"

// Split, process, stitch: a picture's tiles, each worked on by itself. A leaf reads its tile and
// its halo from the whole picture, whose edges go on for ever; partials are tiles one behind the
// other; the result is the picture again.
namespace tessera {

enum class TileOp { box, gauss, sharpen, edge, gray, invert };

struct TileWork {
  TileOp op = TileOp::gray;
  std::uint32_t radius = 0; // Of box.
  double sigma = 1;         // Of gauss.
  bool png = true;          // Otherwise PNM.
  bool in_order = false;    // The head of a PNM goes before the first tile: bands that are joined
                            // are the file already.
  int level = deflate_level_default;
};

TileOp tile_op(const std::string& name); // One of tile_ops.
std::vector<std::string> tile_ops();
std::vector<ParamSpec> tile_op_params(); // radius, sigma

std::uint32_t tile_channels(TileOp op, const PictureHead& head); // Of the result.

Error not_a_prepared_picture(); // E422

class TileRun : public KernelRun {
public:
  // `pixels` are as `head` says.
  TileRun(std::string kernel, const TileWork& work, const PictureHead& head, ByteView pixels,
          const Tiling& tiling);

  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override;
  Status merge(ByteView left, ByteView right, Bytes& out) override;
  Status finish(ByteView partial, Bytes& out) override;

private:
  void load(const Rect& tile);
  void load_row(std::uint32_t y, std::uint32_t tile_x, std::uint8_t* to) const;
  std::uint8_t* repeated(const std::uint8_t* pixel, std::size_t times, std::uint8_t* to) const;
  void work(Bytes& out) const;

  std::string kernel_;
  TileWork work_;
  PictureHead head_;
  ByteView pixels_;
  Tiling tiling_;
  std::vector<std::uint16_t> weights_; // Of gauss.
  std::uint32_t halo_ = 0;
  std::uint32_t channels_ = 0; // Of the result.
  Patch patch_;                // Kept for its memory alone.
};

} // namespace tessera
