#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// What a job wants of the machines that run its leaves, and what one worker of a node has. Kernels
// go by their names apart from this: a job's spec has one, a node's record has those that it runs.
namespace tessera {

inline constexpr std::size_t arch_bytes_max = 32;

struct Worker { // Of a node, as its record tells; 0 or empty: not told, which meets no wish.
  std::uint64_t memory_bytes = 0; // One worker may have so much.
  std::string arch;               // As `uname -m` says: "x86_64", "aarch64".

  bool operator==(const Worker&) const = default;
};

struct Require { // Of a job; 0 or empty: any will do.
  std::uint64_t memory_bytes = 0;
  std::string arch;

  bool any() const { return memory_bytes > 0 || !arch.empty(); }
  bool operator==(const Require&) const = default;
};

enum class Lack : std::uint8_t { nothing, memory, arch };

// What the worker lacks first.
inline Lack lack(const Require& wanted, const Worker& worker) {
  if (!wanted.arch.empty() && wanted.arch != worker.arch)
    return Lack::arch;
  return wanted.memory_bytes > worker.memory_bytes ? Lack::memory : Lack::nothing;
}
inline bool meets(const Worker& worker, const Require& wanted) {
  return lack(wanted, worker) == Lack::nothing;
}

// The word for an architecture that records use; empty: this cannot be one.
inline std::string arch_of(std::string_view said) {
  if (said == "amd64" || said == "x86-64")
    return "x86_64";
  if (said == "arm64")
    return "aarch64";
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  for (const char c : said)
    if (!plain(c))
      return "";
  return said.size() <= arch_bytes_max ? std::string{said} : "";
}

inline constexpr std::string_view this_arch =
#if defined(__x86_64__)
    "x86_64";
#elif defined(__aarch64__)
    "aarch64";
#elif defined(__riscv)
    "riscv64";
#else
    "unknown";
#endif

} // namespace tessera
