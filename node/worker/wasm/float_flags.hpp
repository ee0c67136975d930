#pragma once

#if defined(__x86_64__)
#include <xmmintrin.h>
#elif !defined(__aarch64__)
#error "the CPU's sticky invalid-operation flag must be readable here"
#endif

#include <cstdint>

// The CPU's sticky flag for invalid operations (IEEE 754, 7.2): down after a leaf means that no
// operation of it made a NaN from numbers.
namespace tessera::wasm {

// Also sets round to nearest, no traps, and subnormals as they are.
inline void reset_float_flags() {
#if defined(__x86_64__)
  constexpr unsigned as_at_start = 0x1f80; // All exceptions masked, all flags down.
  if (_mm_getcsr() != as_at_start)
    _mm_setcsr(as_at_start);
#else
  const std::uint64_t zero = 0;
  asm volatile("msr fpcr, %0\n\tmsr fpsr, %0" ::"r"(zero));
#endif
}

inline bool invalid_operation_seen() {
#if defined(__x86_64__)
  return _mm_getcsr() & 1; // MXCSR.IE
#else
  std::uint64_t status;
  asm volatile("mrs %0, fpsr" : "=r"(status));
  return status & 1; // FPSR.IOC
#endif
}

} // namespace tessera::wasm
