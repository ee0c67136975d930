#pragma once

#include "actors/scheduler.hpp"
#include "actors/unknown_job.hpp"
#include "tests/sim/serial_job.hpp"
#include "tests/sim/trace.hpp"

#include <cstdio>
#include <deque>
#include <functional>
#include <queue>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>

// Many nodes, each with a scheduler, jobs, slots, blobs and a journal; a network that loses,
// doubles, delays and reorders; one thread and one clock that jumps from event to event. A seed is
// a whole history. What the shells do, the world does; what the machines promise, it checks after
// each event.
namespace tessera::sim {

using Index = std::size_t; // Of a node.

struct Broken : std::runtime_error { // A promise was.
  using std::runtime_error::runtime_error;
};

struct Totals {
  std::uint64_t events = 0, kills = 0, restarts = 0, root_restarts = 0, leaves = 0, cuts = 0,
                lost_messages = 0, lost_grants = 0, doubled = 0, refusals = 0, crashes = 0,
                pulls = 0, blobs_gone = 0, ended = 0, outputs_excused = 0, pauses = 0;
  JobCounters jobs;

  void add(const JobCounters& c) {
    jobs.leaves_run += c.leaves_run;
    jobs.leaves_rerun += c.leaves_rerun;
    jobs.steals += c.steals;
    jobs.leases_given += c.leases_given;
    jobs.leases_reclaimed += c.leases_reclaimed;
    jobs.leases_returned += c.leases_returned;
    jobs.leases_void += c.leases_void;
    jobs.hand_backs += c.hand_backs;
    jobs.merges += c.merges;
    jobs.duplicates += c.duplicates;
    jobs.overlaps += c.overlaps;
    jobs.conflicts += c.conflicts;
    jobs.copies_asked += c.copies_asked;
    jobs.outputs_lost += c.outputs_lost;
  }
};

class World {
public:
  explicit World(std::uint64_t seed) : dice_(seed) {}

  // --- What may go wrong, of 1000.
  std::uint64_t loss = 0, grant_loss = 0, doubling = 0, worker_crashes = 0, silent_deaths = 0;
  Duration latency_max = std::chrono::milliseconds(20); // One way, each link its own.
  Duration jitter_max = std::chrono::milliseconds(5);
  std::uint64_t events_max = 400'000; // More is a livelock.
  Totals totals;
  bool trace = false;

  Time now() const { return now_; }
  std::uint64_t roll(std::uint64_t n) { return dice_() % n; }
  bool chance(std::uint64_t of_1000) { return of_1000 > 0 && roll(1000) < of_1000; }
  Duration roll(Duration max) { return Duration(1 + roll(std::uint64_t(max.count()))); }
  std::size_t size() const { return nodes_.size(); }
  bool alive(Index n) const { return nodes_[n].alive; }
  std::uint32_t slots(Index n) const { return nodes_[n].config.slots; }
  void set_pace(Index n, double pace) { nodes_[n].pace = pace; } // Of what its record says.

  // Each with two others, as an active view would.
  void acquaint() {
    for (Index n = 0; n < size(); ++n)
      for (const Index ahead : {Index{1}, Index(2 + dice_() % size())})
        if (const auto other = (n + ahead) % size(); other != n)
          dial(n, other);
  }

  Index add(JobConfig config) {
    const auto n = nodes_.size();
    for (std::size_t i = 0; i < config.self.key.size(); ++i)
      config.self.key[i] = std::uint8_t(roll(256));
    nodes_.emplace_back();
    nodes_[n].config = std::move(config);
    by_id_[nodes_[n].config.self] = n;
    boot(n);
    return n;
  }

  // Accepted means written: from here on the root's journal knows the job.
  JobId submit(Index root, std::uint64_t leaves, double leaf_ns, Form form,
               std::optional<std::uint64_t> poison = {}) {
    auto spec = std::make_shared<SignedSpec>();
    spec->spec.submitter = nodes_[root].config.self;
    spec->spec.kernel = "shape";
    spec->spec.items = leaves;
    spec->spec.ttl_ms = 600'000;
    for (auto& byte : spec->id.bytes)
      byte = std::uint8_t(roll(256));
    auto& job = jobs_.try_emplace(spec->id, SpecPtr(spec), form).first->second;
    job.work.leaf_ns = leaf_ns;
    job.work.poison = poison;
    job.root = root;
    nodes_[root].journal[spec->id];
    if (nodes_[root].alive)
      open_root(root, spec->id);
    settle(root);
    return spec->id;
  }

  void cancel(const JobId& id) {
    auto& job = jobs_.at(id);
    job.cancelled = true;
    auto& node = nodes_[job.root];
    if (auto here = node.jobs.find(id); here != node.jobs.end()) {
      perform(job.root, id, here->second.machine.cancel(now_));
      settle(job.root);
    }
  }

  // --- Faults ---

  void kill(Index n) {
    auto& node = nodes_[n];
    if (!node.alive)
      return;
    ++totals.kills;
    note("dies", n);
    for (auto& [id, job] : node.jobs)
      totals.add(job.machine.counters());
    node.alive = false;
    node.jobs.clear();
    node.slots.clear();
    node.local.clear();
    node.scheduler.reset();
    for (const auto& [blob, job] : node.blobs)
      if (!node.durable_blobs.contains(blob))
        losses_[blob].push_back({n, now_});
    node.blobs = node.durable_blobs; // What the journal names is on disk.
    const bool silent = chance(silent_deaths);
    for (Index other = 0; other < nodes_.size(); ++other)
      if (auto s = sessions_.find(pair(n, other)); s != sessions_.end()) {
        seen(s->second, n, other) = false;
        const auto delay = silent ? silence + roll(second()) : latency(n, other) + roll(jitter_max);
        see_down_later(other, n, s->second.number, delay);
      }
    later(std::chrono::seconds(1 + roll(20)), [this, n, boot = node.boot] {
      if (!nodes_[n].alive && nodes_[n].boot == boot)
        forget(n);
    });
  }

