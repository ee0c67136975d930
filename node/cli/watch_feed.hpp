#pragma once

#include "node/cli/api.hpp"
#include "node/cli/failed.hpp"
#include "node/cli/watch_model.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

// Where `watch` has its news from: a thread that follows the node's event stream. A stream that is
// cut is opened again, where it was if the node still knows, wherever the node then is.
namespace tessera::cli {

class WatchFeed {
public:
  enum class Why { asked, not_asked }; // Of one job: what it waits for, each second.

  // `job`: its whole id; empty: all.
  WatchFeed(Common common, std::string job, Why why);
  WatchFeed(const WatchFeed&) = delete;
  ~WatchFeed();

  void begin(); // Until it is known how things are. Throws Failed.
  // How things are now. Throws Failed when the one job is unknown there.
  void look(WatchView& view);
  // For so long, or until a line was lost, is back, or the one job ended.
  void wait(std::chrono::milliseconds patience);

private:
  void follow();
  void follow_once();
  void call(const std::function<void(Api&)>& act);
  void came(std::string_view bytes);
  void lost(const Failed& why);
  void ask_why();
  void rest(std::chrono::milliseconds time);
  std::uint64_t now_ms() const;

  const Common common_;
  const std::string job_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();

  std::mutex mutex_; // What stands below it.
  std::condition_variable changed_;
  WatchModel model_;
  nlohmann::json why_;
  std::optional<Failed> trouble_;
  std::vector<std::string> notes_; // Since the last look: of lines lost, and found again.
  bool urgent_ = false, stopping_ = false;
  std::vector<Api*> lines_; // Whose calls are under way.

  EventFrames frames_; // Of the following thread alone, as is:
  std::string last_id_;
  std::thread follower_, asker_;
};

} // namespace tessera::cli
