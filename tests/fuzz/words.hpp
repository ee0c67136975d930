#pragma once

#include "tests/fuzz/input.hpp"

#include <cstring>
#include <random>

// libFuzzer calls a mutator of our own where there is one. This one keeps what follows the first
// `choices` bytes a Cap'n Proto message of one segment: whole words, counted in front. So changes
// go past the reader's first look, to pointers and what they lead to.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max);

namespace tessera::fuzz {

class Words {
public:
  Words(std::uint8_t* message, std::size_t size, std::size_t max, unsigned seed)
      : at_(message), size_(size), max_(max / 8 * 8), rng_(seed) {}

  std::size_t mutated() {
    if (size_ < 16 || size_ > max_ || below(4) == 0)
      size_ = LLVMFuzzerMutate(at_, std::min(size_, max_), max_);
    else
      for (auto n = 1 + below(3); n; --n)
        change(8 + 8 * below(size_ / 8 - 1));
    if (below(64) != 0)
      mend();
    return size_;
  }

private:
  std::size_t below(std::size_t n) { return rng_() % n; }

  // A pointer is {2 bits kind, 30 bits offset, 32 bits sizes}; data is anything.
  void change(std::size_t word) {
    std::uint64_t w;
    std::memcpy(&w, at_ + word, 8);
    switch (below(6)) {
    case 0:
      w = 0;
      break;
    case 1:
      std::memcpy(&w, at_ + 8 * below(size_ / 8), 8);
      break;
    case 2: // Leads elsewhere, or is of another kind.
      w += (below(9) - 4) << (below(2) * 2);
      break;
    case 3: // More, or less of it.
      w += std::uint64_t(below(17) - 8) << (32 + 16 * below(2) + below(4));
      break;
    case 4:
      w ^= std::uint64_t{1} << below(64);
      break;
    default: // A number at its limits.
      w = std::uint64_t(below(3) - 1) << (8 * below(8));
    }
    std::memcpy(at_ + word, &w, 8);
  }
  void mend() {
    const auto whole = std::min(max_, (size_ + 7) / 8 * 8);
    if (whole > size_)
      std::memset(at_ + size_, 0, whole - size_);
    size_ = whole;
    const auto head = std::uint64_t{size_ / 8 - 1} << 32; // One segment, of so many words.
    if (size_ >= 8)
      std::memcpy(at_, &head, 8);
  }

  std::uint8_t* at_;
  std::size_t size_, max_;
  std::minstd_rand rng_;
};

inline std::size_t mutated_words(std::uint8_t* data, std::size_t size, std::size_t max,
                                 unsigned seed, std::size_t choices) {
  if (size <= choices || max < choices + 16 || seed % 32 == 0)
    return LLVMFuzzerMutate(data, size, max);
  return choices + Words{data + choices, size - choices, max - choices, seed}.mutated();
}

} // namespace tessera::fuzz
