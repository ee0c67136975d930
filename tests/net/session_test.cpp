#include "net/session.hpp"

#include "tests/net/raw_peer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <set>

using namespace tessera;
using namespace std::chrono_literals;

namespace {

const Time start{};

template<class News>
std::size_t count(const std::vector<SessionNews>& news) {
  return std::size_t(std::ranges::count_if(
      news, [](const SessionNews& n) { return std::holds_alternative<News>(n); }));
}

std::string down_why(const std::vector<SessionNews>& news) {
  for (const auto& n : news)
    if (const auto* down = std::get_if<SessionDown>(&n))
      return down->why;
  return "";
}

// One end, and all that it told.
struct End {
  Session session;
  std::vector<SessionNews> news;
  Bytes wire; // Written here, and not yet arrived there.

  End(NoiseRole role, std::uint8_t n, SessionLimits limits, bool is_private = true,
      std::uint64_t seed = 1)
      : session(handshake_of(role, n, is_private), limits, seed, start) {}

  void tell(std::vector<SessionNews> more) {
    for (auto& n : more)
      news.push_back(std::move(n));
  }
  void receive(ByteView bytes, Time now) { tell(session.received(bytes, now)); }
  std::vector<Bytes> messages(Lane lane) const {
    std::vector<Bytes> found;
    for (const auto& n : news)
      if (const auto* in = std::get_if<MessageIn>(&n); in && in->lane == lane)
        found.push_back(in->message);
    return found;
  }
  bool up() const { return count<SessionUp>(news) == 1; }
  std::string why() const { return down_why(news); }
};

// Two ends and the stream between them.
struct Pipe {
  End a, b;
  Time now = start;

  explicit Pipe(SessionLimits limits = {}, bool is_private = true)
      : Pipe(limits, limits, is_private) {}
  Pipe(SessionLimits at_a, SessionLimits at_b, bool is_private = true)
      : a(NoiseRole::initiator, 1, at_a, is_private), b(NoiseRole::responder, 2, at_b, is_private) {
  }

  void write(End& from, std::size_t bytes_max = 1 << 18) {
    const auto out = from.session.take_output(bytes_max, now);
    from.wire.insert(from.wire.end(), out.begin(), out.end());
  }
  void carry(End& from, End& to, std::size_t bytes) {
    const auto part = to_bytes(ByteView{from.wire}.first(std::min(bytes, from.wire.size())));
    from.wire.erase(from.wire.begin(), from.wire.begin() + std::ptrdiff_t(part.size()));
    if (!part.empty())
      to.receive(part, now);
  }
  // Until nobody has anything to say.
  void settle() {
    for (int i = 0; i != 10000; ++i) {
      write(a);
      write(b);
      if (a.wire.empty() && b.wire.empty())
        return;
      carry(a, b, a.wire.size());
      carry(b, a, b.wire.size());
    }
    FAIL("the two never fall silent");
  }
  void wake_all() {
    for (auto* end : {&a, &b})
      if (const auto at = end->session.next_wake(); at && *at <= now)
        end->tell(end->session.wake(now));
  }
};

Bytes random_bytes(std::mt19937_64& rng, std::size_t size) {
  Bytes bytes(size);
  for (auto& b : bytes)
    b = std::uint8_t(rng());
  return bytes;
}

// Mostly small, at times around a piece's size, at times the longest.
std::size_t random_size(std::mt19937_64& rng, std::size_t most) {
  switch (rng() % 6) {
  case 0:
    return rng() % 2;
  case 1:
    return std::min<std::size_t>(most, 65472 - 3 + rng() % 6);
  case 2:
    return most - rng() % std::min<std::size_t>(most, 3);
  case 3:
    return rng() % most;
  default:
    return rng() % std::min<std::size_t>(most, 300);
  }
}

SessionLimits small_limits() {
  SessionLimits l;
  l.message_bytes_max = 200'000;
  l.outbox_bytes_max = 2'000'000;
  l.credit_bytes = 400'128;
  return l;
}

} // namespace

TEST_CASE("two ends meet, know each other, and tell it once") {
  for (const bool is_private : {false, true}) {
    Pipe p{{}, is_private};
    CHECK_FALSE(p.a.session.send({1}, Lane::control, p.now));
    p.settle();
    REQUIRE(p.a.up());
    REQUIRE(p.b.up());
    CHECK(std::get<SessionUp>(p.a.news[0]).peer.id == identity_of(2).id());
    CHECK(std::get<SessionUp>(p.b.news[0]).peer.id == identity_of(1).id());
    CHECK(p.a.session.rtt() == Duration{0});
    CHECK(p.b.session.rtt() == Duration{0});
  }
}

