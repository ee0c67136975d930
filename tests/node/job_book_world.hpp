#pragma once

#include "node/job_book.hpp"

#include <functional>
#include <map>
#include <queue>
#include <random>
#include <stdexcept>
#include <tuple>

// Many job books, one thread, one clock that jumps from event to event; a network that delays,
// loses and doubles, and nodes that die. A seed is a whole history. What no fault excuses is
// checked at each event; a broken promise throws.
namespace tessera::sim {

using Index = std::size_t; // Of a node.

inline JobStatus job_status(JobId id, JobState state = JobState::running,
                            std::int64_t submitted_ms = 0) {
  auto spec = std::make_shared<SignedSpec>();
  spec->spec.submitted_ms = submitted_ms;
  spec->id = id;
  JobStatus status;
  status.spec = std::move(spec);
  status.state = state;
  return status;
}

class BookWorld {
public:
  BookWorld(std::uint64_t seed, JobBookConfig config) : dice_(seed), config_(std::move(config)) {}

  std::uint64_t loss = 0, doubling = 0, silent_deaths = 0; // Of 1000.
  Duration latency_max = std::chrono::milliseconds(40);
  bool floods_once = true; // While nobody forgets what it has seen.
  std::uint64_t queries = 0, answers = 0;
  std::size_t depth_max = 0; // Of all that a question reached.

  std::uint64_t roll(std::uint64_t n) { return dice_() % n; }
  bool chance(std::uint64_t of_1000) { return of_1000 > 0 && roll(1000) < of_1000; }
  Duration roll(Duration max) { return Duration(1 + roll(std::uint64_t(max.count()))); }
  std::size_t size() const { return nodes_.size(); }
  std::size_t edges() const { return links_.size(); }
  bool alive(Index n) const { return nodes_[n].alive; }
  Time now() const { return now_; }
  JobBook& book(Index n) { return nodes_[n].book; }
  const NodeId& id(Index n) const { return nodes_[n].id; }

  JobId random_job() {
    JobId job;
    for (auto& byte : job.bytes)
      byte = std::uint8_t(roll(256));
    return job;
  }

  Index add() {
    auto config = config_;
    for (auto& byte : config.self.key)
      byte = std::uint8_t(roll(256));
    by_id_[config.self] = nodes_.size();
    nodes_.push_back({config.self, JobBook{config, roll(UINT64_MAX)}, true, {}, {}});
    return nodes_.size() - 1;
  }
  void join(Index a, Index b) {
    if (a == b || !links_.try_emplace(std::minmax(a, b), roll(latency_max)).second)
      return;
    nodes_[a].book.peer_up(nodes_[b].id);
    nodes_[b].book.peer_up(nodes_[a].id);
  }
  // A random tree, and more edges.
  void build(std::size_t count, std::size_t more) {
    for (std::size_t i = 0; i < count; ++i)
      if (const auto n = add())
        join(n, roll(n));
    for (std::size_t i = 0; i < more; ++i)
      join(roll(count), roll(count));
  }
  // As HyParView's active views of five: two rings through all, in random orders, and more edges.
  void build_views(std::size_t count) {
    std::vector<Index> order;
    for (std::size_t i = 0; i < count; ++i)
      order.push_back(add());
    for (int ring = 0; ring < 2; ++ring) {
      for (std::size_t i = count - 1; i > 0; --i)
        std::swap(order[i], order[roll(i + 1)]);
      for (std::size_t i = 0; i < count; ++i)
        join(order[i], order[(i + 1) % count]);
    }
    for (std::size_t i = 0; i < count / 2; ++i)
      join(roll(count), roll(count));
  }
  JobId root_at(Index n) {
    const auto job = random_job();
    nodes_[n].book.learned(job_status(job), Time{});
    roots[job] = n;
    return job;
  }

  void ask(Index n, std::uint64_t ticket, const std::string& prefix,
           std::optional<NodeId> root = {}) {
    asked_[ticket] = now_;
    perform(n, nodes_[n].book.ask(ticket, prefix, root, now_));
  }
  void kill(Index n) {
    nodes_[n].alive = false;
    const auto notice = chance(silent_deaths) ? std::chrono::seconds(15) : roll(latency_max);
    for (const auto& [pair, latency] : links_)
      if (pair.first == n || pair.second == n)
        see_down(pair.first == n ? pair.second : pair.first, n, notice);
  }
  void deliver(Index to, Index from, const Message& message) {
    auto& node = nodes_[to];
    if (!node.alive)
      return;
    if (const auto* query = std::get_if<JobQuery>(&message)) {
      node.depth.try_emplace({query->asker, query->query}, config_.hops - query->hops);
      depth_max = std::max<std::size_t>(depth_max, node.depth[{query->asker, query->query}]);
      perform(to, node.book.receive(nodes_[from].id, *query, now_));
    } else {
      perform(to, node.book.receive(nodes_[from].id, std::get<JobAnswer>(message), now_));
    }
  }
  void run() {
    while (!events_.empty()) {
      auto event = events_.top();
      events_.pop();
      now_ = event.at;
      event.happen();
    }
  }
  void later(Duration delay, std::function<void()> happen) {
    events_.push({now_ + delay, next_event_++, std::move(happen)});
  }

