#include "node/kernels/colours.hpp"
#include "node/kernels/native.hpp"
#include "node/kernels/picture.hpp"

#include <array>

// The Mandelbrot set, coloured. One item is one tile. Points run eight abreast; a lane that is done
// takes the next point, so that few lanes idle. Each point sees the same operations in the same
// order wherever it runs.
namespace tessera {
namespace {

constexpr std::uint32_t tile_side = 128;
constexpr double bailout = 65536; // Of |z|^2: far enough out that colours flow.
constexpr std::int64_t view_side_max = 100'000;

struct View {
  std::uint32_t width = 0, height = 0; // Pixels.
  std::uint32_t samples = 1;           // Points a pixel, along each side.
  double cx = 0, cy = 0, span = 0;     // The span is the picture's width.
  std::uint32_t iterations = 0;

  explicit View(const Params& params) {
    const auto whole = [&](const char* name) {
      return std::uint32_t(param<std::int64_t>(params, name));
    };
    width = whole("width") ? whole("width") : whole("size");
    height = whole("height") ? whole("height") : whole("size");
    samples = whole("samples");
    iterations = whole("iterations");
    cx = param<double>(params, "cx");
    cy = param<double>(params, "cy");
    span = param<double>(params, "span");
  }

  Tiling tiling() const { return {width, height, tile_side}; }
  double step() const { return span / (double(width) * samples); }
  // Of point number `at` along a side, counted over the whole picture.
  double x(std::uint64_t at) const {
    return cx + (double(at) + 0.5 - width * samples * 0.5) * step();
  }
  double y(std::uint64_t at) const {
    return cy - (double(at) + 0.5 - height * samples * 0.5) * step();
  }
};

// The two large parts of the inside, which no iteration would leave.
bool in_cardioid_or_bulb(double x, double y) {
  const auto a = x - 0.25, b = x + 1, yy = y * y;
  const auto q = a * a + yy;
  return q * (q + a) <= 0.25 * yy || b * b + yy <= 0.0625;
}

struct Escape {
  std::uint32_t n = 0; // 0: it stayed.
  double norm = 0;     // |z|^2 then.
};

// z <- z^2 + c, in this order everywhere.
template<class Number>
void iterate(Number& zx, Number& zy, const Number& cx, const Number& cy) {
  const Number xx = zx * zx, yy = zy * zy, xy = zx * zy;
  zx = xx - yy + cx;
  zy = xy + xy + cy;
}

// Two lanes are one SSE2 or NEON register; four registers hide the latency of the chain.
using Pair = double __attribute__((vector_size(16)));
constexpr std::size_t pairs = 4, lanes = 2 * pairs;
constexpr std::uint32_t stride = 16; // Steps between two looks at the lanes.

struct Orbits {
  std::array<Pair, pairs> zx{}, zy{}, cx{}, cy{};

  void advance() {
    auto x = zx, y = zy;
    for (std::uint32_t s = 0; s < stride; ++s)
      for (std::size_t p = 0; p < pairs; ++p)
        iterate(x[p], y[p], cx[p], cy[p]);
    zx = x, zy = y;
  }
};

// Runs points from `next` until it has none, and tells `landed` where each ended. What passed the
// bailout never returns, so a lane may run on past it for a while; NaN counts as past.
template<class Next, class Landed>
class Pool {
public:
  Pool(std::uint32_t iterations, Next next, Landed landed)
      : iterations_(iterations), next_(next), landed_(landed) {}

  void run() {
    for (std::size_t lane = 0; lane < lanes; ++lane)
      refill(lane);
    while (busy_ > 0) {
      const auto before = orbits_;
      orbits_.advance();
      for (std::size_t lane = 0; lane < lanes; ++lane)
        look(before, lane);
    }
  }

private:
  struct Lane {
    std::size_t point = 0;
    std::uint32_t done = 0; // Steps.
    bool busy = false;
  };

  void look(const Orbits& before, std::size_t lane) {
    auto& l = lanes_[lane];
    if (!l.busy)
      return;
    const auto zx = orbits_.zx[lane / 2][lane % 2], zy = orbits_.zy[lane / 2][lane % 2];
    const bool inside = zx * zx + zy * zy <= bailout;
    if (inside && iterations_ - l.done > stride) {
      l.done += stride;
      return;
    }
    landed_(l.point, replay(before, lane));
    l.busy = false;
    --busy_;
    refill(lane);
  }

  // The last steps once more, one by one, to find the first outside.
  Escape replay(const Orbits& before, std::size_t lane) const {
    const auto p = lane / 2, i = lane % 2;
    auto zx = before.zx[p][i], zy = before.zy[p][i];
    const auto cx = before.cx[p][i], cy = before.cy[p][i];
    const auto until = std::min(iterations_, lanes_[lane].done + stride);
    for (auto n = lanes_[lane].done; n < until;) {
      iterate(zx, zy, cx, cy);
      ++n;
      if (const auto norm = zx * zx + zy * zy; !(norm <= bailout))
        return {n, norm};
    }
    return {};
  }

  void refill(std::size_t lane) {
    double cx = 0, cy = 0;
    auto& l = lanes_[lane];
    l.done = 0;
    l.busy = next_(l.point, cx, cy);
    busy_ += l.busy;
    const auto p = lane / 2, i = lane % 2;
    orbits_.zx[p][i] = orbits_.zy[p][i] = 0;
    orbits_.cx[p][i] = cx, orbits_.cy[p][i] = cy;
  }

