#pragma once

#include "net/membership.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

// Many Memberships, one thread, one clock that jumps from event to event. Sessions are reliable and
// ordered until they are cut; dials may be lost; nodes die, restart, and are parted. A seed is a
// whole history. After each event the invariants of the node it happened to are checked; a broken
// one throws.
namespace tessera::sim {

using namespace std::chrono_literals;

inline NodeId node_id(std::size_t index) {
  std::uint64_t mixed = (index + 1) * 0x9e3779b97f4a7c15ULL; // So that ids are not in order.
  mixed ^= mixed >> 29;
  NodeId id;
  for (std::size_t i = 0; i < 8; ++i) {
    id.key[i] = std::uint8_t(mixed >> (8 * i));
    id.key[8 + i] = std::uint8_t(index >> (8 * i));
  }
  return id;
}

inline std::size_t index_of(const NodeId& id) {
  return id.key[8] + 256u * id.key[9];
}

inline Address address_of(std::size_t index) {
  return {"10.0." + std::to_string(index / 256) + "." + std::to_string(index % 256), 7700};
}

inline std::shared_ptr<const SignedRecord> sealed(const Record& record) {
  auto made = std::make_shared<SignedRecord>();
  made->record = record;
  made->seal.key = record.subject;
  return made;
}

// About what the codec makes of it.
struct Size {
  std::size_t operator()(const Records& m) const { return 16 + 360 * m.records.size(); }
  std::size_t operator()(const ForwardJoin&) const { return 96; }
  std::size_t operator()(const Shuffle& m) const { return 96 + 72 * m.sample.size(); }
  std::size_t operator()(const ShuffleReply& m) const { return 32 + 72 * m.sample.size(); }
  template<class M>
  std::size_t operator()(const M&) const {
    return 32;
  }
};

class MeshWorld {
public:
  struct Node {
    std::size_t index = 0;
    std::optional<Membership> machine;
    MembershipConfig config;
    Record own;
    std::uint64_t boot = 0;
    std::uint64_t life = 0; // Of this process; 0 before the first start.
    std::vector<PeerAddress> saved;
    std::map<NodeId, SessionKey> up; // As PeerUp, PeerMoved and PeerDown told.
    std::map<SessionKey, std::size_t> open;
    std::set<SessionKey> dialling;
    std::map<NodeId, std::string> unreachable;
    std::map<NodeId, std::shared_ptr<const SignedRecord>> news; // As RecordNews told.
    SessionKey next_accepted = 1;
    std::optional<Time> wakes;
    std::uint64_t messages = 0, bytes = 0, dials = 0, saves = 0;
    int island = 0;
  };

  explicit MeshWorld(std::uint64_t seed) : dice_(seed) {}

  double dial_loss = 0;
  Duration latency_min = 1ms, latency_max = 40ms;
  std::uint64_t moved = 0, cuts = 0; // What happened, to show that it did.
  std::map<std::size_t, std::uint64_t> dialled_to;

  Node& add(const std::vector<std::size_t>& seeds, MembershipConfig config = {}) {
    Node node;
    node.index = nodes_.size();
    node.config = std::move(config);
    node.config.self = node_id(node.index);
    node.config.unix_ms_at_zero = 1'700'000'000'000 + std::int64_t(dice_() % 1000);
    node.config.addresses = {address_of(node.index)};
    for (const auto seed : seeds)
      node.config.seeds.push_back(address_of(seed));
    node.own.subject = node.config.self;
    node.own.name = "node " + std::to_string(node.index);
    node.own.addresses = node.config.addresses;
    node.own.slots = node.own.slots_free = 4;
    nodes_.push_back(std::move(node));
    return nodes_.back();
  }
  void start(std::size_t i) {
    auto& node = nodes_[i];
    ++node.life;
    ++node.boot;
    node.machine.emplace(node.config, node.own, node.boot, node.saved, dice_(), now_);
    node.up.clear();
    node.news.clear();
    node.wakes.reset();
    apply(i, node.machine->start(now_));
  }
  void start_all() {
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      start(i);
  }