  void restart(Index n) {
    if (nodes_[n].alive)
      return;
    ++totals.restarts;
    note("is back", n);
    boot(n);
    for (const auto& [id, kept] : nodes_[n].journal)
      if (!kept.ended) {
        ++totals.root_restarts;
        open_root(n, id);
      }
    settle(n);
  }

  // An orderly leave: what it holds goes back; the process ends a little later.
  void leave(Index n) {
    auto& node = nodes_[n];
    if (!node.alive)
      return;
    ++totals.leaves;
    note("leaves", n);
    perform(n, node.scheduler->leave(now_));
    for (const auto& id : ids(node))
      if (auto job = node.jobs.find(id); job != node.jobs.end())
        perform(n, id, job->second.machine.hand_back(now_));
    settle(n);
  }

  // Its owner wants the machine: what its workers are at ends soon, or is given up.
  void pause(Index n) {
    auto& node = nodes_[n];
    if (!node.alive || node.left || std::exchange(node.paused, true))
      return;
    ++totals.pauses;
    note("pauses", n);
    perform(n, node.scheduler->pause(now_));
    for (const auto& id : ids(node))
      if (auto job = node.jobs.find(id); job != node.jobs.end())
        perform(n, id, job->second.machine.pause(now_));
    settle(n);
    later(std::chrono::milliseconds(500), [this, n, boot = node.boot] {
      if (nodes_[n].alive && nodes_[n].boot == boot && nodes_[n].paused)
        for (std::uint32_t number = 0; number < nodes_[n].slots.size(); ++number)
          give_up_leaves(n, number);
      settle(n);
    });
  }
  void resume(Index n) {
    auto& node = nodes_[n];
    if (!node.alive || !std::exchange(node.paused, false))
      return;
    perform(n, node.scheduler->resume(now_));
    for (const auto& id : ids(node))
      if (auto job = node.jobs.find(id); job != node.jobs.end())
        perform(n, id, job->second.machine.resume(now_));
    settle(n);
  }

  bool roots_unfinished(Index n) const {
    for (const auto& [id, kept] : nodes_[n].journal)
      if (!kept.ended)
        return true;
    return false;
  }

  // One way. After some silence the sessions over it close.
  void cut(Index from, Index to) {
    if (from == to || !cuts_.insert({from, to}).second)
      return;
    ++totals.cuts;
    if (auto s = sessions_.find(pair(from, to)); s != sessions_.end())
      for (auto [a, b] : {std::pair(from, to), std::pair(to, from)})
        later(silence + roll(second()), [this, a, b, from, to, number = s->second.number] {
          if (cuts_.contains({from, to}))
            see_down(a, b, number);
        });
  }
  void heal() {
    cuts_.clear();
    for (Index n = 0; n < nodes_.size(); ++n)
      publish(n);
  }

  // The connection breaks for no reason that lasts.
  void flap(Index a, Index b) {
    if (auto s = sessions_.find(pair(a, b)); a != b && s != sessions_.end()) {
      see_down_later(a, b, s->second.number, roll(second()));
      see_down_later(b, a, s->second.number, roll(second()));
      later(roll(3 * second()), [this, a, b] {
        if (nodes_[a].alive && !session_seen(a, b))
          dial(a, b);
      });
    }
  }

  // --- Time ---

  void later(Duration delay, std::function<void()> happen) {
    events_.push({now_ + std::max(delay, Duration(1)), order_++, std::move(happen)});
  }

  // Until `enough`, or the time is over: whether it was enough.
  bool run(Duration span, const std::function<bool()>& enough) {
    const Time end = now_ + span;
    while (!enough()) {
      if (events_.empty() || events_.top().at > end) {
        now_ = end;
        return enough();
      }
      auto event = events_.top();
      events_.pop();
      now_ = event.at;
      if (++totals.events > events_max)
        throw Broken("more events than a finite history has:" + story());
      event.happen();
    }
    return true;
  }

  // --- What must hold at last ---

  bool all_ended() const {
    for (const auto& [id, job] : jobs_)
      if (job.ends.empty())
        return false;
    return true;
  }

  bool quiet() const {
    for (const auto& node : nodes_)
      if (node.alive && (!node.jobs.empty() || working(node)))
        return false;
    return true;
  }

  void check_ends() {
    for (const auto& [id, job] : jobs_) {
      if (job.ends.size() != 1)
        throw Broken("a job ended " + std::to_string(job.ends.size()) + " times");
      const auto& end = job.ends[0];
      if (end.state == JobState::done) {
        if (job.work.poison)
          throw Broken("a job with a poisonous leaf was done");
        if (end.result != job.work.result())
          throw Broken("a result is not the serial run's");
      } else if (end.state == JobState::failed ? !job.work.poison : !job.cancelled) {
        throw Broken("a job ended as " + std::to_string(int(end.state)) + ": " +
                     to_text(end.error));
      }
    }
    for (const auto& node : nodes_)
      if (node.alive && !node.scheduler->load().slots_free && node.config.slots && !node.left &&
          !node.paused)
        throw Broken("a slot is occupied by nothing");
    if (totals.jobs.conflicts)
      throw Broken("two digests for one block");
  }

  // For messages about a failure.
  std::string story() const {
    std::string text;
    for (const auto& [id, job] : jobs_)
      if (job.ends.empty())
        text += " job " + to_hex(id).substr(0, 6) + " of " +
                std::to_string(job.work.tree().leaves()) + " leaves, rooted at " +
                std::to_string(job.root) + ", is not over;";
    for (Index n = 0; n < nodes_.size(); ++n) {
      const auto& node = nodes_[n];
      text += "\n  node " + std::to_string(n) + (node.alive ? "" : " (dead)") + ":";
      for (const auto& [id, job] : node.jobs) {
        const auto status = job.machine.status(now_);
        text += " " + to_hex(id).substr(0, 6) + (job.machine.rooted() ? "(root)" : "") + " done " +
                std::to_string(status.leaves_done) + " queued " +
                std::to_string(job.report.queued_leaves) + " runnable " +
                std::to_string(job.report.runnable) + ";";
      }
      if (working(node))
        text += " slots work;";
    }
    return text;
  }

