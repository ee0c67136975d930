#pragma once

#include "node/cli/api.hpp"
#include "node/cli/watch_screen.hpp"

// Where `watch` has its news from.
namespace tessera::cli {

class WatchFeed {
public:
  virtual ~WatchFeed() = default;
  virtual void look(WatchView& view) = 0; // How things are now. Throws Failed.
};

// Asks the node each time.
class PolledFeed : public WatchFeed {
public:
  PolledFeed(Api& api, std::string job) : api_(api), job_(std::move(job)) {} // Empty: all jobs.
  void look(WatchView& view) override;

private:
  Api& api_;
  std::string job_;
};

} // namespace tessera::cli
