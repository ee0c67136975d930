// What points_*.cpp have in common: the loop over registers of any width. Each includes it once,
// after all else, where the compiler has been told of its CPU; so it includes nothing itself.
//
// Vector tells the register V and what is done on it. Each 64-bit lane holds a word of one of
// Philox's blocks in its lower half; what is above is never read.
namespace tessera {
namespace {

// Of a point's upper bits (x, y): with x^2 + y^2 >= far it is outside whatever its lower bits say;
// below near it is inside, since x + y <= sqrt(2) * 2^15 there and (x + 1)^2 + (y + 1)^2 < far.
constexpr std::int32_t far = 1 << 30, near = far - 92'684;

template<class Vector>
class Lanes {
public:
  using V = typename Vector::V;
  static constexpr std::uint64_t blocks = sizeof(V) / 8; // In a register.
  static constexpr std::uint64_t step = 4 * 2 * blocks;  // Points.
  // In one, counters of 32 bits do not run over, and neither do the lower halves of block numbers.
  static constexpr std::uint64_t stretch = step << 20;

  explicit Lanes(std::uint64_t seed) : seed_(seed) {
    const Philox random(seed);
    for (std::uint32_t round = 0; round < Philox::rounds; ++round)
      keys_[round] = {Vector::all(random.key[0] + round * Philox::weyl[0]),
                      Vector::all(random.key[1] + round * Philox::weyl[1])};
  }

  // Whole steps by registers, the rest one by one.
  std::uint64_t hits(std::uint64_t begin, std::uint64_t end) const {
    const auto aligned = (begin + step - 1) / step * step;
    const auto first = aligned < end ? aligned : end;
    auto sum = in_circle_one_by_one(seed_, begin, first);
    for (begin = first; end - begin >= step;) {
      const auto whole = (end - begin) / step * step, left = stretch - begin % stretch;
      const auto some = whole < left ? whole : left;
      sum += hits_of_steps(begin, begin + some);
      begin += some;
    }
    return sum + in_circle_one_by_one(seed_, begin, end);
  }

private:
  struct Blocks {
    V c0, c1, c2, c3;
  };
  struct Key {
    V a, b;
  };
  // The first two rounds, half of which is the same for all blocks of a stretch: their numbers
  // differ in the lowest word, and the upper two are 0.
  struct Start {
    Start(const Key* k, std::uint32_t high) : key(k) {
      constant = Vector::product(Vector::all(high) ^ key[0].a, Vector::all(Philox::multiplier[0]));
      mixed = Vector::up(constant) ^ key[1].b;
    }
    Blocks twice_turned(std::uint32_t number) const {
      const auto p = Vector::product(Vector::numbers(number), Vector::all(Philox::multiplier[0]));
      const auto q = Vector::product(Vector::up(p) ^ key[0].b, Vector::all(Philox::multiplier[1]));
      return {Vector::up(q) ^ key[1].a, q, p ^ mixed, constant};
    }
    const Key* key;
    V constant, mixed;
  };
  // A register of points: -1 where one is inside, and where that is sure.
  struct Cells {
    Cells(V low, V high) {
      const auto past = Vector::less(Vector::squares(Vector::packed(low, high)), near);
      inside = Vector::negative(past);
      sure = inside | Vector::above(past, far - near - 1);
    }
    V inside, sure;
  };

  std::uint64_t hits_of_steps(std::uint64_t begin, std::uint64_t end) const {
    std::uint64_t again = 0;
    auto counted = Vector::all(0);
    const Start start(keys_, std::uint32_t(begin / 4 >> 32));
    for (; begin < end; begin += step) {
      auto one = start.twice_turned(std::uint32_t(begin / 4));
      auto two = start.twice_turned(std::uint32_t(begin / 4 + blocks));
#pragma GCC unroll 10
      for (std::uint32_t round = 2; round < Philox::rounds; ++round)
        one = turned(one, keys_[round]), two = turned(two, keys_[round]);
      const Cells a(one.c0, one.c1), b(one.c2, one.c3), c(two.c0, two.c1), d(two.c2, two.c3);
      if (Vector::everywhere(a.sure & b.sure & c.sure & d.sure)) [[likely]]
        counted = Vector::sum(
            counted, Vector::sum(Vector::sum(a.inside, b.inside), Vector::sum(c.inside, d.inside)));
      else
        again += in_circle_one_by_one(seed_, begin, begin + step);
    }
    return again + Vector::negative_total(counted);
  }

  static Blocks turned(const Blocks& b, const Key& key) {
    const auto p = Vector::product(b.c0, Vector::all(Philox::multiplier[0]));
    const auto q = Vector::product(b.c2, Vector::all(Philox::multiplier[1]));
    return {Vector::up(q) ^ b.c1 ^ key.a, q, Vector::up(p) ^ b.c3 ^ key.b, p};
  }

  std::uint64_t seed_;
  Key keys_[Philox::rounds];
};

} // namespace
} // namespace tessera