  const std::map<NodeId, std::uint64_t>& leaves_by_node() const { return ran_; }
  NodeId id_of(Index n) const { return nodes_[n].config.self; }

private:
  static constexpr Duration silence = std::chrono::seconds(15);
  static constexpr Duration unnoticed_max = std::chrono::seconds(20); // A death.
  static Duration second() { return std::chrono::seconds(1); }

  struct Event {
    Time at;
    std::uint64_t order;
    std::function<void()> happen;
    bool operator<(const Event& other) const {
      return std::tie(other.at, other.order) < std::tie(at, order);
    }
  };

  struct JobFacts {
    JobFacts(SpecPtr spec, Form form) : work(std::move(spec), form) {}
    SerialJob work;
    Index root = 0;
    bool cancelled = false;
    std::vector<JobEnded> ends;
  };

  struct JobHere {
    Job machine;
    std::uint64_t number; // Of this life of the job on this node.
    QueueReport report;
    std::optional<Time> armed;
    std::map<Index, std::uint64_t> met{}; // Who, at which boot, as it was told.
  };
  struct Piece {
    JobId job;
    std::uint64_t life;
    WorkId id;
    Work work;
  };
  struct Slot {
    std::deque<Piece> pieces; // The first runs.
    std::uint64_t turn = 0;   // Changes when what runs changes.
  };
  struct Kept { // Of a rooted job, in the journal.
    std::map<Block, BlockResult> done;
    Holders holders;
    bool ended = false;
  };
  struct Node {
    JobConfig config;
    double pace = 1;
    bool alive = false, left = false, paused = false;
    std::optional<Scheduler> scheduler;
    std::optional<Time> armed;
    std::map<JobId, JobHere> jobs;
    std::vector<Slot> slots;
    std::map<BlobId, JobId> blobs, durable_blobs; // By the job that they belong to.
    std::map<JobId, Kept> journal;
    std::deque<std::function<void()>> local; // Messages among its actors.
    std::uint64_t boot = 0, sequence = 0;
    OwnLoad load{};
    bool publishing = false;
  };
  struct Session {
    std::uint64_t number = 0;
    bool up[2] = {}; // As the smaller and the larger index see it.
  };

  static std::pair<Index, Index> pair(Index a, Index b) { return {std::min(a, b), std::max(a, b)}; }
  static bool& seen(Session& s, Index by, Index of) { return s.up[by > of]; }
  static bool working(const Node& node) {
    for (const auto& slot : node.slots)
      if (!slot.pieces.empty())
        return true;
    return false;
  }
  static std::vector<JobId> ids(const Node& node) {
    std::vector<JobId> all;
    for (const auto& [id, job] : node.jobs)
      all.push_back(id);
    return all;
  }

  // --- Nodes ---

  void boot(Index n) {
    auto& node = nodes_[n];
    node.alive = true;
    node.left = node.paused = false;
    node.config.boot = ++node.boot;
    SchedulerConfig config;
    config.self = node.config.self;
    config.slots = node.config.slots;
    config.speed = node.config.speed;
    config.kernels = {"shape@1"};
    node.scheduler.emplace(config, dice_());
    node.armed.reset();
    node.slots.assign(std::max<std::uint32_t>(1, config.slots), Slot{});
    node.load = node.scheduler->load();
    publish(n);
    for (Index other = 0; other < nodes_.size(); ++other) // A newcomer is told who is there.
      if (other != n && nodes_[other].alive)
        publish(other);
  }

  void open_root(Index n, const JobId& id) {
    const auto& facts = jobs_.at(id);
    std::vector<BlockResult> frontier;
    for (const auto& [block, result] : nodes_[n].journal.at(id).done)
      frontier.push_back(result);
    open(n, id,
         Job::root(nodes_[n].config, facts.work.spec(), std::move(frontier), dice_(), now_,
                   nodes_[n].journal.at(id).holders));
    if (facts.cancelled)
      perform(n, id, nodes_[n].jobs.at(id).machine.cancel(now_));
  }

  void open(Index n, const JobId& id, Job machine) {
    auto& node = nodes_[n];
    node.jobs.insert_or_assign(id, JobHere{std::move(machine), ++lives_, {}, {}});
    const auto& spec = jobs_.at(id).work.spec()->spec;
    perform(n, node.scheduler->job_opened(id, spec.submitter, "shape@1", now_));
    auto& job = node.jobs.at(id).machine;
    if (node.paused)
      perform(n, id, job.pause(now_));
    perform(n, id, job.start(now_));
    for (Index other = 0; other < nodes_.size(); ++other)
      if (session_seen(n, other)) // As the mesh tells a new actor.
        meet(n, id, other, nodes_[other].boot);
  }

  void meet(Index n, const JobId& id, Index other, std::uint64_t boot) {
    auto& job = nodes_[n].jobs.at(id);
    job.met[other] = boot;
    perform(n, id, job.machine.peer_up(nodes_[other].config.self, boot, now_));
  }

  // Its actors read their letters; then each machine of it is checked, and its wake-up set.
  void settle(Index n) {
    auto& node = nodes_[n];
    while (node.alive && !node.local.empty()) {
      auto read = std::move(node.local.front());
      node.local.pop_front();
      read();
    }
    if (!node.alive)
      return;
    for (auto& [id, job] : node.jobs) {
      if (touched_.erase({n, id}))
        job.machine.check();
      arm(n, id, job);
    }
    arm(n);
  }

