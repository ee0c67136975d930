#ifndef TESSERA_H
#define TESSERA_H

#include <stdint.h>
#include <string.h>

/* Kernels for Tessera in C (C99 or later): ABI tessera0, whole. Little-endian, as WebAssembly is.
 *
 * Export `run` with TESSERA_RUN { ... }, and where the job names no built-in merge, `merge` with
 * TESSERA_MERGE; jobs of rounds also export TESSERA_STEP. Each returns 0, or a number that makes
 * the call fail; but step returns 1 (TESSERA_OVER) to end the job, whose result is then what it
 * wrote, and 0 for another round on that state. One instance lives for many calls: carry nothing
 * from one to the next in globals, or the result depends on who computed what.
 *
 *   clang --target=wasm32-wasi -mexec-model=reactor -O3 -Wl,-s task.c -o task.wasm
 *
 * Built for another target, the imports are plain functions for you to define: so a kernel runs
 * under a native debugger, or a benchmark (tests/bench/wasm_suite/native.c is such a host). */

#ifdef __cplusplus
extern "C" {
#endif

/* What a call can read. Which is there depends on the export.
 *
 * run: 1 the leaf (two u64, begin and end, or a file's bytes, or a tree's task); 2 a round's state.
 *
 * merge: 1 the left partial; 2 the right one.
 *
 * step: 1 the state; 2 the merged partial. */
enum { TESSERA_PARAMS = 0, TESSERA_INPUT = 1, TESSERA_OTHER = 2 };

/* What step returns: another round, or none. */
enum { TESSERA_NEXT = 0, TESSERA_OVER = 1 };

#ifdef __wasm__
#define TESSERA_IMPORT(name) __attribute__((import_module("tessera0"), import_name(#name)))
#define TESSERA_EXPORT(name) __attribute__((export_name(#name))) int32_t name(void)
#else
#define TESSERA_IMPORT(name)
#define TESSERA_EXPORT(name) int32_t name(void)
#endif

/* Each needs its own prototype, or -Wmissing-prototypes complains in your file. */
#define TESSERA_RUN                                                                                \
  TESSERA_EXPORT(run);                                                                             \
  int32_t run(void)
#define TESSERA_MERGE                                                                              \
  TESSERA_EXPORT(merge);                                                                           \
  int32_t merge(void)
#define TESSERA_STEP                                                                               \
  TESSERA_EXPORT(step);                                                                            \
  int32_t step(void)

/* Bytes in a slot. */
TESSERA_IMPORT(len) uint32_t tessera_len(int32_t slot);

/* Copies up to n bytes from `offset` of a slot; answers how many there were. */
TESSERA_IMPORT(read) uint32_t tessera_read(int32_t slot, uint32_t offset, void* to, uint32_t n);

/* Appends to the output: the partial of this leaf or merge, or the next state. */
TESSERA_IMPORT(write) void tessera_write(const void* from, uint32_t n);

/* Tree jobs: one more task. */
TESSERA_IMPORT(spawn) void tessera_spawn(const void* task, uint32_t n);

/* Ends this call; whoever submitted the job reads the message. */
TESSERA_IMPORT(fail) __attribute__((noreturn)) void tessera_fail(const void* message, uint32_t n);

/* The same, of a string. */
__attribute__((noreturn)) static inline void tessera_refuse(const char* why) {
  tessera_fail(why, (uint32_t)strlen(why));
}

typedef struct {
  uint64_t begin, end; /* Items begin <= i < end. */
} tessera_range;

/* The items of this leaf. */
static inline tessera_range tessera_items(void) {
  tessera_range items;
  if (tessera_read(TESSERA_INPUT, 0, &items, sizeof items) != sizeof items)
    tessera_refuse("this kernel runs over a range: give the job --items N");
  return items;
}

/* A value of known size; anything else in the slot is refused. */
static inline void tessera_take(int32_t slot, void* to, uint32_t n) {
  if (tessera_len(slot) != n || tessera_read(slot, 0, to, n) != n)
    tessera_refuse("a slot holds a value of another size than this kernel wants");
}

/* There is no entropy here: a random number is a function of (seed, counter), the counter usually
 * being the item's index, or index * draws + draw. The function is SplitMix64 (Steele, Lea, Flood
 * 2014) jumped to the counter, its seed mixed first so that neighbouring seeds share no stretch of
 * numbers. The same in all of Tessera's SDKs. */
static inline uint64_t tessera_mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static inline uint64_t tessera_random(uint64_t seed, uint64_t counter) {
  const uint64_t golden = 0x9e3779b97f4a7c15u;
  return tessera_mix(tessera_mix(seed + golden) + counter * golden);
}

/* Of a random number: a double in [0, 1), of 53 bits. */
static inline double tessera_unit(uint64_t random) {
  return (double)(random >> 11) * 0x1p-53;
}

#ifdef __cplusplus
}
#endif
#endif
