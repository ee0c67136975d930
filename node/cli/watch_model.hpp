#pragma once

#include "node/cli/event_frames.hpp"
#include "node/cli/watch_screen.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

// How node, peers and jobs are, by what their event stream said so far (GET /v1/events). Pure.
namespace tessera::cli {

class WatchModel {
public:
  // All jobs; or one, by its whole id.
  explicit WatchModel(std::string job = {}) : job_(std::move(job)) {}

  // What it does not know, or cannot read, is passed over.
  void take(const EventFrame& frame, std::uint64_t now_ms);
  bool began() const { return began_; } // A snapshot was there.
  bool over() const;                    // Of one job: it has ended, or is forgotten.
  // Into the view, but for its `why`, `trouble`, `notes` and `progress`.
  void show(WatchView& view, std::uint64_t now_ms) const;

private:
  using Json = nlohmann::json;

  void snapshot(const Json& data, std::uint64_t now_ms);
  void job(const Json& data, std::uint64_t now_ms);
  void job_gone(const std::string& id);
  void peer(const Json& data);

  std::string job_;
  bool began_ = false;
  Json status_ = Json::object();
  std::vector<Json> peers_;                    // Oneself first.
  std::vector<Json> jobs_;                     // The newest first.
  std::map<std::string, std::uint64_t> heard_; // When a job was told of last.
};

bool ended(const nlohmann::json& job);

} // namespace tessera::cli