  void arm(Index n, const JobId& id, JobHere& job) {
    const auto due = job.machine.next_wake();
    if (!due || (job.armed && *job.armed <= *due))
      return;
    job.armed = due;
    later(*due - now_, [this, n, id, life = job.number, due] {
      auto& node = nodes_[n];
      const auto here = node.jobs.find(id);
      if (here == node.jobs.end() || here->second.number != life || here->second.armed != due)
        return; // Or stale: a sooner one came first.
      here->second.armed.reset();
      perform(n, id, here->second.machine.wake(now_));
      settle(n);
    });
  }
  void arm(Index n) {
    auto& node = nodes_[n];
    const auto due = node.scheduler->next_wake();
    if (!due || (node.armed && *node.armed <= *due))
      return;
    node.armed = due;
    later(*due - now_, [this, n, boot = node.boot, due] {
      auto& node = nodes_[n];
      if (!node.alive || node.boot != boot || node.armed != due)
        return;
      node.armed.reset();
      perform(n, node.scheduler->wake(now_));
      settle(n);
    });
  }

  // Between two actors of one process: later, in order.
  void local(Index n, std::function<void()> letter) {
    nodes_[n].local.push_back(std::move(letter));
  }
  void tell_scheduler(Index n, std::function<SchedulerEffects(Scheduler&)> letter) {
    local(n, [this, n, letter = std::move(letter)] { perform(n, letter(*nodes_[n].scheduler)); });
  }
  void tell_job(Index n, const JobId& id, std::function<JobEffects(Job&)> letter) {
    local(n, [this, n, id, letter = std::move(letter)] {
      if (auto job = nodes_[n].jobs.find(id); job != nodes_[n].jobs.end())
        perform(n, id, letter(job->second.machine));
    });
  }

  // --- What schedulers want ---

  void perform(Index n, SchedulerEffects effects) {
    for (auto& effect : effects)
      std::visit([&](auto& e) { on(n, e); }, effect);
  }
  void on(Index n, SendTo& send) { this->send(n, send); }
  void on(Index n, TakeWork& take) {
    local(n, [this, n, take] {
      const auto job = nodes_[n].jobs.find(take.job);
      if (job == nodes_[n].jobs.end())
        return; // Its end frees the place.
      auto effects = job->second.machine.take(take.slot, now_);
      bool got = false;
      for (const auto& effect : effects)
        got |= std::holds_alternative<StartWork>(effect);
      perform(n, take.job, std::move(effects));
      tell_scheduler(n, [=, this](Scheduler& s) { return s.took(take.job, take.slot, got, now_); });
    });
  }
  void on(Index n, GiveWork& give) {
    tell_job(n, give.job,
             [=, this](Job& job) { return job.give(give.asker, give.ask, give.share, now_); });
  }
  void on(Index n, AcceptLeases& accepted) {
    if (!nodes_[n].jobs.contains(accepted.spec->id))
      open(n, accepted.spec->id, Job::lessee(nodes_[n].config, accepted.spec, dice_(), now_));
    for (const auto& lease : accepted.leases)
      tell_job(n, lease.job, [=, this, lessor = accepted.lessor](Job& job) {
        return job.leased(lessor, lease, now_);
      });
  }
  void on(Index n, WantSession& want) { dial(n, by_id_.at(want.peer)); }
  void on(Index n, OwnLoad& load) {
    nodes_[n].load = load;
    if (std::exchange(nodes_[n].publishing, true))
      return;
    later(std::chrono::milliseconds(250), [this, n] { publish(n); });
  }

  // --- What jobs want ---

  void perform(Index n, const JobId& id, JobEffects effects) {
    touched_.insert({n, id});
    for (auto& effect : effects)
      std::visit([&](auto& e) { on(n, id, e); }, effect);
  }
  void on(Index n, const JobId&, SendTo& send) { this->send(n, send); }
  void on(Index n, const JobId& id, StartWork& start) {
    auto& node = nodes_[n];
    auto& slot = node.slots.at(start.slot);
    if ((node.config.slots == 0 || node.paused) && std::holds_alternative<RunWork>(start.work))
      throw Broken("a node without slots, or paused, runs a leaf");
    slot.pieces.push_back({id, node.jobs.at(id).number, start.id, std::move(start.work)});
    if (slot.pieces.size() == 1)
      begin_piece(n, start.slot);
  }
  void on(Index n, const JobId& id, PullBlob& pull) {
    ++totals.pulls;
    later(roll(latency_max),
          [=, this, life = nodes_[n].jobs.at(id).number] { fetch(n, id, life, pull); });
  }
  void on(Index n, const JobId& id, JournalBlocks& blocks) {
    for (const auto& r : blocks.done) {
      check_partial(id, r);
      if (r.partial.size > partial_inline_bytes_max && !nodes_[n].blobs.contains(r.partial.digest))
        throw Broken("a root journals bytes that it does not have");
    }
    // Written somewhat before it is told: a kill may come between.
    later(roll(std::chrono::milliseconds(10)), [=, this, boot = nodes_[n].boot] {
      auto& node = nodes_[n];
      if (!node.alive || node.boot != boot)
        return;
      write(node, id, blocks);
      later(roll(std::chrono::milliseconds(5)), [=, this] {
        if (nodes_[n].boot == boot)
          tell_job(n, id, [=, this](Job& job) { return job.journaled(blocks.sequence, now_); });
        settle(n);
      });
    });
  }
  void on(Index n, const JobId& id, QueueReport& report) {
    nodes_[n].jobs.at(id).report = report;
    tell_scheduler(n, [=, this](Scheduler& s) { return s.queue_changed(id, report, now_); });
  }
  void on(Index, const JobId&, PartDone&) {}
  void on(Index n, const JobId& id, JobEnded& end) {
    auto& facts = jobs_.at(id);
    if (facts.root != n)
      throw Broken("a job ended where it is not rooted");
    facts.ends.push_back(end);
    check_output(facts.work, end.result);
    note("ends a job", n);
    nodes_[n].journal.at(id).ended = true;
    ++totals.ended;
  }
  void on(Index n, const JobId& id, JobIdle& idle) {
    local(n, [this, n, id, keep = idle.keep] {
      auto& node = nodes_[n];
      const auto job = node.jobs.find(id);
      if (job == node.jobs.end())
        return;
      if (job->second.machine.rooted() && jobs_.at(id).ends.empty())
        throw Broken("a root is idle before its job is over");
      job->second.machine.check();
      totals.add(job->second.machine.counters());
      const bool keeps = keep && jobs_.at(id).work.ordered();
      if (!job->second.machine.rooted() &&
          !keeps) // Nobody here keeps its blobs from eviction any more.
        std::erase_if(node.blobs, [&](const auto& blob) { return blob.second == id; });
      node.jobs.erase(job);
      drop_work(n, id);
      tell_scheduler(n, [=, this](Scheduler& s) { return s.job_closed(id, now_); });
    });
  }