  void kill(std::size_t i) {
    auto& node = nodes_[i];
    node.machine.reset();
    node.dialling.clear();
    node.open.clear();
    for (const auto& [number, line] : lines_)
      if (line.ends[0].node == i || line.ends[1].node == i)
        end_soon(number, "reset by peer", 100ms);
  }
  void restart(std::size_t i) {
    kill(i);
    start(i);
  }

  void set_free(std::size_t i, std::uint32_t slots) {
    nodes_[i].own.slots_free = slots;
    apply(i, nodes_[i].machine->own_changed(nodes_[i].own, now_));
  }
  void connect(std::size_t i, const NodeId& peer) {
    nodes_[i].unreachable.erase(peer);
    apply(i, nodes_[i].machine->connect(peer, now_));
  }
  // Orderly: what is said still arrives.
  void leave(std::size_t i) {
    apply(i, nodes_[i].machine->leave(now_));
    later(200ms, [this, i] { kill(i); });
  }
  void receive(std::size_t i, SessionKey key, const Message& message) {
    apply(i, nodes_[i].machine->receive(key, message, now_));
  }

  // Parts the island from the rest: nothing passes, and sessions across fall silent.
  void part(const std::set<std::size_t>& island) {
    for (auto& node : nodes_)
      node.island = island.contains(node.index);
    for (const auto& [number, line] : lines_)
      if (nodes_[line.ends[0].node].island != nodes_[line.ends[1].node].island)
        end_soon(number, "silent", 15s);
  }
  void heal() { part({}); }

  void cut_one() {
    if (lines_.empty())
      return;
    ++cuts;
    end_soon(std::next(lines_.begin(), dice_() % lines_.size())->first, "cut", 50ms);
  }

  void cut_between(std::size_t i, std::size_t j) {
    for (const auto& [number, line] : lines_)
      if (between(line, i, j))
        end_soon(number, "cut", 50ms);
  }

  void run(Duration span) {
    const Time end = now_ + span;
    while (!events_.empty() && events_.front().at <= end) {
      std::pop_heap(events_.begin(), events_.end());
      Event event = std::move(events_.back());
      events_.pop_back();
      now_ = event.at;
      if (++happened_ > 50'000'000)
        throw std::runtime_error("the world spins");
      event.happen();
    }
    now_ = end;
  }
  // How long it took, if it came true within `span`.
  template<class P>
  std::optional<Duration> run_until(P come_true, Duration span, Duration step = 50ms) {
    const Time begin = now_;
    while (!come_true()) {
      if (now_ - begin >= span)
        return {};
      run(step);
    }
    return now_ - begin;
  }

  std::vector<Node>& nodes() { return nodes_; }
  Node& node(std::size_t i) { return nodes_[i]; }
  Membership& machine(std::size_t i) { return *nodes_[i].machine; }
  Time now() const { return now_; }
  std::uint64_t roll(std::uint64_t n) { return dice_() % n; }
  std::size_t sessions() const { return lines_.size(); }

