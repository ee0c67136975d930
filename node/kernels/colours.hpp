#pragma once

#include <array>
#include <cstdint>
#include <vector>

// From escape times to colours, without a function of libm that depends on the CPU.
namespace tessera {

struct Colour {
  std::uint8_t red = 0, green = 0, blue = 0;

  bool operator==(const Colour&) const = default;
};

// log2 of a positive normal number, to 1e-6, from basic arithmetic alone.
double log2_of(double x);

// A closed ring of colours, from night blue over ice, gold and ember back.
class Palette {
public:
  static constexpr std::uint32_t steps = 4096;
  Palette();
  const Colour& operator[](std::uint32_t step) const { return ring_[step % steps]; }

  // The colour of a point whose z first passed `bailout` (of |z|^2) at step n, with |z|^2 = norm.
  // Between the steps it flows without a seam.
  // https://en.wikipedia.org/wiki/Plotting_algorithms_for_the_Mandelbrot_set
  Colour escaped(std::uint32_t n, double norm, double bailout) const;

private:
  std::vector<Colour> ring_;
};

} // namespace tessera