  // --- Slots ---

  void begin_piece(Index n, std::uint32_t number) {
    auto& slot = nodes_[n].slots[number];
    const auto turn = ++slot.turn;
    if (slot.pieces.empty())
      return;
    later(duration_of(n, slot.pieces.front()), [this, n, number, turn, boot = nodes_[n].boot] {
      auto& node = nodes_[n];
      if (!node.alive || node.boot != boot || node.slots[number].turn != turn)
        return;
      if (chance(worker_crashes) && may_crash(node.slots[number]))
        crash(n, number);
      else
        end_piece(n, number);
      settle(n);
    });
  }

  Duration duration_of(Index n, const Piece& piece) {
    const auto& work = jobs_.at(piece.job).work;
    double leaves = 0.05; // A merge, or finish.
    if (const auto* run = std::get_if<RunWork>(&piece.work))
      leaves = double(work.tree().size(run->block));
    const auto ns = leaves * work.leaf_ns / (nodes_[n].config.speed * nodes_[n].pace) *
                    (0.8 + double(roll(400)) / 1000);
    return std::chrono::duration_cast<Duration>(std::chrono::nanoseconds(std::int64_t(ns)));
  }

  void end_piece(Index n, std::uint32_t number) {
    auto& slot = nodes_[n].slots[number];
    auto piece = std::move(slot.pieces.front());
    slot.pieces.pop_front();
    begin_piece(n, number);
    const bool scheduler_first = chance(500);
    const auto free = [=, this](Scheduler& s) { return s.slot_free(number, now_); };
    if (scheduler_first)
      tell_scheduler(n, free);
    answer(n, piece);
    if (!scheduler_first)
      tell_scheduler(n, free);
  }

  void answer(Index n, const Piece& piece) {
    const auto job = nodes_[n].jobs.find(piece.job);
    if (job == nodes_[n].jobs.end() || job->second.number != piece.life)
      return;
    const auto partial = computed(n, piece);
    tell_job(n, piece.job, [=, this, id = piece.id](Job& job) {
      if (!partial.ok())
        return job.work_failed(id, partial.error(), now_);
      return job.work_done(id, *partial, partial->digest, 1000, now_);
    });
  }

  Result<Partial> computed(Index n, const Piece& piece) {
    const auto& work = jobs_.at(piece.job).work;
    const auto& node = nodes_[n];
    Partial made;
    if (const auto* run = std::get_if<RunWork>(&piece.work)) {
      const auto& tree = work.tree();
      if (work.poison && tree.begin(run->block) <= *work.poison &&
          *work.poison < tree.end(run->block))
        return Error{"E720", "the kernel said no", "a poisonous leaf", "leave it out"};
      ran_[node.config.self] += tree.size(run->block);
      made = work.serial(run->block);
    } else {
      const auto* merge = std::get_if<MergeWork>(&piece.work);
      const auto* finish = std::get_if<FinishWork>(&piece.work);
      for (const auto* part :
           {merge ? &merge->left : &finish->partial, merge ? &merge->right : &finish->partial})
        if (part->size > partial_inline_bytes_max && !node.blobs.contains(part->digest))
          return Error{"E710", "a blob is not here", "it was not pulled", "pull it"};
      made = merge ? work.merge(merge->left, merge->right) : work.finish(finish->partial);
    }
    if (made.size > partial_inline_bytes_max)
      nodes_[n].blobs[made.digest] = piece.job;
    if (const auto* merge = std::get_if<MergeWork>(&piece.work))
      put_aside(n, piece.job, *merge, made);
    else if (std::holds_alternative<RunWork>(piece.work))
      for (const auto& blob : work.under(made))
        nodes_[n].blobs[blob] = piece.job;
    return made;
  }

  // A merge of manifests makes those only that are neither side's.
  void put_aside(Index n, const JobId& id, const MergeWork& merge, const Partial& made) {
    if (!made.manifest)
      return;
    std::set<BlobId> before;
    for (const auto* side : {&merge.left, &merge.right})
      for (const auto manifest = *Manifest::of(side->bytes); const auto& part : manifest.parts)
        before.insert(part.blob);
    for (const auto manifest = *Manifest::of(made.bytes); const auto& part : manifest.parts)
      if (!before.contains(part.blob))
        nodes_[n].blobs[part.blob] = id;
  }

  // Not so often over one block that the kernel must be blamed.
  bool may_crash(const Slot& slot) {
    for (const auto& piece : slot.pieces)
      if (const auto* run = std::get_if<RunWork>(&piece.work);
          run && ++crashed_[{piece.job, run->block}] > 2)
        return false;
    return true;
  }

  // The worker process died: all in its care failed, by no fault of the kernel.
  void crash(Index n, std::uint32_t number) {
    ++totals.crashes;
    note("loses a worker", n);
    auto lost = std::exchange(nodes_[n].slots[number].pieces, {});
    ++nodes_[n].slots[number].turn;
    tell_scheduler(n, [=, this](Scheduler& s) { return s.slot_reset(number, now_); });
    for (const auto& piece : lost)
      if (auto job = nodes_[n].jobs.find(piece.job);
          job != nodes_[n].jobs.end() && job->second.number == piece.life)
        tell_job(n, piece.job, [=, this, id = piece.id](Job& job) {
          return job.work_failed(id, {"E710", "a worker process died", "it was killed", ""}, now_);
        });
  }

