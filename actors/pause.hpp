#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

// How long the owner of this machine wants it for himself. While he does, the node takes no work:
// it stays in the mesh, and of jobs that are rooted here it merges and finishes what others bring.
namespace tessera {

inline constexpr std::chrono::seconds pause_max = std::chrono::hours(24 * 366);

struct Pause { // In Unix time, so that it outlives the process.
  std::int64_t since_ms = 0;
  std::optional<std::int64_t> until_ms; // Nothing: until it is resumed.
  std::string why = {};                 // "on battery", by the owner's policy; empty: his word.

  bool over(std::int64_t now_ms) const { return until_ms && *until_ms <= now_ms; }
  bool operator==(const Pause&) const = default;
};

// `time`: at most pause_max; nothing: until it is resumed. A second pause never shortens the first.
inline Pause paused_for(const std::optional<Pause>& before,
                        std::optional<std::chrono::seconds> time, std::int64_t now_ms) {
  const auto ms = [](auto t) { return std::chrono::milliseconds(t).count(); };
  Pause pause{now_ms, time ? std::optional{now_ms + ms(*time)} : std::nullopt};
  if (!before || before->over(now_ms))
    return pause;
  pause.since_ms = before->since_ms;
  if (!before->until_ms)
    pause.until_ms.reset();
  else if (pause.until_ms)
    pause.until_ms = std::max(*pause.until_ms, *before->until_ms);
  return pause;
}

} // namespace tessera