  std::uint32_t iterations_;
  Next next_;
  Landed landed_;
  Orbits orbits_;
  std::array<Lane, lanes> lanes_{};
  std::size_t busy_ = 0;
};

class MandelbrotRun : public KernelRun {
public:
  explicit MandelbrotRun(const View& view) : view_(view), tiling_(view.tiling()) {}

  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override {
    for (auto item = begin; item < end; ++item) {
      const auto tile = tiling_.tile(item);
      trace(tile);
      develop(tile, out);
    }
    return Nothing{};
  }

  Status merge(ByteView left, ByteView right, Bytes& out) override {
    const auto whole = tiling_.pixels() * 3;
    if (left.size() > whole || right.size() > whole - left.size())
      return bad_partial("mandelbrot", left.size() + right.size(),
                         "at most " + std::to_string(whole) + " bytes");
    out.reserve(out.size() + left.size() + right.size());
    put(out, left);
    put(out, right);
    return Nothing{};
  }

  Status finish(ByteView partial, Bytes& out) override {
    const auto whole = tiling_.pixels() * 3;
    if (partial.size() != whole)
      return bad_partial("mandelbrot", partial.size(), std::to_string(whole) + " bytes");
    return write_png(tiling_, 3, partial, out);
  }

private:
  // Fills colours_ with the tile's points.
  void trace(const Rect& tile) {
    const auto across = std::size_t(tile.width) * view_.samples;
    const auto total = across * tile.height * view_.samples;
    colours_.assign(total, Colour{});
    std::size_t at = 0;
    const auto next = [&](std::size_t& point, double& cx, double& cy) {
      while (at < total) {
        point = at++;
        cx = view_.x(std::uint64_t(tile.x) * view_.samples + point % across);
        cy = view_.y(std::uint64_t(tile.y) * view_.samples + point / across);
        if (!in_cardioid_or_bulb(cx, cy))
          return true;
      }
      return false;
    };
    const auto landed = [&](std::size_t point, Escape e) {
      if (e.n > 0)
        colours_[point] = palette_.escaped(e.n, e.norm, bailout);
    };
    Pool(view_.iterations, next, landed).run();
  }

  // One pixel is the mean of its points.
  void develop(const Rect& tile, Bytes& out) const {
    for (std::uint32_t y = 0; y < tile.height; ++y)
      for (std::uint32_t x = 0; x < tile.width; ++x) {
        const auto c = mean(tile, x, y);
        out.insert(out.end(), {c.red, c.green, c.blue});
      }
  }

  Colour mean(const Rect& tile, std::uint32_t x, std::uint32_t y) const {
    const auto n = view_.samples;
    const auto half = n * n / 2;
    std::uint32_t red = half, green = half, blue = half;
    for (std::uint32_t v = 0; v < n; ++v)
      for (std::uint32_t u = 0; u < n; ++u) {
        const auto& c = colours_[(std::size_t(y) * n + v) * tile.width * n + x * n + u];
        red += c.red, green += c.green, blue += c.blue;
      }
    return {std::uint8_t(red / (n * n)), std::uint8_t(green / (n * n)),
            std::uint8_t(blue / (n * n))};
  }

  View view_;
  Tiling tiling_;
  Palette palette_;
  std::vector<Colour> colours_; // Of one tile's points. Kept for its memory alone.
};

class Mandelbrot : public Kernel {
public:
  const KernelInfo& info() const override { return info_; }

  Result<Plan> plan(const Params& params, std::uint64_t items, ByteView) const override {
    const View view(params);
    if (std::uint64_t(view.width) * view.height > picture_pixels_max)
      return Error{"E420", "the picture is too large",
                   std::to_string(view.width) + " x " + std::to_string(view.height) +
                       " is more than " + std::to_string(picture_pixels_max) + " pixels",
                   "lower size, width or height"};
    const auto tiles = view.tiling().tiles();
    if (auto checked = check_derived_items("mandelbrot", items, tiles); !checked)
      return checked.error();
    return Plan{tiles, 1};
  }

  std::optional<TiledPicture> picture(const Params& params, ByteView) const override {
    return TiledPicture{View(params).tiling(), 3};
  }

  Result<std::unique_ptr<KernelRun>> open(const Params& params, ByteView input,
                                          std::uint64_t items) const override {
    if (auto planned = plan(params, items, input); !planned)
      return planned.error();
    return std::unique_ptr<KernelRun>(std::make_unique<MandelbrotRun>(View(params)));
  }

private:
  static ParamSpec side(const char* name, std::int64_t fallback, const char* help) {
    return {name, fallback, help, fallback ? 1.0 : 0.0, double(view_side_max), {}};
  }

  KernelInfo info_{.name = "mandelbrot",
                   .help = "a picture of the Mandelbrot set",
                   .params = {side("size", 1024, "width and height, in pixels"),
                              side("width", 0, "in pixels; 0: size"),
                              side("height", 0, "in pixels; 0: size"),
                              {"cx", -0.65, "real part of the centre", -4, 4, {}},
                              {"cy", 0.0, "imaginary part of the centre", -4, 4, {}},
                              {"span", 2.7, "width of the view, in the plane", 1e-13, 16, {}},
                              {"iterations",
                               std::int64_t{1000},
                               "steps before a point counts as inside",
                               1,
                               10'000'000,
                               {}},
                              {"samples",
                               std::int64_t{1},
                               "points along each side of a pixel: smoother, and slower",
                               1,
                               8,
                               {}}},
                   .wants_items = false,
                   .result = "image/png"};
};

} // namespace

const Kernel& mandelbrot_kernel() {
  static const Mandelbrot kernel;
  return kernel;
}

} // namespace tessera
