#include "node/store/pulls.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <random>

using namespace tessera;
using namespace std::chrono_literals;

// Pulls in a world of holders whose lines have a rate, a delay and an outbox with an end: each line
// is a queue in order, as a session's bulk is.
namespace {

NodeId node(std::uint8_t n) {
  NodeId id;
  id.key[0] = n;
  return id;
}

Bytes some(std::size_t size, std::mt19937_64& dice) {
  Bytes bytes(size);
  for (auto& b : bytes)
    b = std::uint8_t(dice());
  return bytes;
}

struct Holder {
  double rate;    // Bytes a second.
  Duration delay; // Each way.
  std::size_t outbox_bytes = 8 << 20;
  int loses = 0; // Of a thousand chunks.
  bool lies = false, mute = false;
  Time line_free{}; // When what is queued has gone.
  std::size_t sent = 0, dropped = 0;
};

class World {
public:
  explicit World(std::uint64_t seed) : dice(seed) {}

  BlobId add(std::size_t size) {
    auto bytes = some(size, dice);
    const auto id = blob_id(bytes);
    payload += size;
    blobs.emplace(id, std::make_pair(bytes, BlobTree{bytes}));
    return id;
  }
  void want(const BlobId& blob, std::vector<NodeId> from) { told(pulls.want(blob, from, now)); }

  // Until nothing happens any more, or `until`.
  void run(Time until = Time::max()) {
    for (;;) {
      const auto wake = pulls.next_wake();
      const auto event = events.empty() ? Time::max() : events.begin()->first;
      const auto next = std::min(event, wake.value_or(Time::max()));
      if (next == Time::max() || next > until)
        return;
      REQUIRE(++steps < 1'000'000);
      now = std::max(now, next);
      if (event <= now) {
        const auto happens = events.extract(events.begin());
        happens.mapped()();
      } else {
        told(pulls.wake(now));
      }
    }
  }

  std::mt19937_64 dice;
  Time now{};
  Pulls pulls;
  std::map<BlobId, std::pair<Bytes, BlobTree>> blobs;
  std::map<NodeId, Holder> holders;
  std::multimap<Time, std::function<void()>> events;
  std::map<BlobId, Time> done;
  std::map<BlobId, std::string> failed;
  std::map<std::pair<BlobId, std::uint64_t>, int> asked;
  std::size_t payload = 0, in_flight_max = 0, steps = 0;

private:
  void told(PullEffects effects) {
    for (auto& e : effects)
      std::visit([&](auto& what) { on(what); }, e);
  }
  void on(AskHolder& ask) {
    for (std::uint32_t i = 0; i < ask.ask.chunks; ++i)
      ++asked[{ask.ask.blob, ask.ask.first_chunk + i}];
    const auto& holder = holders.at(ask.holder);
    events.emplace(now + holder.delay, [this, ask] { serve(ask.holder, ask.ask); });
  }
  void on(Pulled& pulled) {
    CHECK(pulled.bytes == blobs.at(pulled.blob).first);
    CHECK(done.emplace(pulled.blob, now).second);
  }
  void on(NotPulled& gone) { failed[gone.blob] = gone.why; }

  void serve(const NodeId& from, const BlobAsk& ask) {
    auto& holder = holders.at(from);
    for (auto i = ask.first_chunk; i < ask.first_chunk + ask.chunks && !holder.mute; ++i)
      send(from, holder, ask.blob, i);
  }
  void send(const NodeId& from, Holder& holder, const BlobId& id, std::uint64_t i) {
    const auto& [bytes, tree] = blobs.at(id);
    const auto at = i * blob_chunk_bytes;
    auto part = to_bytes(
        ByteView{bytes}.subspan(at, std::min<std::size_t>(blob_chunk_bytes, bytes.size() - at)));
    holder.line_free = std::max(holder.line_free, now);
    const auto queued = std::chrono::duration<double>(holder.line_free - now).count() * holder.rate;
    if (queued + double(part.size()) > double(holder.outbox_bytes) ||
        int(dice() % 1000) < holder.loses) {
      ++holder.dropped;
      return;
    }
    holder.sent += part.size();
    holder.line_free += std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(double(part.size()) / holder.rate));
    in_flight_max = std::max(in_flight_max, std::size_t(queued));
    if (holder.lies)
      part[0] ^= 1;
    events.emplace(holder.line_free + holder.delay,
                   [this, from, chunk = BlobChunk{id, bytes.size(), i, part, tree.proof(i)}] {
                     told(pulls.received(from, chunk, now));
                   });
  }
};

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

} // namespace