  std::vector<std::size_t> living() const {
    std::vector<std::size_t> found;
    for (const auto& node : nodes_)
      if (node.machine)
        found.push_back(node.index);
    return found;
  }
  // Whether each of these has the current record of each other.
  bool know_each_other(const std::vector<std::size_t>& some) {
    return std::all_of(some.begin(), some.end(), [&](auto i) {
      return std::all_of(some.begin(), some.end(), [&](auto j) { return i == j || knows(i, j); });
    });
  }
  bool knows(std::size_t i, std::size_t j) {
    const auto& all = machine(i).records();
    const auto found = all.find(node_id(j));
    return found != all.end() && found->second->record.boot == nodes_[j].boot &&
           found->second->record.slots_free == nodes_[j].own.slots_free &&
           !found->second->record.leaving;
  }
  // Over edges that both ends hold active.
  bool one_component(const std::vector<std::size_t>& some) {
    if (some.empty())
      return true;
    std::set<std::size_t> seen{some.front()};
    std::vector<std::size_t> next{some.front()};
    while (!next.empty()) {
      const auto i = next.back();
      next.pop_back();
      for (const auto j : some)
        if (!seen.contains(j) && has_active(i, j) && has_active(j, i)) {
          seen.insert(j);
          next.push_back(j);
        }
    }
    return seen.size() == some.size();
  }
  bool has_active(std::size_t i, std::size_t j) {
    const auto view = machine(i).active();
    return std::find(view.begin(), view.end(), node_id(j)) != view.end();
  }
  bool views_agree(const std::vector<std::size_t>& some) {
    return std::all_of(some.begin(), some.end(), [&](auto i) {
      return std::all_of(some.begin(), some.end(),
                         [&](auto j) { return has_active(i, j) == has_active(j, i); });
    });
  }
  // Sessions between two nodes that both ends hold open.
  std::size_t sessions_between(std::size_t i, std::size_t j) const {
    return std::size_t(std::count_if(lines_.begin(), lines_.end(),
                                     [&](const auto& l) { return between(l.second, i, j); }));
  }
  // Whether two ends of the session that `i` uses to `j` are one session.
  bool same_session(std::size_t i, std::size_t j) {
    const auto a = machine(i).session_of(node_id(j));
    const auto b = machine(j).session_of(node_id(i));
    return a && b && nodes_[i].open.contains(*a) && nodes_[j].open.contains(*b) &&
           nodes_[i].open.at(*a) == nodes_[j].open.at(*b);
  }
  // A stranger's session to node i, from nobody that lives here.
  SessionKey stranger(std::size_t i, const NodeId& id, std::uint64_t boot = 1) {
    const auto key = nodes_[i].next_accepted++;
    nodes_[i].open[key] = no_line;
    apply(i, machine(i).session_up(key, id, boot, false, now_));
    return key;
  }

private:
  struct End {
    std::size_t node = 0;
    std::uint64_t life = 0;
    SessionKey key = 0;
    bool up = false, over = false;
    Time arrives{}; // The last thing on its way to this end.
  };
  struct Line {
    std::array<End, 2> ends; // The dialler first.
  };
  struct Event {
    Time at;
    std::uint64_t order;
    std::function<void()> happen;
    bool operator<(const Event& other) const {
      return std::tie(other.at, other.order) < std::tie(at, order);
    }
  };
  static bool between(const Line& line, std::size_t i, std::size_t j) {
    const auto& e = line.ends;
    return (e[0].node == i && e[1].node == j) || (e[0].node == j && e[1].node == i);
  }
  static constexpr std::size_t no_line = ~std::size_t{};

  void later(Duration delay, std::function<void()> happen) {
    events_.push_back({now_ + delay, order_++, std::move(happen)});
    std::push_heap(events_.begin(), events_.end());
  }
  Duration roll(Duration max) { return Duration(1 + dice_() % max.count()); }
  Duration latency() { return latency_min + roll(latency_max - latency_min); }

  [[noreturn]] void broken(std::size_t i, const std::string& what) {
    throw std::runtime_error("node " + std::to_string(i) + ": " + what);
  }
  void must(bool holds, std::size_t i, const char* what) {
    if (!holds)
      broken(i, what);
  }

  void apply(std::size_t i, MeshEffects effects) {
    for (auto& effect : effects)
      std::visit([&](auto& e) { perform(i, e); }, effect);
    if (!nodes_[i].machine)
      return;
    check(i);
    sleep(i);
  }

  void sleep(std::size_t i) {
    auto& node = nodes_[i];
    const auto due = node.machine->next_wake();
    if (!due || (node.wakes && *node.wakes <= *due))
      return;
    node.wakes = *due;
    later(std::max(*due - now_, Duration(1)), [this, i, life = node.life, at = *due] {
      auto& sleeper = nodes_[i];
      if (!sleeper.machine || sleeper.life != life || sleeper.wakes != at)
        return;
      sleeper.wakes.reset();
      apply(i, sleeper.machine->wake(now_));
    });
  }

