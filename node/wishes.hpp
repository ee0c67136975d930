#pragma once

#include "crypto/result.hpp"
#include "net/message.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <optional>

// What a submitter wishes beside the work itself: how urgent it is, what it needs, until when. As
// the body of POST /v1/jobs says it.
namespace tessera {

inline constexpr std::chrono::seconds ttl_max = std::chrono::hours(24 * 366);

struct Wishes {
  std::int8_t priority = 0;
  Require require;
  std::optional<std::chrono::seconds> ttl;
  bool wait_for_peers = false; // Taken though nobody known can run it.
};

// E461: a wish that cannot be. Keys that are absent or null are not wished.
Result<Wishes> wishes_of(const nlohmann::json& body);

void apply(const Wishes& wishes, JobSpec& spec); // Its submitted_ms is set.

} // namespace tessera