TEST_CASE("messages of any size arrive whole and in order in each lane, whatever the cuts") {
  std::size_t arrived = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 rng{seed};
    auto limits = small_limits();
    limits.rekey_frames = 1 + rng() % 20;
    Pipe p{limits, seed % 2 == 0};
    std::vector<Bytes> sent[2][2]; // By sender, by lane.
    std::size_t seen[2] = {0, 0};  // News of which bulk was given back.
    for (int step = 0; step != 1500; ++step) {
      End& end = rng() % 2 ? p.a : p.b;
      End& other = &end == &p.a ? p.b : p.a;
      const int index = &end == &p.b;
      switch (rng() % 5) {
      case 0: {
        if (!end.up())
          break;
        const auto lane = rng() % 2 ? Lane::bulk : Lane::control;
        auto message = random_bytes(rng, random_size(rng, limits.message_bytes_max));
        if (end.session.send(message, lane, p.now))
          sent[index][int(lane)].push_back(std::move(message));
        break;
      }
      case 1:
        p.write(end, 1 + rng() % 300'000);
        break;
      case 2:
        for (std::size_t& i = seen[index]; i != end.news.size(); ++i)
          if (const auto* in = std::get_if<MessageIn>(&end.news[i]); in && in->lane == Lane::bulk)
            end.session.consumed(in->message.size(), Lane::bulk, p.now);
        break;
      default:
        p.carry(end, other, 1 + rng() % (rng() % 2 ? 20 : 200'000));
      }
    }
    for (int round = 0; round != 100; ++round) {
      p.settle();
      for (auto* end : {&p.a, &p.b})
        for (auto& i = seen[end == &p.b]; i != end->news.size(); ++i)
          if (const auto* in = std::get_if<MessageIn>(&end->news[i]); in && in->lane == Lane::bulk)
            end->session.consumed(in->message.size(), Lane::bulk, p.now);
    }
    for (const auto lane : {Lane::control, Lane::bulk}) {
      CHECK(p.a.messages(lane) == sent[1][int(lane)]);
      CHECK(p.b.messages(lane) == sent[0][int(lane)]);
      arrived += sent[0][int(lane)].size();
    }
    CHECK(p.a.session.outbox_bytes() == 0);
    CHECK(p.a.session.counters().messages_out == p.b.session.counters().messages_in);
    CHECK(p.a.session.counters().bytes_out == p.b.session.counters().bytes_in);
    CHECK(p.a.why() + p.b.why() == "");
  }
  CHECK(arrived > 5000);
}

TEST_CASE("control overtakes bulk, in the middle of a message too") {
  Pipe p;
  p.settle();
  const Bytes bulk(1'000'000, 7), control(100'000, 9);
  REQUIRE(p.a.session.send(bulk, Lane::bulk, p.now));
  REQUIRE(p.a.session.send(bulk, Lane::bulk, p.now));
  p.write(p.a, 1); // One piece of bulk is on its way.
  REQUIRE(p.a.session.send(control, Lane::control, p.now));
  p.settle();
  std::vector<Lane> order;
  for (const auto& n : p.b.news)
    if (const auto* in = std::get_if<MessageIn>(&n))
      order.push_back(in->lane);
  CHECK(order == std::vector{Lane::control, Lane::bulk, Lane::bulk});
  CHECK(p.b.messages(Lane::bulk) == std::vector(2, bulk));
  CHECK(p.b.messages(Lane::control) == std::vector(1, control));
}

TEST_CASE("credit bounds the bulk that the owner has not consumed") {
  const auto limits = small_limits();
  Pipe p{limits};
  p.settle();
  std::size_t controls = 0;
  for (const std::size_t size : {1'000u, 0u, 150'000u}) {
    INFO("messages of " << size);
    const auto before = p.b.messages(Lane::bulk).size();
    while (p.a.session.outbox_bytes() + 1000 < limits.outbox_bytes_max &&
           p.a.session.send(Bytes(size), Lane::bulk, p.now)) {}
    REQUIRE(p.a.session.send({1}, Lane::control, p.now)); // Does not wait for credit.
    p.settle();
    CHECK(p.b.messages(Lane::control).size() == ++controls);
    const auto unread = p.b.messages(Lane::bulk).size() - before;
    CHECK(unread > 0);
    CHECK(unread * (size + 64) <= limits.credit_bytes);
    CHECK((unread + 2) * (size + 64) > limits.credit_bytes / 2); // And it is of use.
    CHECK(p.a.session.outbox_bytes() > 0);

    for (std::size_t done = before; done != p.b.messages(Lane::bulk).size(); p.settle())
      for (const auto have = p.b.messages(Lane::bulk).size(); done != have; ++done)
        p.b.session.consumed(size, Lane::bulk, p.now);
    CHECK(p.a.session.outbox_bytes() == 0); // Else the two would wait for each other for ever.
  }
}

TEST_CASE("an owner that holds too much wants no input, until it lets go") {
  auto limits = small_limits();
  limits.held_bytes_max = 100'000;
  Pipe p{limits};
  p.settle();
  std::size_t size = 0, most = 0;
  auto lane = Lane::control;
  SUBCASE("many messages") {
    size = 10;
    most = 100'000 / (10 + 1024);
  }
  SUBCASE("much control") {
    size = 30'000;
    most = 3;
  }
  SUBCASE("many messages of bulk, whose bytes are credit's to bound") {
    size = 3'000;
    most = 100'000 / 1024;
    lane = Lane::bulk;
  }
  for (std::size_t i = 0; i <= most; ++i) {
    CHECK(p.b.session.wants_input());
    REQUIRE(p.a.session.send(Bytes(size), lane, p.now));
    p.settle();
  }
  CHECK(p.b.messages(lane).size() == most + 1);
  CHECK_FALSE(p.b.session.wants_input());
  CHECK(p.a.session.wants_input());
  p.b.session.consumed(size, lane, p.now);
  CHECK(p.b.session.wants_input());
}

TEST_CASE("who fills the budget of all sessions is read no more, who holds little is") {
  auto limits = small_limits();
  limits.budget = std::make_shared<Budget>(600'000, 3'000);
  Pipe greedy{{}, limits}, modest{{}, limits};
  greedy.settle();
  modest.settle();
  std::size_t sent = 0;
  for (; greedy.b.session.wants_input() && sent != 100; ++sent) {
    REQUIRE(greedy.a.session.send(Bytes(20'000), Lane(sent % 2), greedy.now));
    greedy.settle();
  }
  CHECK(sent == 1 + 300'000 / (20'000 + 1024)); // A half of all, as only one wants it.
  const auto other = std::make_unique<Budget::Share>(limits.budget); // All the rest goes, too.
  other->hold(600'000);
  CHECK_FALSE(greedy.b.session.wants_input());
  CHECK_FALSE(greedy.b.session.send(Bytes(5'000), Lane::control, greedy.now)); // To it, neither.
  for (std::size_t i = 1; i != 10; ++i) {
    REQUIRE(modest.b.session.wants_input());
    REQUIRE(modest.a.session.send(Bytes(1'000), Lane::control, modest.now));
    REQUIRE(modest.b.session.send(Bytes(1'000), Lane::control, modest.now));
    modest.settle();
    CHECK(modest.b.messages(Lane::control).size() == i);
    modest.b.session.consumed(1'000, Lane::control, modest.now);
  }
  other->hold(0);
  greedy.b.session.consumed(20'000, Lane::control, greedy.now);
  CHECK(greedy.b.session.wants_input());
}

TEST_CASE("ends that share a budget hold no more than it says, and all arrives in the end") {
  constexpr std::size_t all_max = 500'000, share_min = 2'000, read_max = 4'000, pipes_max = 5;
  std::size_t paused = 0, refused = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 rng{seed};
    auto limits = small_limits();
    limits.message_bytes_max = 50'000;
    limits.budget = std::make_shared<Budget>(all_max, share_min);
    std::vector<Pipe> pipes;
    for (std::size_t i = 0; i != pipes_max; ++i)
      pipes.emplace_back(small_limits(), limits).settle();
    std::vector<std::array<std::size_t, 3>> counts(pipes_max); // To us, and from us; let go.
    const auto let_go = [&](std::size_t i) {
      auto& b = pipes[i].b;
      for (std::size_t n = 0, seen = 0; n != b.news.size(); ++n)
        if (const auto* in = std::get_if<MessageIn>(&b.news[n]))
          if (seen++ == counts[i][2])
            return ++counts[i][2], b.session.consumed(in->message.size(), in->lane, pipes[i].now);
    };
    const auto step = [&](std::size_t i, bool owner_works) {
      auto& p = pipes[i];
      p.write(p.a, read_max);
      if (p.b.session.wants_input())
        p.carry(p.a, p.b, read_max);
      else
        ++paused;
      p.write(p.b, read_max);
      p.carry(p.b, p.a, read_max);
      if (owner_works)
        let_go(i);
      REQUIRE(limits.budget->used() <=
              all_max + pipes_max * (2 * (share_min + limits.message_bytes_max) + 2 * read_max));
    };
    for (int round = 0; round != 3000; ++round) {
      const auto i = rng() % pipes_max;
      const auto lane = Lane(rng() % 2);
      const auto size = random_size(rng, limits.message_bytes_max);
      if (rng() % 2)
        counts[i][0] += pipes[i].a.session.send(Bytes(size), lane, pipes[i].now);
      else if (pipes[i].b.session.send(Bytes(size), lane, pipes[i].now))
        ++counts[i][1];
      else
        ++refused;
      step(i, rng() % 8 == 0);
    }
    for (int round = 0; round != 4000; ++round)
      for (std::size_t i = 0; i != pipes_max; ++i) {
        step(i, true);
        let_go(i);
        for (const auto& m : std::exchange(pipes[i].a.news, {}))
          if (const auto* in = std::get_if<MessageIn>(&m)) {
            pipes[i].a.session.consumed(in->message.size(), in->lane, pipes[i].now);
            --counts[i][1];
          }
      }
    for (std::size_t i = 0; i != pipes_max; ++i) {
      CHECK(counts[i][0] == counts[i][2]);
      CHECK(counts[i][1] == 0);
      CHECK(down_why(pipes[i].a.news) + pipes[i].b.why() == "");
    }
    CHECK(limits.budget->used() == 0);
    pipes.clear();
  }
  CHECK(paused > 1000);
  CHECK(refused > 100);
}

TEST_CASE("a message that is half here counts whole, until its session ends") {
  auto limits = small_limits();
  limits.budget = std::make_shared<Budget>();
  Pipe p{{}, limits};
  p.settle();
  for (const auto lane : {Lane::control, Lane::bulk})
    REQUIRE(p.a.session.send(Bytes(100'000), lane, p.now));
  p.write(p.a, 1);
  p.carry(p.a, p.b, p.a.wire.size());
  CHECK(limits.budget->used() == 100'000);
  p.write(p.a, 1); // The rest of it,
  p.write(p.a, 1); // and a part of the next.
  p.carry(p.a, p.b, p.a.wire.size());
  CHECK(limits.budget->used() == 100'000 + 1024 + 100'000);
  p.b.session.consumed(100'000, Lane::control, p.now);
  CHECK(limits.budget->used() == 100'000);
  p.b.receive(Bytes(50), p.now);
  CHECK(limits.budget->used() == 0);
}

TEST_CASE("what is held of a dead session counts until it is let go") {
  auto limits = small_limits();
  limits.budget = std::make_shared<Budget>();
  Budget::Share rest;
  {
    Pipe p{{}, limits};
    p.settle();
    REQUIRE(p.a.session.send(Bytes(50'000), Lane::control, p.now));
    REQUIRE(p.b.session.send(Bytes(70'000), Lane::bulk, p.now));
    p.write(p.a);
    p.carry(p.a, p.b, p.a.wire.size());
    CHECK(limits.budget->used() == 50'000 + 1024 + 70'000 + 64);
    p.b.receive(Bytes(50), p.now); // No frame that decrypts.
    CHECK(p.b.session.closed());
    rest = p.b.session.unreturned();
  }
  CHECK(limits.budget->used() == 50'000 + 1024);
  rest = {};
  CHECK(limits.budget->used() == 0);
}

TEST_CASE("an end that others made deaf takes no silence for the peer's") {
  auto limits = small_limits();
  limits.budget = std::make_shared<Budget>(100'000, 10);
  Budget::Share other{limits.budget};
  Pipe p{{}, limits};
  p.settle();
  REQUIRE(p.a.session.send(Bytes(5'000), Lane::control, p.now));
  p.settle();
  other.hold(100'000);
  REQUIRE_FALSE(p.b.session.wants_input());
  for (; p.now < start + 60s; p.now += 1s)
    p.b.tell(p.b.session.wake(p.now));
  other.hold(0);
  CHECK(p.b.session.wants_input());
  p.b.tell(p.b.session.wake(p.now));
  CHECK(p.b.news.size() == 2);
  p.b.tell(p.b.session.wake(p.now + 3s));
  CHECK(count<Suspected>(p.b.news) == 1);
}

TEST_CASE("an end that wants no input takes no silence for the peer's") {
  auto limits = small_limits();
  limits.held_bytes_max = 10'000;
  Pipe p{limits};
  p.settle();
  REQUIRE(p.a.session.send(Bytes(10'000), Lane::control, p.now));
  p.settle();
  REQUIRE_FALSE(p.b.session.wants_input());
  for (; p.now < start + 60s; p.now += 1s) {
    CHECK(p.b.session.next_wake() <= p.now + 1s); // Its own pings go on.
    p.b.tell(p.b.session.wake(p.now));
  }
  CHECK(p.b.news.size() == 2);
  p.b.session.consumed(10'000, Lane::control, p.now);
  p.b.tell(p.b.session.wake(p.now + 2999ms));
  CHECK(count<Suspected>(p.b.news) == 0);
  p.b.tell(p.b.session.wake(p.now + 3s));
  CHECK(count<Suspected>(p.b.news) == 1);
}

TEST_CASE("the outbox refuses what would not fit, and what is too long") {
  auto limits = small_limits();
  limits.outbox_bytes_max = 10'000;
  Pipe p{limits};
  p.settle();
  CHECK_FALSE(p.a.session.send(Bytes(limits.message_bytes_max + 1), Lane::bulk, p.now));
  std::size_t taken = 0;
  while (p.a.session.send(Bytes(1000), taken % 2 ? Lane::bulk : Lane::control, p.now))
    ++taken;
  CHECK(taken == 9);
  CHECK(p.a.session.outbox_bytes() <= limits.outbox_bytes_max);
  p.settle();
  CHECK(p.b.messages(Lane::bulk).size() + p.b.messages(Lane::control).size() == taken);
  CHECK(p.a.session.send(Bytes(1000), Lane::bulk, p.now));
}

TEST_CASE(
    "each flipped bit of a frame closes the session with a why, and nothing after it is read") {
  for (std::size_t bit = 0; bit != 8 * (2 + 16 + 5 + 3); ++bit) {
    INFO("bit " << bit);
    Pipe p;
    p.settle();
    p.a.session.send({1, 2, 3}, Lane::control, p.now);
    p.write(p.a);
    REQUIRE(p.a.wire.size() == 2 + 16 + 5 + 3);
    p.a.wire[bit / 8] ^= std::uint8_t(1 << bit % 8);
    // More behind it, so that a length made larger has its bytes.
    p.a.session.send(Bytes(100'000), Lane::control, p.now);
    p.write(p.a);
    p.settle();
    CHECK(p.b.messages(Lane::control).empty());
    CHECK(p.b.why() != "");
    CHECK(p.b.session.closed());
    CHECK(count<SessionDown>(p.b.news) == 1);
    CHECK(p.a.why().starts_with("they closed: ")); // And the other end reads why.
    CHECK_FALSE(p.b.session.send({1}, Lane::control, p.now));
    CHECK(p.b.session.next_wake() == std::nullopt);
  }
}

TEST_CASE("frames lost, doubled or swapped close the session") {
  for (const int fault : {0, 1, 2}) {
    Pipe p;
    p.settle();
    std::vector<Bytes> frames;
    for (std::uint8_t i = 0; i != 3; ++i) {
      p.a.session.send({i}, Lane::control, p.now);
      frames.push_back(p.a.session.take_output(1, p.now));
    }
    if (fault == 0)
      frames.erase(frames.begin());
    else if (fault == 1)
      frames[1] = frames[0];
    else
      std::swap(frames[0], frames[1]);
    for (const auto& frame : frames)
      p.b.receive(frame, p.now);
    CHECK(p.b.why() == "a frame that does not decrypt");
    CHECK(p.b.messages(Lane::control).size() == (fault == 1 ? 1 : 0));
  }
}

TEST_CASE(
    "whatever an authenticated peer says against the rules closes the session, and is named") {
  const auto limits = small_limits();
  const Bytes body(10, 1);
  const auto longest = std::uint32_t(limits.message_bytes_max);
  struct Case {
    std::vector<Bytes> frames;
    std::string why;
  };
  const std::vector<Case> cases{
      {{{}}, "a frame of a wrong size"},
      {{{12}}, "an unknown or misshapen frame"},
      {{{255}}, "an unknown or misshapen frame"},
      {{{8}}, "an unknown or misshapen frame"},
      {{{8, 1, 2, 3, 4, 5, 6, 7, 8, 9}}, "an unknown or misshapen frame"},
      {{Bytes(258, 11)}, "an unknown or misshapen frame"},
      {{{2, 1, 0, 0}}, "a piece without its size"},
      {{piece_frame(0, 0, body)}, "a piece of no message"},
      {{piece_frame(4, 0, body)}, "a piece of no message"},
      {{piece_frame(2, 20, body), piece_frame(2, 20, body)}, "a message begins within another"},
      {{piece_frame(2, longest + 1, body)}, "a message of 200001 bytes is too long"},
      {{piece_frame(2, 0xffffffff, body)}, "a message of 4294967295 bytes is too long"},
      {{piece_frame(2, 9, body)}, "a message is longer than it said"},
      {{piece_frame(6, 9, body)}, "a message is longer than it said"},
      {{piece_frame(2, 15, body), piece_frame(0, 0, body)}, "a message is longer than it said"},
      {{piece_frame(6, 11, body)}, "a message does not end where it said"},
      {{piece_frame(2, 10, body)}, "a message does not end where it said"},
      {{piece_frame(2, 20, body), piece_frame(0, 0, body)}, "a message does not end where it said"},
      {{piece_frame(2, 0, {})}, "a message does not end where it said"},
      {{piece_frame(2, 20, {})}, "an empty piece"},
      {{piece_frame(2, 20, body), piece_frame(0, 0, {})}, "an empty piece"},
      {{number_frame(9, 0)}, "an answer to no ping"},
      {{number_frame(9, 2)}, "an answer to no ping"},
      {{number_frame(9, 1), number_frame(9, 1)}, "an answer to no ping"},
      {{number_frame(10, 5), number_frame(10, 4)}, "credit was taken back"},
  };
  for (const auto& c : cases)
    for (const auto role : {NoiseRole::initiator, NoiseRole::responder}) {
      INFO(c.why);
      const bool dials = role == NoiseRole::initiator;
      End end{role, 1, limits};
      RawPeer peer{end.session, dials ? NoiseRole::responder : NoiseRole::initiator,
                   limits.rekey_frames, start};
      REQUIRE(count<SessionUp>(peer.news) == 1);
      peer.read(end.session.take_output(1 << 20, start));
      for (const auto& frame : c.frames)
        end.receive(peer.frame(frame), start);
      CHECK(end.why() == c.why);
      const auto told = peer.read(end.session.take_output(1 << 20, start));
      REQUIRE(told.size() > 0);
      CHECK(told.back()[0] == 11);
      CHECK(text_of(ByteView{told.back()}.subspan(1)) == c.why);
      CHECK_FALSE(end.session.has_output());
    }
}

TEST_CASE("bulk beyond the credit that we gave closes the session") {
  auto limits = small_limits();
  limits.rekey_frames = 3;
  End end{NoiseRole::responder, 1, limits};
  RawPeer peer{end.session, NoiseRole::initiator, limits.rekey_frames, start};
  const auto told = peer.read(end.session.take_output(1 << 20, start));
  REQUIRE(std::ranges::find(told, number_frame(10, limits.credit_bytes)) != told.end());
  const Bytes body(60'000 - 64);
  std::size_t sent = 0;
  for (; sent + 60'000 <= limits.credit_bytes; sent += 60'000)
    end.receive(peer.frame(piece_frame(7, std::uint32_t(body.size()), body)), start);
  CHECK(end.messages(Lane::bulk).size() == sent / 60'000);
  CHECK(end.why() == "");
  SUBCASE("by a piece of a message") {
    end.receive(peer.frame(piece_frame(3, 100'000, body)), start);
  }
  SUBCASE("by one byte") {
    const auto left = limits.credit_bytes - sent - 64;
    const Bytes last(left + 1);
    end.receive(peer.frame(piece_frame(7, std::uint32_t(last.size()), last)), start);
  }
  CHECK(end.why() == "more bulk than we gave credit for");
}

TEST_CASE("a peer's reasons reach the log as harmless text") {
  End end{NoiseRole::responder, 1, {}};
  RawPeer peer{end.session, NoiseRole::initiator, 1 << 16, start};
  Bytes frame{11};
  for (const char c : std::string_view{"bye\x1b[31m\n\xff"})
    frame.push_back(std::uint8_t(c));
  end.receive(peer.frame(frame), start);
  CHECK(end.why() == "they closed: bye?[31m??");
  CHECK_FALSE(end.session.has_output());
}

TEST_CASE("a flood of pings is answered once") {
  End end{NoiseRole::responder, 1, {}};
  RawPeer peer{end.session, NoiseRole::initiator, 1 << 16, start};
  peer.read(end.session.take_output(1 << 20, start));
  for (std::uint64_t i = 1; i <= 1000; ++i)
    end.receive(peer.frame(number_frame(8, i)), start);
  const auto answers = peer.read(end.session.take_output(1 << 20, start));
  CHECK(answers == std::vector(1, number_frame(9, 1000)));
}

TEST_CASE("idle ends stay alive by pings alone, and time them") {
  Pipe p;
  p.settle();
  for (int i = 0; i != 600; ++i) {
    p.now += 100ms;
    p.wake_all();
    for (auto* end : {&p.a, &p.b}) {
      p.write(*end);
      const auto out = std::exchange(end->wire, {});
      p.now += 20ms;
      (end == &p.a ? p.b : p.a).receive(out, p.now);
    }
  }
  CHECK(p.a.news.size() == 1); // Up, and nothing since.
  CHECK(p.b.news.size() == 1);
  // Frames and both answers: no more than a few dozen bytes a second each way.
  CHECK(p.a.session.counters().bytes_out < 84 * 2 * 27 + 1000);
  const auto rtt = *p.a.session.rtt();
  CHECK(rtt > 20ms);
  CHECK(rtt < 200ms);
}

TEST_CASE("silence is suspected after 3 s, taken back when heard, and ends after 15 s") {
  Pipe p;
  p.settle();
  p.b.tell(p.b.session.wake(start + 2999ms));
  CHECK(count<Suspected>(p.b.news) == 0);
  p.now = start + 3s;
  p.b.tell(p.b.session.wake(p.now));
  p.b.tell(p.b.session.wake(p.now + 1s));
  CHECK(count<Suspected>(p.b.news) == 1);
  SUBCASE("heard") {
    p.now = start + 10s;
    p.a.session.send({1}, Lane::control, p.now);
    p.settle();
    REQUIRE(p.b.news.size() == 4);
    CHECK(std::holds_alternative<Heard>(p.b.news[2]));
    CHECK(std::holds_alternative<MessageIn>(p.b.news[3]));
    p.b.tell(p.b.session.wake(start + 15s));
    CHECK(p.b.why() == "");
    CHECK(count<Suspected>(p.b.news) == 2);
  }
  SUBCASE("gone") {
    p.b.tell(p.b.session.wake(start + 14999ms));
    CHECK(p.b.why() == "");
    REQUIRE(p.b.session.next_wake() <= start + 15s);
    p.b.tell(p.b.session.wake(start + 15s));
    CHECK(p.b.why() == "silent for 15 s");
    CHECK(p.b.session.next_wake() == std::nullopt);
    CHECK_FALSE(p.b.session.has_output());
  }
}

TEST_CASE("an end that was itself stopped suspects first, and does not cut at once") {
  Pipe p;
  p.settle();
  p.b.tell(p.b.session.wake(start + 60s));
  p.b.tell(p.b.session.wake(start + 60s));
  CHECK(count<Suspected>(p.b.news) == 1);
  CHECK(p.b.why() == "");
  p.b.tell(p.b.session.wake(start + 72s));
  CHECK(p.b.why() == "silent for 15 s");
}

TEST_CASE("a handshake that is not over in time ends the session") {
  Pipe p;
  CHECK(p.b.session.next_wake() == start + 5s);
  p.write(p.a);
  p.carry(p.a, p.b, p.a.wire.size() - 1);
  p.b.tell(p.b.session.wake(start + 4999ms));
  CHECK(p.b.why() == "");
  p.b.tell(p.b.session.wake(start + 5s));
  CHECK(p.b.why() == "the handshake took longer than 5 s");
  p.carry(p.a, p.b, 1);
  CHECK(count<SessionUp>(p.b.news) == 0);
  CHECK_FALSE(p.b.session.has_output());
}

TEST_CASE("a stranger's bytes end the session, and a mismatch is told to both in words") {
  SUBCASE("garbage") {
    End end{NoiseRole::responder, 1, {}};
    end.receive(view("GET / HTTP/1.1\r\n\r\n"), start);
    CHECK(end.why() == "they do not speak Tessera");
    CHECK_FALSE(end.session.has_output());
  }
  SUBCASE("open here, private there") {
    Pipe p;
    p.b = End{NoiseRole::responder, 2, {}, false};
    p.settle();
    CHECK(p.a.why() == "they are in another mesh: theirs is open, ours is private");
    CHECK(p.b.why() == "they are in another mesh: theirs is private, ours is open");
  }
}

TEST_CASE("an orderly close lets out what was queued, then says why") {
  auto limits = small_limits();
  Pipe p{limits};
  p.settle();
  const Bytes big(limits.message_bytes_max, 3);
  for (int i = 0; i != 4; ++i) // Twice the credit: the rest waits until it is consumed.
    REQUIRE(p.a.session.send(big, Lane::bulk, p.now));
  REQUIRE(p.a.session.send({1}, Lane::control, p.now));
  p.a.session.close("leaving");
  CHECK_FALSE(p.a.session.send({2}, Lane::control, p.now));
  CHECK_FALSE(p.a.session.closed());
  p.settle();
  CHECK_FALSE(p.a.session.closed());
  p.b.session.consumed(2 * big.size(), Lane::bulk, p.now);
  p.settle();
  CHECK(p.a.session.closed());
  CHECK(p.b.messages(Lane::control) == std::vector(1, Bytes{1}));
  CHECK(p.b.messages(Lane::bulk) == std::vector(4, big));
  CHECK(p.b.why() == "they closed: leaving");
  CHECK(p.a.why() == ""); // The owner knows.
}

TEST_CASE("a session ends for a new handshake when its own is too old") {
  auto limits = small_limits();
  limits.renew_within = 2s;
  Pipe p{limits};
  p.settle();
  for (int i = 0; i != 4; ++i) // More than there is credit for.
    REQUIRE(p.a.session.send(Bytes(200'000), Lane::bulk, p.now));
  for (; p.a.why().empty() && p.now < start + 3s; p.now += 1ms) {
    REQUIRE(p.a.session.send({1}, Lane::control, p.now)); // Each is in time.
    p.a.tell(p.a.session.wake(p.now));
  }
  CHECK(p.a.why() == "a new handshake is due");
  CHECK(p.a.session.closed());
  CHECK(p.a.session.next_wake() == std::nullopt);
  CHECK_FALSE(p.a.session.send({2}, Lane::control, p.now));
  p.settle();
  CHECK(p.b.messages(Lane::control).size() == std::size_t((p.now - start) / 1ms));
  CHECK(p.b.why() == "they closed: a new handshake is due");
  CHECK(count<SessionDown>(p.a.news) + count<SessionDown>(p.b.news) == 2);
}

TEST_CASE("sessions of one moment end at moments of their own, after 45 to 60 minutes") {
  CHECK(SessionLimits{}.renew_within == 1h);
  std::set<std::chrono::minutes> minutes;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    std::optional<Time> ends[2]; // Of two with one seed.
    for (auto& at : ends) {
      End end{NoiseRole::responder, 1, {}, true, seed};
      RawPeer peer{end.session, NoiseRole::initiator, 1 << 16, start};
      for (auto now = start; !end.session.closed() && now < start + 2h;) {
        now = *end.session.next_wake();
        end.receive(peer.frame(number_frame(10, 0)), now - 1ns); // It lives.
        end.tell(end.session.wake(now));
        at = now;
      }
      CHECK(end.why() == "a new handshake is due");
    }
    CHECK(ends[0] == ends[1]);
    CHECK(*ends[0] >= start + 45min);
    CHECK(*ends[0] <= start + 1h);
    minutes.insert(std::chrono::floor<std::chrono::minutes>(*ends[0] - start));
  }
  CHECK(minutes.size() == 15); // Nor do they crowd within it.
}

TEST_CASE("keys change as often as agreed, and ends that disagree part") {
  auto often = small_limits(), seldom = small_limits();
  often.rekey_frames = 2;
  seldom.rekey_frames = 1 << 16;
  SUBCASE("agreed") {
    Pipe p{often};
    p.settle();
    for (int i = 0; i != 100; ++i)
      p.a.session.send({1}, Lane::control, p.now);
    p.settle();
    CHECK(p.b.messages(Lane::control).size() == 100);
  }
  SUBCASE("not agreed") {
    Pipe p{often, seldom};
    p.settle();
    for (int i = 0; i != 100; ++i)
      p.a.session.send({1}, Lane::control, p.now);
    p.settle();
    CHECK(p.b.messages(Lane::control).size() < 3);
    CHECK(p.b.why() == "a frame that does not decrypt");
  }
  SUBCASE("as the wire's description says") {
    End end{NoiseRole::responder, 1, often};
    RawPeer peer{end.session, NoiseRole::initiator, often.rekey_frames, start};
    peer.read(end.session.take_output(1 << 20, start));
    for (std::uint8_t i = 0; i != 20; ++i)
      end.receive(peer.frame(piece_frame(6, 1, Bytes{i})), start);
    CHECK(end.messages(Lane::control).size() == 20);
    end.session.send(Bytes(200'000, 5), Lane::control, start);
    CHECK(peer.read(end.session.take_output(1 << 20, start)).size() == 4);
  }
}