  void check(std::size_t i) {
    const auto& node = nodes_[i];
    const auto& m = *node.machine;
    const auto active = m.active();
    const auto passive = m.passive();
    must(active.size() <= node.config.active_max, i, "active view too large");
    must(passive.size() <= node.config.passive_max, i, "passive view too large");
    must(m.records().size() <= node.config.records_max, i, "too many records");
    must(node.up.size() <= node.config.sessions_max, i, "too many peers");
    must(node.open.size() <= 3 * node.config.sessions_max + 4, i, "too many sessions");
    must(node.dialling.size() <= 16, i, "too many dials");
    for (const auto& peer : active) {
      must(node.up.contains(peer), i, "active without a session");
      must(m.session_of(peer) == node.up.at(peer), i, "session_of differs from what was told");
    }
    for (const auto& peer : passive) {
      must(peer != node.config.self, i, "passive holds itself");
      must(std::find(active.begin(), active.end(), peer) == active.end(), i, "in both views");
    }
    must(!m.records().contains(node.config.self), i, "own record among the others");
    must(m.records().size() == node.news.size(), i, "news differ from records");
  }

  // --- Effects

  void perform(std::size_t i, Dial& dial) {
    auto& node = nodes_[i];
    must(node.dialling.insert(dial.key).second, i, "a key dialled twice");
    must(!node.open.contains(dial.key), i, "a key used twice");
    ++node.dials;
    const auto to = std::find_if(nodes_.begin(), nodes_.end(), [&](const Node& n) {
      return address_of(n.index) == dial.address;
    });
    if (to != nodes_.end())
      ++dialled_to[to->index];
    const bool lost = dice_() % 1000 < dial_loss * 1000;
    if (to == nodes_.end() || !to->machine || to->island != node.island || lost ||
        (dial.expect && *dial.expect != to->config.self))
      return fail_dial(i, dial.key, lost ? roll(5s) : 2 * latency());
    // Three messages: the dialler is done one flight before the other.
    later(2 * latency(), [this, i, j = to->index, key = dial.key, life = node.life,
                          their_life = to->life] { answer(i, life, j, their_life, key); });
  }
  void fail_dial(std::size_t i, SessionKey key, Duration delay) {
    later(delay, [this, i, key, life = nodes_[i].life] {
      auto& dialler = nodes_[i];
      if (dialler.machine && dialler.life == life && dialler.dialling.erase(key))
        apply(i, dialler.machine->dial_failed(key, "refused", now_));
    });
  }
  void answer(std::size_t i, std::uint64_t life, std::size_t j, std::uint64_t their_life,
              SessionKey key) {
    auto& node = nodes_[i];
    auto& other = nodes_[j];
    if (!node.machine || node.life != life || !node.dialling.contains(key))
      return;
    if (!other.machine || other.life != their_life || other.island != node.island)
      return fail_dial(i, key, 1ms);
    node.dialling.erase(key);
    const auto number = next_line_++;
    auto& line = lines_[number];
    const auto accepted = other.next_accepted++;
    line.ends = {End{i, node.life, key, true, false, now_},
                 End{j, other.life, accepted, false, false, now_}};
    node.open[key] = number;
    deliver(number, 1, [this, j, accepted, number, from = node.config.self, boot = node.boot] {
      nodes_[j].open[accepted] = number;
      lines_.at(number).ends[1].up = true;
      apply(j, nodes_[j].machine->session_up(accepted, from, boot, false, now_));
    });
    apply(i, node.machine->session_up(key, other.config.self, other.boot, true, now_));
  }

  // Happens at that end of the line, after all that was sent to it before; never if it is over.
  void deliver(std::size_t number, int to, std::function<void()> happen) {
    auto& end = lines_.at(number).ends[to];
    end.arrives = std::max(end.arrives + Duration(1), now_ + latency());
    later(end.arrives - now_, [this, number, to, happen = std::move(happen)] {
      const auto line = lines_.find(number);
      if (line == lines_.end() || line->second.ends[to].over)
        return;
      const auto& node = nodes_[line->second.ends[to].node];
      const auto& other = nodes_[line->second.ends[1 - to].node];
      if (node.machine && node.life == line->second.ends[to].life && node.island == other.island)
        happen();
    });
  }