  Duration patience() const { return config_.patience_base + config_.hops * config_.patience_hop; }
  std::map<JobId, Index> roots;
  std::map<std::uint64_t, std::vector<JobStatus>> found; // By ticket.

private:
  using Name = std::pair<NodeId, std::uint64_t>;
  struct Node {
    NodeId id;
    JobBook book;
    bool alive;
    std::optional<Time> armed;
    std::map<Name, std::size_t> depth; // Of questions that came: how often they were passed on.
  };
  struct Event {
    Time at;
    std::uint64_t number;
    std::function<void()> happen;
    bool operator<(const Event& other) const {
      return std::tie(other.at, other.number) < std::tie(at, number);
    }
  };

  static void must(bool holds, const char* promise) {
    if (!holds)
      throw std::runtime_error(promise);
  }

  void perform(Index n, const JobBookEffects& effects) {
    for (const auto& effect : effects)
      if (const auto* send = std::get_if<SendTo>(&effect))
        carry(n, by_id_.at(send->to), send->message);
      else
        over(n, std::get<JobsFound>(effect));
    check(n);
    arm(n);
  }
  void carry(Index from, Index to, const Message& message) {
    must(from != to, "no node talks to itself");
    if (const auto* query = std::get_if<JobQuery>(&message)) {
      ++queries;
      must(asked_of_.insert({{query->asker, query->query}, from, to}).second || !floods_once,
           "no question is passed on twice");
    } else {
      ++answers;
    }
    const auto link = links_.find(std::minmax(from, to));
    const auto delay = link == links_.end() ? latency_max : link->second;
    if (!nodes_[to].alive && link == links_.end())
      return see_down(from, to, delay); // Unreachable.
    if (chance(loss))
      return;
    for (auto copies = chance(doubling) ? 2 : 1; copies; --copies)
      later(delay + roll(delay), [=, this] { deliver(to, from, message); });
  }
  void over(Index, const JobsFound& over) {
    must(found.emplace(over.ticket, over.jobs).second, "an ask ends once");
    must(now_ - asked_.at(over.ticket) <= patience(), "an ask ends within its patience");
    std::set<JobId> once;
    for (const auto& status : over.jobs) {
      must(roots.contains(status.spec->id), "what is found is rooted somewhere");
      must(once.insert(status.spec->id).second, "a job is found once");
    }
  }
  void check(Index n) {
    const auto held = nodes_[n].book.held();
    must(held.questions <= config_.questions_max + asked_.size(), "questions_max");
    must(held.seen <= config_.seen_max, "seen_max");
    must(held.askers <= config_.askers_max, "askers_max");
    must(held.found_bytes <= config_.found_bytes_max, "found_bytes_max");
    must(held.questions > 0 || held.found_bytes == 0, "what is over holds nothing");
  }
  void arm(Index n) {
    auto& node = nodes_[n];
    const auto due = node.book.next_wake();
    must(!due || *due <= now_ + patience(), "no question waits longer than an ask");
    if (!due || (node.armed && *node.armed <= *due))
      return;
    node.armed = due;
    later(std::max(Duration::zero(), *due - now_), [this, n, due] {
      if (nodes_[n].armed != due)
        return; // Stale: a sooner one came first.
      nodes_[n].armed.reset();
      if (nodes_[n].alive)
        perform(n, nodes_[n].book.wake(now_));
    });
  }
  void see_down(Index n, Index gone, Duration after) {
    later(after, [=, this] {
      if (nodes_[n].alive)
        perform(n, nodes_[n].book.peer_down(nodes_[gone].id, now_));
    });
  }

  std::mt19937_64 dice_;
  JobBookConfig config_;
  Time now_{};
  std::vector<Node> nodes_;
  std::map<NodeId, Index> by_id_;
  std::map<std::pair<Index, Index>, Duration> links_;
  std::map<std::uint64_t, Time> asked_;
  std::set<std::tuple<Name, Index, Index>> asked_of_;
  std::priority_queue<Event> events_;
  std::uint64_t next_event_ = 0;
};

} // namespace tessera::sim