  // As a slot of a paused node does.
  void fail(Index n, std::uint32_t number, const Piece& piece) {
    tell_scheduler(n, [=, this](Scheduler& s) { return s.slot_free(number, now_); });
    if (auto job = nodes_[n].jobs.find(piece.job);
        job != nodes_[n].jobs.end() && job->second.number == piece.life)
      tell_job(n, piece.job, [=, this, id = piece.id](Job& job) {
        return job.work_failed(id, {paused_code, "this node is paused", "", ""}, now_);
      });
  }
  void give_up_leaves(Index n, std::uint32_t number) {
    auto& pieces = nodes_[n].slots[number].pieces;
    if (pieces.empty() || !std::holds_alternative<RunWork>(pieces.front().work))
      return;
    const auto lost = std::exchange(pieces, {});
    ++nodes_[n].slots[number].turn;
    for (const auto& piece : lost)
      fail(n, number, piece);
  }

  void drop_work(Index n, const JobId& id) {
    auto& slots = nodes_[n].slots;
    for (std::uint32_t number = 0; number < slots.size(); ++number) {
      auto& pieces = slots[number].pieces;
      const bool runs = !pieces.empty() && pieces.front().job == id;
      const auto dropped = std::erase_if(pieces, [&](const Piece& p) { return p.job == id; });
      for (std::size_t i = 0; i < dropped; ++i)
        tell_scheduler(n, [=, this](Scheduler& s) { return s.slot_free(number, now_); });
      if (runs)
        begin_piece(n, number);
    }
  }

  // --- Blobs and journal ---

  std::optional<Index> holder_of(Index n, const PullBlob& pull) const {
    const auto has = [&](Index o) {
      return o != n && nodes_[o].alive && nodes_[o].blobs.contains(pull.blob) &&
             !cuts_.contains({n, o}) && !cuts_.contains({o, n});
    };
    for (const auto& holder : pull.holders)
      if (const auto named = by_id_.find(holder); named != by_id_.end() && has(named->second))
        return named->second;
    for (Index o = 0; o < nodes_.size(); ++o)
      if (has(o))
        return o;
    return std::nullopt;
  }

  void fetch(Index n, const JobId& id, std::uint64_t life, const PullBlob& pull) {
    const auto here = nodes_[n].jobs.find(id);
    if (here == nodes_[n].jobs.end() || here->second.number != life)
      return;
    if (!pull.manifest.empty() ? copied(n, id, pull)
                               : nodes_[n].blobs.contains(pull.blob) || holder_of(n, pull)) {
      if (pull.manifest.empty())
        nodes_[n].blobs[pull.blob] = id;
      tell_job(n, id, [=, this](Job& job) { return job.blob_here(pull.blob, now_); });
    } else {
      ++totals.blobs_gone;
      gone_.insert({n, pull.blob});
      tell_job(n, id, [=, this](Job& job) { return job.blob_gone(pull.blob, now_); });
    }
    settle(n);
  }

  // All that lies under a manifest, from those who are said to have it, and from nobody else.
  bool copied(Index n, const JobId& id, const PullBlob& pull) {
    bool all = true;
    for (const auto& blob : jobs_.at(id).work.under({pull.blob, pull.size, pull.manifest, true}))
      if (nodes_[n].blobs.contains(blob) || given_by_holder(n, blob, pull.holders))
        nodes_[n].blobs[blob] = id;
      else
        all = false;
    return all;
  }
  bool given_by_holder(Index n, const BlobId& blob, const std::vector<NodeId>& holders) const {
    return std::any_of(holders.begin(), holders.end(), [&](const NodeId& holder) {
      const auto o = by_id_.at(holder);
      return nodes_[o].alive && nodes_[o].blobs.contains(blob) && !cuts_.contains({n, o}) &&
             !cuts_.contains({o, n});
    });
  }

  // What a result names somebody has, unless two who had it died just now.
  void check_output(const SerialJob& work, const Partial& result) {
    for (const auto& blob : work.under(result)) {
      if (std::any_of(nodes_.begin(), nodes_.end(),
                      [&](const Node& node) { return node.alive && node.blobs.contains(blob); }))
        continue;
      std::set<Index> lately;
      for (const auto& [n, at] : losses_[blob])
        if (now_ - at < unnoticed_max)
          lately.insert(n);
      if (lately.size() < 2)
        throw Broken("a result names bytes that nobody has");
      ++totals.outputs_excused;
    }
  }

  void write(Node& node, const JobId& id, const JournalBlocks& blocks) {
    for (const auto& r : blocks.done) {
      node.journal.at(id).done[r.block] = r;
      if (r.partial.size > partial_inline_bytes_max)
        node.durable_blobs[r.partial.digest] = id;
      for (const auto& blob : jobs_.at(id).work.under(r.partial))
        if (node.blobs.contains(blob))
          node.durable_blobs[blob] = id;
    }
    for (const auto& [manifest, holders] : blocks.holders)
      node.journal.at(id).holders[manifest] = holders;
  }

  void check_partial(const JobId& id, const BlockResult& r) {
    const auto& work = jobs_.at(id).work;
    if (!work.tree().valid(r.block) || r.partial != work.serial(r.block))
      throw Broken("a block's partial is not the serial run's");
  }

  // --- Network ---

  void note(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }
  void note(const char* what, Index n) {
    if (trace)
      std::fprintf(stderr, "%f  %zu %s\n",
                   std::chrono::duration<double>(now_.time_since_epoch()).count(), n, what);
  }

  Duration latency(Index a, Index b) const {
    const auto [x, y] = pair(a, b);
    return Duration(1 + std::int64_t(mixed(x * 977 + y) % std::uint64_t(latency_max.count())));
  }
  bool session_seen(Index a, Index b) {
    const auto s = sessions_.find(pair(a, b));
    return a != b && s != sessions_.end() && seen(s->second, a, b);
  }

  void send(Index from, SendTo& send) {
    const auto known = by_id_.find(send.to);
    if (known == by_id_.end() || known->second == from)
      throw Broken("a message to nobody");
    if (trace)
      note(told(now_, from, known->second, send.message));
    check_message(from, known->second, send.message);
    auto message = std::make_shared<const Message>(std::move(send.message));
    if (session_seen(from, known->second)) {
      transmit(from, known->second, message);
      return;
    }
    auto& waiting = dialling_[{from, known->second}];
    if (waiting.size() < 64)
      waiting.push_back(message);
    dial(from, known->second);
  }

