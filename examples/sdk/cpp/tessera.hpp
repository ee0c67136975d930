#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

// Kernels for Tessera in C++20: ABI tessera0, whole, with values for bytes.
//
// Export `run` with TESSERA_RUN { ... }, and where the job names no built-in merge, `merge` with
// TESSERA_MERGE; jobs of rounds also export TESSERA_STEP. Each returns 0, or a number that makes
// the call fail; but step returns next_round (0), or over (1), which ends the job with what it
// wrote as the result. One instance lives for many calls: carry nothing from one to the next in
// globals, or the result depends on who computed what.
//
//   clang++ --target=wasm32-wasi -mexec-model=reactor -std=c++20 -fno-exceptions -fno-rtti -O3
//   -Wl,-s task.cpp -o task.wasm
//
// Containers and algorithms of the standard library work; streams, threads, files, clocks are not
// there to be linked.

#ifdef __wasm__
#define TESSERA_IMPORT(name) __attribute__((import_module("tessera0"), import_name(#name)))
#define TESSERA_EXPORT(name) extern "C" __attribute__((export_name(#name))) std::int32_t name()
#else
#define TESSERA_IMPORT(name)
#define TESSERA_EXPORT(name) extern "C" std::int32_t name()
#endif

#define TESSERA_RUN TESSERA_EXPORT(run)
#define TESSERA_MERGE TESSERA_EXPORT(merge)
#define TESSERA_STEP TESSERA_EXPORT(step)

extern "C" {
TESSERA_IMPORT(len) std::uint32_t tessera_len(std::int32_t slot);
TESSERA_IMPORT(read)
std::uint32_t tessera_read(std::int32_t slot, std::uint32_t offset, void* to, std::uint32_t n);
TESSERA_IMPORT(write) void tessera_write(const void* from, std::uint32_t n);
TESSERA_IMPORT(spawn) void tessera_spawn(const void* task, std::uint32_t n);
[[noreturn]] TESSERA_IMPORT(fail) void tessera_fail(const void* message, std::uint32_t n);
}

namespace tessera {

// What a call can read. Which is there depends on the export:
//   run    input: the leaf (a range, a file's bytes, a tree's task); other: the state of a round
//   merge  input: the left partial; other: the right one
//   step   input: the state; other: the merged partial
enum class slot : std::int32_t { params, input, other };

// What step returns: another round on what it wrote, or none.
inline constexpr std::int32_t next_round = 0, over = 1;

// What can be copied as it lies in memory. Leave no padding in it: its bytes are not yours to
// choose, and partials are compared byte by byte.
template<class T>
concept value = std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>;

// Ends this call; whoever submitted the job reads the message.
[[noreturn]] inline void refuse(std::string_view why) {
  tessera_fail(why.data(), std::uint32_t(why.size()));
}

inline std::uint32_t size(slot from) {
  return tessera_len(std::int32_t(from));
}

// Copies from `offset` on; answers how many bytes there were, at most to.size().
inline std::size_t read_bytes(slot from, std::uint32_t offset, std::span<std::byte> to) {
  return tessera_read(std::int32_t(from), offset, to.data(), std::uint32_t(to.size()));
}

// The value that fills the slot; another size is refused.
template<value T>
T read(slot from) {
  T out;
  if (size(from) != sizeof out ||
      read_bytes(from, 0, std::as_writable_bytes(std::span{&out, 1})) != sizeof out)
    refuse("a slot holds a value of another size than this kernel wants");
  return out;
}

// The same, or this where the slot is empty: for parameters.
template<value T>
T read_or(slot from, const T& otherwise) {
  return size(from) == 0 ? otherwise : read<T>(from);
}

// Appends to the output: the partial of this leaf or merge, or the next state.
inline void write_bytes(std::span<const std::byte> bytes) {
  tessera_write(bytes.data(), std::uint32_t(bytes.size()));
}
template<value T>
void write(const T& out) {
  write_bytes(std::as_bytes(std::span{&out, 1}));
}

// Tree jobs: one more task.
template<value T>
void spawn(const T& task) {
  tessera_spawn(&task, sizeof task);
}

// Items, for `for (auto i : items())`.
struct range {
  struct iterator {
    std::uint64_t at;
    std::uint64_t operator*() const { return at; }
    iterator& operator++() { return ++at, *this; }
    bool operator==(const iterator&) const = default;
  };
  std::uint64_t first, last; // first <= i < last.
  iterator begin() const { return {first}; }
  iterator end() const { return {last}; }
  std::uint64_t size() const { return last - first; }
};

// The items of this leaf.
inline range items() {
  if (size(slot::input) != sizeof(range))
    refuse("this kernel runs over a range: give the job --items N");
  return read<range>(slot::input);
}

// The whole of TESSERA_MERGE for values of one type: writes join(left, right).
template<value T, class Join>
std::int32_t merge(Join join) {
  const T left = read<T>(slot::input);
  write<T>(join(left, read<T>(slot::other)));
  return 0;
}

// There is no entropy here: a random number is a function of (seed, counter), the counter usually
// being the item's index, or index * draws + draw. The function is SplitMix64 (Steele, Lea, Flood
// 2014) jumped to the counter, its seed mixed first so that neighbouring seeds share no stretch of
// numbers. The same in all of Tessera's SDKs.
constexpr std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
constexpr std::uint64_t random(std::uint64_t seed, std::uint64_t counter) {
  constexpr std::uint64_t golden = 0x9e3779b97f4a7c15u;
  return mix(mix(seed + golden) + counter * golden);
}

// Of a random number: a double in [0, 1), of 53 bits.
constexpr double unit(std::uint64_t random) {
  return double(random >> 11) * 0x1p-53;
}

} // namespace tessera