TEST_CASE("however slow its line, what comes takes no longer than its bytes do") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    World world{seed};
    auto& dice = world.dice;
    const double rates[] = {16 << 10, 100 << 10, 300 << 10, 2 << 20, 100 << 20};
    const double rate = rates[seed % std::size(rates)];
    const auto delay = std::chrono::milliseconds(dice() % 100);
    world.holders[node(1)] = {rate, delay};
    const auto count = 1 + dice() % 40;
    std::vector<BlobId> wanted;
    for (std::uint64_t i = 0; i < count; ++i)
      wanted.push_back(world.add(1 + dice() % (dice() % 4 ? 100'000 : 1'500'000)));
    for (const auto& blob : wanted)
      world.want(blob, {node(1)});
    world.run();
    CHECK(world.done.size() == count);
    CHECK(world.failed.empty());
    const auto least = double(world.payload) / rate;
    Time last{};
    for (const auto& [blob, at] : world.done)
      last = std::max(last, at);
    CAPTURE(least);
    CHECK(seconds(last - Time{}) <= 1.1 * least + 16 * seconds(delay) + 0.01); // It starts slowly.
    CHECK(world.holders[node(1)].dropped == 0);
    // Nothing that was on its way was asked for again, but for a few that told whether it was.
    CHECK(world.holders[node(1)].sent <= world.payload + 2 * blob_chunk_bytes);
  }
}

TEST_CASE("what waits in a slow line is short: a new blob's first chunk is here in seconds") {
  World world{7};
  world.holders[node(1)] = {300 << 10, 20ms};
  const auto large = world.add(6 << 20);
  world.want(large, {node(1)});
  world.run(Time{} + 8s);
  CHECK(world.in_flight_max <= (AskLine::window_first + 4) * blob_chunk_bytes);
  world.now = Time{} + 8s;
  const auto small = world.add(1000);
  world.want(small, {node(1)});
  world.run();
  CHECK(world.done.at(small) <= Time{} + 8s + 2s);
  CHECK(world.done.at(large) > Time{} + 20s);
}

TEST_CASE("a fast and long line is filled") {
  World world{8};
  world.holders[node(1)] = {40 << 20, 40ms};
  const auto blob = world.add(60 << 20);
  world.want(blob, {node(1)});
  world.run();
  CHECK(seconds(world.done.at(blob) - Time{}) <= 1.3 * 60 / 40 + 1);
}

TEST_CASE("chunks that are lost are asked for again, and all comes whatever is lost") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    World world{seed};
    auto& dice = world.dice;
    Holder lossy{double(1 << 20), 10ms};
    lossy.loses = int(seed % 4) * 50;
    lossy.outbox_bytes = seed % 2 ? 8 << 20 : 400'000;
    world.holders[node(1)] = world.holders[node(2)] = lossy;
    for (int i = 0; i < 12; ++i) {
      const auto blob = world.add(1 + dice() % 1'000'000);
      if (dice() % 2)
        world.want(blob, {node(1), node(2)});
      else
        world.want(blob, {node(2), node(1)});
    }
    world.run();
    CHECK(world.done.size() == 12);
    const auto& [a, b] = std::pair{world.holders[node(1)], world.holders[node(2)]};
    if (a.dropped + b.dropped == 0)
      CHECK(a.sent + b.sent == world.payload);
    CHECK(a.sent + b.sent <= world.payload * 5 / 4 + 40 * blob_chunk_bytes);
  }
}