  void perform(std::size_t i, SendOn& send) {
    auto& node = nodes_[i];
    const auto open = node.open.find(send.key);
    must(open != node.open.end(), i, "sends on a session that is not open");
    ++node.messages;
    node.bytes += std::visit(Size{}, send.message);
    if (open->second == no_line)
      return;
    const auto number = open->second;
    const int to = lines_.at(number).ends[0].node == i && lines_.at(number).ends[0].key == send.key;
    const auto message = std::make_shared<Message>(std::move(send.message));
    deliver(number, to, [this, number, to, message] {
      const auto& end = lines_.at(number).ends[to];
      apply(end.node, nodes_[end.node].machine->receive(end.key, *message, now_));
    });
  }

  void perform(std::size_t i, CloseSession& close) {
    auto& node = nodes_[i];
    if (node.dialling.erase(close.key))
      return;
    const auto open = node.open.extract(close.key);
    must(!open.empty(), i, "closes a session that is not open");
    if (open.mapped() == no_line)
      return;
    const auto number = open.mapped();
    const int here =
        lines_.at(number).ends[1].node == i && lines_.at(number).ends[1].key == close.key;
    lines_.at(number).ends[here].over = true;
    // A shell tells its own machine too, of a session it closed.
    later(1ms, [this, i, key = close.key, life = node.life] {
      if (nodes_[i].machine && nodes_[i].life == life)
        apply(i, nodes_[i].machine->session_down(key, "closed here", now_));
    });
    deliver(number, 1 - here, [this, number, here] { end(number, 1 - here, "closed by peer"); });
  }

  void end_soon(std::size_t number, const std::string& why, Duration within) {
    for (const int side : {0, 1})
      later(roll(within), [this, number, side, why] { end(number, side, why); });
  }
  void end(std::size_t number, int side, const std::string& why) {
    const auto line = lines_.find(number);
    if (line == lines_.end())
      return;
    auto& here = line->second.ends[side];
    const End was = std::exchange(here, End{here.node, here.life, here.key, false, true, now_});
    if (line->second.ends[1 - side].over)
      lines_.erase(line);
    auto& node = nodes_[was.node];
    if (was.over || !was.up || !node.machine || node.life != was.life)
      return;
    node.open.erase(was.key);
    apply(was.node, node.machine->session_down(was.key, why, now_));
  }

  void perform(std::size_t i, SealRecord& seal) {
    must(seal.record.subject == nodes_[i].config.self, i, "seals for another");
    apply(i, nodes_[i].machine->record_sealed(sealed(seal.record), now_));
  }
  void perform(std::size_t i, PeerUp& up) {
    must(nodes_[i].open.contains(up.key), i, "up on a session that is not open");
    must(nodes_[i].up.emplace(up.peer, up.key).second, i, "up twice");
  }
  void perform(std::size_t i, PeerMoved& m) {
    ++moved;
    must(nodes_[i].up.contains(m.peer), i, "moved, but not up");
    must(nodes_[i].open.contains(m.key), i, "moved to a session that is not open");
    must(std::exchange(nodes_[i].up[m.peer], m.key) != m.key, i, "moved to where it was");
  }
  void perform(std::size_t i, PeerDown& down) {
    must(nodes_[i].up.erase(down.peer) == 1, i, "down, but not up");
  }
  void perform(std::size_t i, Unreachable& un) { nodes_[i].unreachable[un.peer] = un.why; }
  void perform(std::size_t i, RecordNews& news) {
    if (news.record)
      nodes_[i].news[news.subject] = news.record;
    else
      must(nodes_[i].news.erase(news.subject) == 1, i, "forgets a record it never told");
  }
  void perform(std::size_t i, SaveSeeds& save) {
    ++nodes_[i].saves;
    must(save.peers.size() <= 32, i, "saves too many peers");
    nodes_[i].saved = std::move(save.peers);
  }

  std::mt19937_64 dice_;
  Time now_ = Time{} + 1h;
  std::uint64_t order_ = 0, happened_ = 0;
  std::vector<Event> events_;
  std::vector<Node> nodes_;
  std::size_t next_line_ = 0;
  std::map<std::size_t, Line> lines_;
};

} // namespace tessera::sim
