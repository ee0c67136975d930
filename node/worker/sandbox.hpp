#pragma once

#include "node/worker/worker.hpp"

// The walls around task code, put up by the process itself before it runs any. There is no way
// back.
namespace tessera {

// Sanitizers map terabytes of shadow, and speak on stderr: in their builds the memory limit is off
// and descriptor 2 stays.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

// Points 0, 1 and 2 to /dev/null and closes all else but `keep_fd` (> 2).
Status close_all_but(int keep_fd);

// What modules reserve and do not use: for each open job two instances, each the whole of 32-bit
// addressing and the guards around it (wasm/engine.cpp).
inline constexpr std::uint64_t reserved_bytes_max = open_jobs_max * 2 * ((4ull << 30) + (64 << 20));

// close_all_but, then nice, limits, no new privileges, not dumpable, and a seccomp allow-list that
// kills the process at any other call: it can compute, use memory and its descriptors, make memfds,
// sleep, and end. With limits.modules it can also make pages of code that are not writable any
// more; an engine must be warm by then, since signal handlers cannot be set. E704: this machine
// does not offer one of these; the process must not go on.
Status enter_sandbox(const WorkerLimits& limits, int keep_fd);

} // namespace tessera
