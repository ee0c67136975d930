#include "node/cli/watch_feed.hpp"

#include "node/cli/job_talk.hpp"

#include <utility>

namespace tessera::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto again_every = 500ms; // A node that does not answer may be back.
constexpr auto why_every = 1000ms;
constexpr auto stop_every = 20ms; // A line that was not open yet is by then.

Failed unreadable() {
  return {Exit::failed,
          {"E307", "the node's event stream cannot be read", "one of its lines has no end",
           "is this the right URL?"}};
}

std::string shown(const Failed& trouble) {
  return trouble.error().code + " " + trouble.error().what + ": connecting again";
}

} // namespace

WatchFeed::WatchFeed(Common common, std::string job, Why why)
    : common_(std::move(common)), job_(std::move(job)), model_(job_) {
  follower_ = std::thread{[this] { follow(); }};
  if (!job_.empty() && why == Why::asked)
    asker_ = std::thread{[this] { ask_why(); }};
}

WatchFeed::~WatchFeed() {
  std::unique_lock lock{mutex_};
  stopping_ = true;
  changed_.notify_all();
  for (; !lines_.empty(); changed_.wait_for(lock, stop_every))
    for (auto* line : lines_)
      line->stop();
  lock.unlock();
  follower_.join();
  if (asker_.joinable())
    asker_.join();
}

std::uint64_t WatchFeed::now_ms() const {
  const auto since = std::chrono::steady_clock::now() - start_;
  return std::uint64_t(std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

void WatchFeed::begin() {
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [this] { return model_.began() || trouble_; });
  if (!model_.began())
    throw *trouble_;
}

void WatchFeed::look(WatchView& view) {
  const std::lock_guard lock{mutex_};
  if (trouble_ && trouble_->exit() == Exit::not_found)
    throw *trouble_;
  model_.show(view, now_ms());
  view.why = why_;
  view.trouble = trouble_ ? shown(*trouble_) : std::string{};
  view.notes = std::exchange(notes_, {});
}

void WatchFeed::wait(std::chrono::milliseconds patience) {
  std::unique_lock lock{mutex_};
  changed_.wait_for(lock, patience, [this] { return urgent_; });
  urgent_ = false;
}

void WatchFeed::rest(std::chrono::milliseconds time) {
  std::unique_lock lock{mutex_};
  changed_.wait_for(lock, time, [this] { return stopping_; });
}

// Where the node is, and its token, is read anew: a restarted one may have others.
void WatchFeed::call(const std::function<void(Api&)>& act) {
  Api line{common_};
  {
    const std::lock_guard lock{mutex_};
    if (stopping_)
      return;
    lines_.push_back(&line);
  }
  const struct Over {
    WatchFeed& feed;
    Api* line;
    ~Over() {
      const std::lock_guard lock{feed.mutex_};
      std::erase(feed.lines_, line);
      feed.changed_.notify_all();
    }
  } over{*this, &line};
  act(line);
}

// --- The following thread

void WatchFeed::follow() {
  for (;;) {
    try {
      follow_once();
    } catch (const Failed& failed) {
      lost(failed);
    }
    rest(again_every);
    const std::lock_guard lock{mutex_};
    if (stopping_)
      return;
  }
}

void WatchFeed::follow_once() {
  frames_ = EventFrames{};
  call([this](Api& line) {
    line.follow("/v1/events?topics=jobs,peers,node" + (job_.empty() ? "" : "&job=" + job_),
                last_id_, [this](std::string_view bytes) { came(bytes); });
  });
  throw Failed{Exit::no_node,
               {"E301", "the node has ended its event stream", "it stops, or was stopped",
                "start it: tessera start"}};
}

void WatchFeed::came(std::string_view bytes) {
  const auto frames = frames_.push(bytes);
  const std::lock_guard lock{mutex_};
  if (!frames) {
    last_id_.clear();
    throw unreadable();
  }
  for (const auto& frame : *frames) {
    model_.take(frame, now_ms());
    last_id_ = frame.id.empty() ? last_id_ : frame.id;
    urgent_ |= frame.kind == "job_gone" || (!job_.empty() && frame.kind == "job" && model_.over());
  }
  if (model_.began() && trouble_) {
    trouble_.reset();
    notes_.emplace_back("connected again");
    urgent_ = true;
  }
  changed_.notify_all();
}

void WatchFeed::lost(const Failed& why) {
  const std::lock_guard lock{mutex_};
  if (stopping_)
    return;
  if (!trouble_ || trouble_->error().code != why.error().code) {
    notes_.push_back(shown(why));
    urgent_ = true;
  }
  trouble_ = why;
  changed_.notify_all();
}

// --- The asking thread

void WatchFeed::ask_why() {
  for (;;) {
    nlohmann::json why;
    try {
      call([&](Api& line) { why = line.get(job_path(job_) + "/why"); });
    } catch (const Failed&) {
      // Its root is silent, or the node is: the stream tells of that.
    }
    {
      const std::lock_guard lock{mutex_};
      why_ = std::move(why);
      if (stopping_ || model_.over())
        return;
    }
    rest(why_every);
  }
}

} // namespace tessera::cli