  void transmit(Index from, Index to, std::shared_ptr<const Message> message) {
    const auto* grant = std::get_if<Grant>(message.get());
    const bool grant_lost = grant && !grant->leases.empty() && chance(grant_loss);
    totals.lost_grants += grant_lost;
    if (grant_lost || chance(loss) || cuts_.contains({from, to})) {
      ++totals.lost_messages;
      return;
    }
    const auto number = sessions_.at(pair(from, to)).number;
    const int copies = chance(doubling) ? 2 : 1;
    totals.doubled += copies - 1;
    for (int i = 0; i < copies; ++i)
      later(latency(from, to) + roll(jitter_max), [=, this] {
        const auto s = sessions_.find(pair(from, to));
        if (s == sessions_.end() || s->second.number != number || !session_seen(to, from))
          return;
        arrive(to, from, message);
      });
  }

  // As the scheduler's shell routes.
  void arrive(Index at, Index from, std::shared_ptr<const Message> message) {
    auto& node = nodes_[at];
    if (!node.alive)
      return;
    const auto sender = nodes_[from].config.self;
    const auto job = std::visit(
        [](const auto& m) -> std::optional<JobId> {
          if constexpr (requires { m.job; })
            return m.job;
          else
            return std::nullopt;
        },
        *message);
    if (!job)
      tell_scheduler(at, [=, this](Scheduler& s) {
        auto effects = s.receive(sender, *message, now_);
        check_answer(at, from, *message, effects);
        return effects;
      });
    else if (node.jobs.contains(*job))
      tell_job(at, *job, [=, this](Job& j) { return j.receive(sender, *message, now_); });
    else if (auto word = answer_for_unknown(*message)) {
      SendTo back{sender, std::move(*word)};
      send(at, back);
    }
    settle(at);
  }

  // What is wrong whoever receives it.
  void check_message(Index from, Index to, const Message& message) {
    totals.refusals += std::holds_alternative<LeaseRefused>(message);
    if (const auto* grant = std::get_if<Grant>(&message))
      for (const auto& lease : grant->leases) {
        if (lease.path.empty() || lease.path.back() != nodes_[from].config.self)
          throw Broken("a lease's path does not end at its lessor");
        if (std::find(lease.path.begin(), lease.path.end(), nodes_[to].config.self) !=
            lease.path.end())
          throw Broken("a grant went to a node on the lease's path");
        const auto boot = nodes_[from].jobs.at(lease.job).met[to];
        if (!leases_.insert({{nodes_[from].config.self, lease.id}, boot}).second)
          throw Broken("a lease id was used twice");
      }
    if (const auto* table = std::get_if<LeaseTable>(&message))
      for (const auto& row : table->rows)
        if (row.lessor)
          check_boot(from, to, table->job, row.lease);
    if (const auto* result = std::get_if<LeaseResult>(&message)) {
      for (const auto& r : result->done)
        check_partial(result->job, r);
      auto& blocks = sent_[{from, to, result->lease, result->sequence}];
      blocks = result->done;
    }
    if (const auto* receipt = std::get_if<Receipt>(&message); receipt && receipt->covered)
      check_custody(from, to, *receipt);
  }

  // What a boot of a thief held ends with it (L4).
  void check_boot(Index from, Index to, const JobId& job, LeaseId lease) {
    const auto then = leases_.at({nodes_[from].config.self, lease});
    if (then != 0 && then != nodes_[from].jobs.at(job).met[to])
      throw Broken("L4: a lease of an old boot is still open");
  }

  // No lease of a grant is left in the dark: accepted, or refused aloud.
  void check_answer(Index at, Index from, const Message& message, const SchedulerEffects& effects) {
    const auto* grant = std::get_if<Grant>(&message);
    if (!grant || grant->leases.empty() || !grants_.insert({at, from, grant->leases[0].id}).second)
      return;
    std::size_t answered = 0;
    for (const auto& effect : effects)
      if (const auto* accepted = std::get_if<AcceptLeases>(&effect))
        answered += accepted->leases.size();
      else if (const auto* send = std::get_if<SendTo>(&effect))
        answered += std::holds_alternative<LeaseRefused>(send->message);
    if (answered != grant->leases.size())
      throw Broken("a grant was neither accepted nor refused");
  }

  // A root says that it has something for good only when that is written.
  void check_custody(Index from, Index to, const Receipt& receipt) {
    const auto& facts = jobs_.at(receipt.job);
    if (facts.root != from || !facts.ends.empty())
      return;
    const auto& kept = nodes_[from].journal.at(receipt.job).done;
    const auto& tree = facts.work.tree();
    std::vector<BlockResult> brought;
    for (std::uint64_t sequence = 1; sequence <= receipt.sequence; ++sequence)
      if (const auto s = sent_.find({to, from, receipt.lease, sequence}); s != sent_.end())
        brought.insert(brought.end(), s->second.begin(), s->second.end());
    // What its bytes were gone of is as if it had not come, and so is what it had replaced.
    const auto in_vain = [&](Block block) {
      return std::any_of(brought.begin(), brought.end(), [&](const BlockResult& r) {
        return tree.contains(r.block, block) && gone_.contains({from, r.partial.digest});
      });
    };
    for (const auto& r : brought)
      if (!in_vain(r.block) && !written_above(kept, tree, r.block) &&
          !written_below(kept, tree, r.block))
        throw Broken("a receipt for what is not written: block " + text_of(r.block) + " of lease " +
                     std::to_string(receipt.lease % 100000));
  }
  using Written = std::map<Block, BlockResult>;
  static bool written_above(const Written& kept, const BlockTree& tree, Block block) {
    for (std::optional<Block> b = block; b; b = tree.parent(*b))
      if (kept.contains(*b))
        return true;
    return false;
  }
  static bool written_below(const Written& kept, const BlockTree& tree, Block block) {
    if (kept.contains(block) || tree.size(block) == 1)
      return kept.contains(block);
    const auto [left, right] = tree.halves(block);
    return written_below(kept, tree, left) && written_below(kept, tree, right);
  }