TEST_CASE("a pull goes on with the next holder when one lies, is silent or has nothing") {
  World world{3};
  for (std::uint8_t n = 1; n <= 4; ++n)
    world.holders[node(n)] = {double(10 << 20), 1ms};
  world.holders[node(1)].lies = true;
  world.holders[node(2)].mute = true;
  const auto blob = world.add(70 * blob_chunk_bytes + 5);
  world.want(blob, {node(1), node(2), node(3), node(4)});
  world.run(Time{} + 4900ms);
  CHECK(world.holders[node(3)].sent == 0);
  world.run(Time{} + 5100ms);
  CHECK(world.holders[node(3)].sent > 0);
  world.now = Time{} + 5100ms;
  world.pulls.gone(node(3), world.now);
  world.run();
  CHECK(world.done.contains(blob));
}

TEST_CASE("the last holder is waited for a while, and asked for little; then the pull ends") {
  World world{4};
  world.holders[node(1)] = {double(10 << 20), 1ms};
  world.holders[node(1)].mute = true;
  const auto blob = world.add(1000);
  world.want(blob, {node(1)});
  world.run(Time{} + 34900ms);
  CHECK(world.failed.empty());
  world.run();
  CHECK(world.failed.at(blob) == "no answer");
  CHECK(world.asked.at({blob, 0}) == 1 + AskLine::probes_max);
  CHECK(world.now == Time{} + 35s);
  world.holders[node(1)].mute = false;
  world.want(blob, {node(1)});
  world.run();
  CHECK(world.done.contains(blob));
}

TEST_CASE("what was given up and comes late is taken, and needs not come twice") {
  World world{5};
  world.holders[node(1)] = {double(8 << 10), 1ms}; // 8 s a chunk.
  world.holders[node(2)] = {double(8 << 10), 1ms};
  const auto blob = world.add(blob_chunk_bytes);
  world.want(blob, {node(1), node(2)});
  world.run(Time{} + 6s);
  CHECK(world.holders[node(2)].sent == blob_chunk_bytes); // After five seconds of silence.
  world.run();
  CHECK(seconds(world.done.at(blob) - Time{}) < 8.1);
}

TEST_CASE("a holder that always leaves out the same chunk does not have it") {
  World world{6};
  world.holders[node(2)] = {double(10 << 20), 1ms};
  const auto blob = world.add(40 * blob_chunk_bytes);
  const auto& [bytes, tree] = world.blobs.at(blob);
  Pulls pulls;
  auto effects = pulls.want(blob, {node(1), node(2)}, Time{});
  int asks = 0;
  for (;;) {
    REQUIRE_FALSE(effects.empty());
    const auto ask = std::get<AskHolder>(effects.front());
    if (ask.holder == node(2))
      break;
    REQUIRE(++asks < 100);
    effects.erase(effects.begin());
    for (std::uint64_t i = ask.ask.first_chunk; i < ask.ask.first_chunk + ask.ask.chunks; ++i) {
      if (i == 5)
        continue;
      const auto part = ByteView{bytes}.subspan(i * blob_chunk_bytes, blob_chunk_bytes);
      for (auto& e :
           pulls.received(node(1), {blob, bytes.size(), i, to_bytes(part), tree.proof(i)}, Time{}))
        effects.push_back(std::move(e));
    }
    if (effects.empty())
      effects = pulls.wake(*pulls.next_wake());
  }
  CHECK(asks > 1);
}

TEST_CASE("more pulls than a thousand at once are refused, and no line outlives its use for ever") {
  World world{9};
  Pulls pulls;
  std::size_t refused = 0;
  for (std::size_t i = 0; i < 1030; ++i) {
    NodeId holder;
    holder.key[0] = std::uint8_t(i);
    holder.key[1] = std::uint8_t(i / 256);
    const auto blob = digest_of(view(std::to_string(i)));
    for (const auto& e : pulls.want(blob, {holder}, Time{}))
      refused += std::holds_alternative<NotPulled>(e);
  }
  CHECK(refused == 6);
  CHECK(std::holds_alternative<NotPulled>(pulls.want(digest_of(view("x")), {}, Time{}).at(0)));
}