  void dial(Index a, Index b) {
    if (!nodes_[a].alive || !dialled_.insert({a, b}).second)
      return;
    const auto rtt = 2 * latency(a, b);
    later(2 * rtt, [this, a, b, boot = nodes_[a].boot] {
      dialled_.erase({a, b});
      auto waiting = std::exchange(dialling_[{a, b}], {});
      dialling_.erase({a, b});
      if (!nodes_[a].alive || nodes_[a].boot != boot)
        return;
      const bool way = !cuts_.contains({a, b}) && !cuts_.contains({b, a});
      if (nodes_[b].alive && way) {
        if (!session_seen(a, b))
          establish(a, b);
        for (auto& message : waiting)
          transmit(a, b, message);
      } else {
        unreachable(a, b);
      }
    });
  }

  void establish(Index a, Index b) {
    auto& s = sessions_[pair(a, b)];
    s.number = ++session_numbers_;
    for (auto [x, y] : {std::pair(a, b), std::pair(b, a)}) {
      // A side that still held an old session moves over, with or without a word.
      if (std::exchange(seen(s, x, y), true) && chance(500))
        peer_down(x, y);
      peer_up(x, y);
    }
  }

  void peer_up(Index n, Index other) {
    const auto peer = nodes_[other].config.self;
    const auto boot = nodes_[other].boot;
    tell_scheduler(n, [=, this](Scheduler& s) { return s.peer_up(peer, now_); });
    tell_scheduler(n, [=, this, rtt = 2 * latency(n, other)](Scheduler& s) {
      return s.rtt_measured(peer, rtt, now_);
    });
    for (const auto& id : ids(nodes_[n]))
      local(n, [=, this] {
        if (nodes_[n].jobs.contains(id))
          meet(n, id, other, boot);
      });
    settle(n);
  }
  void peer_down(Index n, Index other) {
    const auto peer = nodes_[other].config.self;
    note("sees a session end", n);
    tell_scheduler(n, [=, this](Scheduler& s) { return s.peer_down(peer, now_); });
    for (const auto& id : ids(nodes_[n]))
      tell_job(n, id, [=, this](Job& job) { return job.peer_down(peer, now_); });
    settle(n);
  }
  void unreachable(Index n, Index other) {
    const auto peer = nodes_[other].config.self;
    tell_scheduler(n, [=, this](Scheduler& s) { return s.peer_unreachable(peer, now_); });
    for (const auto& id : ids(nodes_[n]))
      tell_job(n, id, [=, this](Job& job) { return job.peer_down(peer, now_); });
    settle(n);
  }

  void see_down_later(Index by, Index of, std::uint64_t number, Duration delay) {
    later(delay, [=, this] { see_down(by, of, number); });
  }
  void see_down(Index by, Index of, std::uint64_t number) {
    const auto s = sessions_.find(pair(by, of));
    if (s == sessions_.end() || s->second.number != number || !nodes_[by].alive)
      return;
    if (std::exchange(seen(s->second, by, of), false))
      peer_down(by, of);
  }

  // --- Records ---

  void publish(Index n) {
    auto& node = nodes_[n];
    node.publishing = false;
    if (!node.alive)
      return;
    Record record;
    record.subject = node.config.self;
    record.boot = node.boot;
    record.sequence = ++node.sequence;
    record.slots = node.config.slots;
    record.speed = node.config.speed;
    record.slots_free = node.load.slots_free;
    record.stealable_ns = node.load.stealable_ns;
    record.kernels = {"shape@1"};
    const auto shared = std::make_shared<const Record>(std::move(record));
    for (Index other = 0; other < nodes_.size(); ++other)
      if (other != n && nodes_[other].alive && !cuts_.contains({n, other}))
        later(latency(n, other) + roll(std::chrono::milliseconds(200)), [=, this] {
          auto& newest = newest_[{other, n}];
          const auto version = std::pair(shared->boot, shared->sequence);
          if (!nodes_[other].alive || newest > version)
            return;
          newest = version;
          perform(other, nodes_[other].scheduler->peer_record(*shared, now_));
          settle(other);
        });
  }
  void forget(Index n) {
    for (Index other = 0; other < nodes_.size(); ++other)
      if (nodes_[other].alive) {
        perform(other, nodes_[other].scheduler->peer_forgotten(nodes_[n].config.self, now_));
        settle(other);
      }
  }

  std::mt19937_64 dice_;
  Time now_{};
  std::uint64_t order_ = 0, lives_ = 0, session_numbers_ = 0;
  std::priority_queue<Event> events_;
  std::deque<Node> nodes_;
  std::map<NodeId, Index> by_id_;
  std::map<JobId, JobFacts> jobs_;
  std::set<std::pair<Index, JobId>> touched_;
  std::map<std::pair<Index, Index>, Session> sessions_;
  std::set<std::pair<Index, Index>> cuts_, dialled_;
  std::map<std::pair<Index, Index>, std::vector<std::shared_ptr<const Message>>> dialling_;
  std::map<std::pair<Index, Index>, std::pair<std::uint64_t, std::uint64_t>> newest_;
  std::map<std::pair<NodeId, LeaseId>, std::uint64_t> leases_; // And the boot of the thief.
  std::set<std::tuple<Index, Index, LeaseId>> grants_;         // That arrived.
  // Results, by thief, taker, lease and sequence.
  std::map<std::tuple<Index, Index, LeaseId, std::uint64_t>, std::vector<BlockResult>> sent_;
  std::set<std::pair<Index, BlobId>> gone_; // Told so, once.
  std::map<NodeId, std::uint64_t> ran_;
  std::map<std::pair<JobId, Block>, int> crashed_;
  std::map<BlobId, std::vector<std::pair<Index, Time>>> losses_;
};

} // namespace tessera::sim
