#include "net/membership.hpp"

#include "net/pace.hpp"
#include "net/record_table.hpp"
#include "tests/sim/mesh_world.hpp"

#include <doctest/doctest.h>

using namespace tessera;
using namespace tessera::sim;

namespace {

NodeId small_id(std::uint8_t n) { // In the order of n.
  NodeId id;
  id.key[0] = n;
  return id;
}

Address at(const std::string& host) {
  return {host, 7700};
}

constexpr std::int64_t epoch_ms = 1'700'000'000'000;

// One machine, asked by hand; seals at once and keeps all that it wants done.
struct Bench {
  explicit Bench(MembershipConfig c = {}, std::vector<PeerAddress> remembered = {})
      : config(std::move(c)), machine(make(config, std::move(remembered))) {
    take(machine.start(now));
  }
  static Membership make(MembershipConfig& c, std::vector<PeerAddress> remembered) {
    if (c.self == NodeId{})
      c.self = small_id(100);
    c.unix_ms_at_zero = epoch_ms;
    Record own;
    own.addresses = {at("me")};
    own.slots_free = 4;
    return {c, own, 7, std::move(remembered), 5, Time{}};
  }

  void take(MeshEffects effects) {
    for (auto& e : effects) {
      if (const auto* seal = std::get_if<SealRecord>(&e))
        own = seal->record;
      log.push_back(e);
      if (std::holds_alternative<SealRecord>(e))
        take(machine.record_sealed(sealed(own), now));
    }
  }
  // Time passes, with all wakes.
  void pass(Duration span) {
    const Time end = now + span;
    for (int wakes = 0;; ++wakes) {
      const auto due = machine.next_wake();
      if (!due || *due > end)
        break;
      REQUIRE(wakes < 100'000);
      now = std::max(now + Duration(1), *due);
      take(machine.wake(now));
    }
    now = end;
  }
  SessionKey up(NodeId peer, std::uint64_t boot = 1) { // Dialled by them.
    const auto key = next++;
    take(machine.session_up(key, peer, boot, false, now));
    return key;
  }
  SessionKey active(NodeId peer) {
    const auto key = up(peer);
    say(key, Neighbor{true});
    return key;
  }
  void say(SessionKey key, const Message& m) { take(machine.receive(key, m, now)); }
  void say(SessionKey key, const Record& r) { say(key, Records{{sealed(r)}}); }

  Record record(NodeId subject, std::uint64_t sequence = 1, std::uint64_t boot = 1) const {
    Record r;
    r.subject = subject;
    r.boot = boot;
    r.sequence = sequence;
    r.addresses = {
        at("node" + std::to_string(index_of(subject)) + "." + std::to_string(subject.key[0]))};
    r.expires_ms = unix_ms() + 90'000;
    return r;
  }
  std::int64_t unix_ms() const {
    return epoch_ms + std::chrono::duration_cast<std::chrono::milliseconds>(now - Time{}).count();
  }
  template<class T>
  std::vector<T> all() const {
    std::vector<T> found;
    for (const auto& e : log)
      if (const auto* t = std::get_if<T>(&e))
        found.push_back(*t);
    return found;
  }
  template<class M>
  std::vector<M> said(SessionKey key) const {
    std::vector<M> found;
    for (const auto& s : all<SendOn>())
      if (const auto* m = std::get_if<M>(&s.message); m && s.key == key)
        found.push_back(*m);
    return found;
  }
  // How often a record of this subject went out on that session.
  std::size_t told(SessionKey key, NodeId subject) const {
    std::size_t n = 0;
    for (const auto& m : said<Records>(key))
      for (const auto& r : m.records)
        n += r->record.subject == subject;
    return n;
  }
  bool closed(SessionKey key) const {
    const auto closes = all<CloseSession>();
    return std::any_of(closes.begin(), closes.end(), [&](auto& c) { return c.key == key; });
  }

  MembershipConfig config;
  Membership machine;
  Record own;
  Time now{};
  SessionKey next = 1;
  std::vector<MeshEffect> log;
};

} // namespace

// --- Sessions

TEST_CASE("of crossed dials the one that the smaller NodeId dialled stays, in either order") {
  for (const std::uint8_t peer : {50, 150})
    for (const bool ours_first : {true, false}) {
      CAPTURE(int(peer));
      CAPTURE(ours_first);
      Bench b;
      const SessionKey ours = first_dial_key + 5, theirs = 1;
      for (const bool ours_now : {ours_first, !ours_first})
        b.take(b.machine.session_up(ours_now ? ours : theirs, small_id(peer), 1, ours_now, b.now));
      const auto winner = peer > 100 ? ours : theirs, loser = peer > 100 ? theirs : ours;
      CHECK(b.machine.session_of(small_id(peer)) == winner);
      CHECK(b.all<PeerUp>().size() == 1);
      const bool winner_first = (winner == ours) == ours_first;
      CHECK(b.all<PeerMoved>().size() == (winner_first ? 0 : 1));
      CHECK(!b.closed(loser)); // What is in flight on it still arrives.
      b.pass(5s);
      CHECK(b.closed(loser));
      CHECK(!b.closed(winner));
      CHECK(b.all<PeerDown>().empty());
    }
}

TEST_CASE("of two dials in one direction the newest stays, and an old one is a fallback") {
  Bench b;
  const auto first = b.up(small_id(1)), second = b.up(small_id(1));
  CHECK(b.machine.session_of(small_id(1)) == second);
  b.take(b.machine.session_down(second, "cut", b.now));
  CHECK(b.machine.session_of(small_id(1)) == first);
  CHECK(b.all<PeerDown>().empty());
  b.pass(10s);
  CHECK(!b.closed(first));
}

TEST_CASE("a peer that dials long after the session was made has lost it") {
  Bench b;
  b.take(b.machine.session_up(first_dial_key + 5, small_id(150), 1, true, b.now));
  b.pass(60s);
  const auto theirs = b.up(small_id(150));
  CHECK(b.machine.session_of(small_id(150)) == theirs);
}

TEST_CASE("a greater boot replaces the old life, and a smaller one is refused") {
  Bench b;
  const auto old = b.up(small_id(1), 3), fresh = b.up(small_id(1), 4), stale = b.up(small_id(1), 2);
  CHECK(b.machine.session_of(small_id(1)) == fresh);
  CHECK(b.closed(old));
  CHECK(b.closed(stale));
  CHECK(b.all<PeerUp>().size() == 2);
  CHECK(b.all<PeerUp>()[1].boot == 4);
  CHECK(b.all<PeerDown>().size() == 1);
}

TEST_CASE("a dial that reaches ourselves is closed and its address never dialled again") {
  Bench b{{.seeds = {at("seed")}}};
  const auto dial = b.all<Dial>().at(0);
  b.take(b.machine.session_up(dial.key, b.config.self, 7, true, b.now));
  const auto accepted = b.up(b.config.self, 7);
  CHECK(b.closed(dial.key));
  b.pass(300s);
  CHECK(b.closed(accepted));
  CHECK(b.all<Dial>().size() == 1);
  CHECK(b.all<PeerUp>().empty());
}

TEST_CASE("whoever answers in another's place is closed") {
  Bench b;
  b.active(small_id(1));
  b.say(1, b.record(small_id(2)));
  b.log.clear();
  b.take(b.machine.connect(small_id(2), b.now));
  const auto dial = b.all<Dial>().at(0);
  CHECK(dial.expect == small_id(2));
  b.take(b.machine.session_up(dial.key, small_id(3), 1, true, b.now));
  CHECK(b.closed(dial.key));
  CHECK(b.all<Unreachable>().at(0).peer == small_id(2));
}

TEST_CASE("beyond sessions_max the longest idle session goes, said before, and no active one") {
  Bench b{{.active_max = 2, .sessions_max = 4}};
  const auto one = b.active(small_id(1)), two = b.active(small_id(2));
  b.pass(1s);
  const auto three = b.up(small_id(3));
  b.pass(1s);
  const auto four = b.up(small_id(4));
  b.pass(1s);
  b.machine.used(small_id(3), b.now);
  b.pass(1s);
  b.up(small_id(5));
  CHECK(b.closed(four));
  CHECK(b.said<Disconnect>(four).size() == 1);
  CHECK(!b.closed(one));
  CHECK(!b.closed(two));
  CHECK(!b.closed(three));
}

TEST_CASE("sessions of one peer are bounded") {
  Bench b;
  for (int i = 0; i < 100; ++i)
    b.up(small_id(1));
  CHECK(b.all<CloseSession>().size() >= 97);
  CHECK(b.machine.session_of(small_id(1)) == 100);
}

// --- Dials

TEST_CASE("a seed that does not answer is dialled with growing pauses of at most backoff_max") {
  Bench b{{.seeds = {at("seed")}}};
  std::vector<Duration> pauses;
  for (int i = 0; i < 20; ++i) {
    const auto failed_at = b.now;
    const auto dials = b.all<Dial>();
    b.take(b.machine.dial_failed(dials.back().key, "refused", b.now));
    while (b.all<Dial>().size() == dials.size())
      b.pass(10ms);
    pauses.push_back(b.now - failed_at);
  }
  for (std::size_t i = 0; i < pauses.size(); ++i) {
    const Duration whole = std::min<Duration>(30s, 200ms * (1 << std::min<std::size_t>(i, 10)));
    CHECK(pauses[i] >= whole / 2);
    CHECK(pauses[i] <= whole + 20ms);
  }
}

TEST_CASE("a seed that hangs up on us at once is dialled with growing pauses too") {
  Bench b{{.seeds = {at("seed")}}};
  std::size_t answered = 0;
  const auto end = b.now + 60s;
  while (b.now < end) {
    const auto dials = b.all<Dial>();
    for (; answered < dials.size(); ++answered) {
      const auto key = dials[answered].key;
      b.take(b.machine.session_up(key, small_id(1), 1, true, b.now));
      b.say(key, NeighborReply{true});
      b.take(b.machine.session_down(key, "they closed", b.now));
    }
    b.pass(10ms);
  }
  CHECK(answered >= 5);
  CHECK(answered <= 40);
}

TEST_CASE("a peer's addresses are tried in turn, and only then is it unreachable") {
  Bench b;
  b.active(small_id(1));
  auto r = b.record(small_id(2));
  r.addresses = {at("a"), at("me2"), at("b")};
  b.log.clear();
  b.say(1, r);
  b.take(b.machine.connect(small_id(2), b.now));
  b.take(b.machine.connect(small_id(2), b.now)); // Asking twice is asking once.
  for (const auto& host : {"a", "me2", "b"}) {
    CHECK(b.all<Unreachable>().empty());
    CHECK(b.all<Dial>().back().address == at(host));
    b.take(b.machine.dial_failed(b.all<Dial>().back().key, "refused", b.now));
  }
  CHECK(b.all<Unreachable>().size() == 1);
  CHECK(b.all<Dial>().size() == 3);
}

TEST_CASE("a peer that never answers is tried ever less, and forgotten as a neighbour") {
  Bench b;
  const auto one = b.active(small_id(1));
  b.say(one, Shuffle{small_id(1), {at("one")}, 1, {{small_id(9), {at("nine")}}}});
  std::size_t answered = 0;
  std::vector<Time> tries;
  while (b.now < Time{} + 300s) {
    const auto dials = b.all<Dial>();
    for (; answered < dials.size(); ++answered) {
      CHECK(dials[answered].expect == small_id(9));
      tries.push_back(b.now);
      b.take(b.machine.dial_failed(dials[answered].key, "refused", b.now));
    }
    b.pass(10ms);
  }
  CHECK(tries.size() == 3);
  CHECK(b.machine.passive().empty());
}

TEST_CASE("a peer known by its record that never answers is tried at growing pauses") {
  Bench b;
  const auto one = b.active(small_id(1));
  std::size_t answered = 0;
  std::vector<Time> tries;
  for (std::uint64_t sequence = 1; b.now < Time{} + 300s; b.pass(20ms)) {
    if (b.now >= Time{} + sequence * 10s)
      b.say(one, b.record(small_id(9), ++sequence));
    const auto dials = b.all<Dial>();
    for (; answered < dials.size(); ++answered) {
      tries.push_back(b.now);
      b.take(b.machine.dial_failed(dials[answered].key, "refused", b.now));
    }
  }
  REQUIRE(tries.size() > 10);
  CHECK(tries.size() < 35); // 200 ms, doubled up to 30 s.
  CHECK(tries.back() - tries[tries.size() - 2] >= 15s);
}

TEST_CASE("an address of ours in another's record is not dialled") {
  Bench b{{.addresses = {at("me")}}};
  const auto one = b.active(small_id(1));
  auto r = b.record(small_id(9));
  r.addresses = {at("me")};
  b.say(one, r);
  b.take(b.machine.connect(small_id(9), b.now));
  b.pass(30s);
  CHECK(b.all<Dial>().empty());
  CHECK(b.all<Unreachable>().size() == 1);
}

TEST_CASE("more wishes for sessions than may wait are refused at once") {
  Bench b;
  const auto one = b.active(small_id(1));
  for (std::size_t i = 0; i < 300; ++i)
    b.say(one, b.record(node_id(i)));
  for (std::size_t i = 0; i < 300; ++i)
    b.take(b.machine.connect(node_id(i), b.now));
  CHECK(b.all<Dial>().size() <= 16);
  CHECK(b.all<Unreachable>().size() >= 300 - 16 - 128);
}

TEST_CASE("connect says at once what cannot be") {
  Bench b;
  for (const auto peer : {b.config.self, small_id(9)})
    b.take(b.machine.connect(peer, b.now));
  CHECK(b.all<Unreachable>().size() == 2);
  b.up(small_id(9));
  b.take(b.machine.connect(small_id(9), b.now));
  CHECK(b.all<Unreachable>().size() == 2);
  CHECK(b.all<Dial>().empty());
}

TEST_CASE("each wanted peer is answered for, however many are asked for and none answers") {
  Bench b;
  b.active(small_id(1));
  for (std::size_t i = 0; i < 500; ++i)
    b.say(1, b.record(node_id(i)));
  b.log.clear();
  std::size_t in_flight_max = 0;
  std::set<SessionKey> answered;
  for (std::size_t i = 0; i < 300; ++i)
    b.take(b.machine.connect(node_id(i), b.now));
  for (int step = 0; step < 200; ++step) {
    std::size_t in_flight = 0;
    for (const auto& d : b.all<Dial>())
      in_flight += !answered.contains(d.key);
    in_flight_max = std::max(in_flight_max, in_flight);
    for (const auto& d : b.all<Dial>())
      if (answered.insert(d.key).second)
        b.take(b.machine.dial_failed(d.key, "refused", b.now));
    b.pass(100ms);
  }
  std::set<NodeId> told;
  for (const auto& u : b.all<Unreachable>())
    if (index_of(u.peer) < 300)
      told.insert(u.peer);
  CHECK(told.size() == 300);
  CHECK(in_flight_max <= 16);
}

TEST_CASE("a dial that the shell forgets does not hold its slot for ever") {
  Bench b;
  b.active(small_id(1));
  b.say(1, b.record(small_id(2)));
  b.log.clear();
  b.take(b.machine.connect(small_id(2), b.now));
  b.pass(31s);
  CHECK(b.closed(b.all<Dial>().at(0).key));
  CHECK(b.all<Unreachable>().size() == 1);
}

TEST_CASE("remembered peers are dialled at the start, without any seed") {
  Bench b{{}, {{small_id(1), {at("one")}}, {small_id(2), {at("two")}}}};
  b.pass(300ms);
  std::set<std::optional<NodeId>> expected;
  for (const auto& d : b.all<Dial>())
    expected.insert(d.expect);
  CHECK(expected == std::set<std::optional<NodeId>>{small_id(1), small_id(2)});
}

TEST_CASE("good peers are saved when they change, and at most each 10 s") {
  Bench b;
  for (std::size_t i = 0; i < 60; ++i) {
    const auto key = b.up(node_id(i));
    b.say(key, b.record(node_id(i)));
    b.pass(1s);
  }
  const auto saves = b.all<SaveSeeds>();
  CHECK(saves.size() >= 5);
  CHECK(saves.size() <= 7);
  for (const auto& s : saves)
    CHECK(s.peers.size() <= 32);
  b.pass(15s);
  const auto settled = b.all<SaveSeeds>().size();
  b.pass(60s);
  CHECK(b.all<SaveSeeds>().size() == settled);
}

// --- Records

TEST_CASE("a new record goes once to each active peer but the one it came from") {
  Bench b;
  const auto one = b.active(small_id(1)), two = b.active(small_id(2)),
             three = b.active(small_id(3));
  const auto idle = b.up(small_id(4));
  const auto r = b.record(small_id(9));
  for (const auto key : {one, two, one})
    b.say(key, r);
  b.pass(1s);
  CHECK(b.all<RecordNews>().size() == 1);
  CHECK(b.told(one, small_id(9)) == 0);
  CHECK(b.told(two, small_id(9)) == 1);
  CHECK(b.told(three, small_id(9)) == 1);
  CHECK(b.told(idle, small_id(9)) == 0);
}

TEST_CASE("records that come together are passed on together") {
  Bench b;
  const auto one = b.active(small_id(1)), two = b.active(small_id(2));
  b.pass(1s);
  b.log.clear();
  for (std::size_t i = 0; i < 20; ++i) {
    b.say(one, b.record(node_id(i)));
    b.pass(1ms);
  }
  b.pass(100ms);
  REQUIRE(b.said<Records>(two).size() == 1);
  CHECK(b.said<Records>(two)[0].records.size() == 20);
}

TEST_CASE("a new neighbour is told all we know, in batches of at most 64") {
  Bench b;
  const auto one = b.active(small_id(1));
  for (std::size_t i = 0; i < 200; ++i)
    b.say(one, b.record(node_id(i)));
  const auto two = b.active(small_id(2));
  std::set<NodeId> told;
  for (const auto& m : b.said<Records>(two)) {
    CHECK(m.records.size() <= 64);
    for (const auto& r : m.records)
      told.insert(r->record.subject);
  }
  CHECK(told.size() == 201); // And our own.
}

TEST_CASE("only newer records with a sane expiry are taken") {
  Bench b;
  const auto one = b.active(small_id(1));
  const auto id = small_id(9);
  struct Row {
    std::uint64_t boot, sequence;
    std::int64_t lifetime_ms;
    bool news;
  };
  for (const Row row : {Row{2, 5, 90'000, true}, Row{2, 5, 90'000, false}, Row{2, 4, 90'000, false},
                        Row{1, 99, 90'000, false}, Row{2, 6, 0, false}, Row{2, 6, -1, false},
                        Row{2, 6, 600'001, false}, Row{2, 6, 600'000, true}, Row{3, 1, 1, true}}) {
    CAPTURE(row.boot);
    CAPTURE(row.sequence);
    CAPTURE(row.lifetime_ms);
    b.log.clear();
    auto r = b.record(id, row.sequence, row.boot);
    r.expires_ms = b.unix_ms() + row.lifetime_ms;
    b.say(one, r);
    CHECK((b.all<RecordNews>().size() == 1) == row.news);
  }
}

TEST_CASE("an expired record goes, with news, and does not come back") {
  Bench b;
  const auto one = b.active(small_id(1));
  auto r = b.record(small_id(9));
  r.expires_ms = b.unix_ms() + 1000;
  b.say(one, r);
  b.log.clear();
  b.pass(1100ms);
  REQUIRE(b.all<RecordNews>().size() == 1);
  CHECK(b.all<RecordNews>()[0].record == nullptr);
  CHECK(b.machine.records().empty());
  r.expires_ms = b.unix_ms() + 1000; // The same version with a later expiry.
  b.say(one, r);
  CHECK(b.machine.records().empty());
}

TEST_CASE("our own record is renewed each 20 s, and when it changed at most each 250 ms") {
  Bench b;
  b.pass(100s);
  CHECK(b.all<SealRecord>().size() == 6);
  b.log.clear();
  Record own = b.own;
  for (int i = 0; i < 100; ++i) {
    own.slots_free = i;
    b.take(b.machine.own_changed(own, b.now));
    b.take(b.machine.own_changed(own, b.now));
    b.pass(10ms);
  }
  b.pass(1s);
  const auto seals = b.all<SealRecord>();
  CHECK(seals.size() >= 4);
  CHECK(seals.size() <= 6);
  CHECK(seals.back().record.slots_free == 99);
  for (std::size_t i = 1; i < seals.size(); ++i)
    CHECK(seals[i].record.sequence == seals[i - 1].record.sequence + 1);
}

TEST_CASE("a newer record of ourselves is outbid") {
  for (const auto& [boot, sequence] : {std::pair{7, 900}, {8, 3}}) {
    Bench b;
    const auto one = b.active(small_id(1));
    b.pass(1s);
    b.log.clear();
    b.say(one, b.record(b.config.self, std::uint64_t(sequence), std::uint64_t(boot)));
    REQUIRE(b.all<SealRecord>().size() == 1);
    CHECK(version_of(b.own) > RecordVersion{std::uint64_t(boot), std::uint64_t(sequence)});
    CHECK(b.told(one, b.config.self) == 1);
    CHECK(b.machine.records().empty());
  }
}

TEST_CASE("an older record of ourselves is not worth an answer") {
  Bench b;
  const auto one = b.active(small_id(1));
  b.pass(1s);
  b.log.clear();
  b.say(one, b.record(b.config.self, 900, 6));
  CHECK(b.log.empty());
}

// --- Views

TEST_CASE("a join reaches our view, and walks on from each other active peer") {
  Bench b;
  const auto one = b.active(small_id(1)), two = b.active(small_id(2));
  const auto joiner = b.up(small_id(9));
  b.say(joiner, b.record(small_id(9)));
  b.say(joiner, Join{});
  CHECK(b.machine.active().size() == 3);
  for (const auto key : {one, two}) {
    REQUIRE(b.said<ForwardJoin>(key).size() == 1);
    CHECK(b.said<ForwardJoin>(key)[0].joiner == small_id(9));
    CHECK(b.said<ForwardJoin>(key)[0].ttl == 6);
  }
  CHECK(b.said<ForwardJoin>(joiner).empty());
}

TEST_CASE("a full view refuses a low request, and makes room for a high one") {
  Bench b{{.active_max = 2}};
  b.active(small_id(1));
  b.active(small_id(2));
  const auto three = b.up(small_id(3));
  b.say(three, Neighbor{false});
  CHECK(!b.said<NeighborReply>(three).at(0).accepted);
  b.say(three, Neighbor{true});
  CHECK(b.said<NeighborReply>(three).at(1).accepted);
  CHECK(b.machine.active().size() == 2);
  CHECK(b.said<Disconnect>(1).size() + b.said<Disconnect>(2).size() == 1);
  CHECK(b.all<PeerDown>().empty()); // Out of the view, not out of work.
}

TEST_CASE("a peer that fails is replaced from the passive view") {
  Bench b{{.active_max = 2}};
  const auto one = b.active(small_id(1));
  b.active(small_id(2));
  b.say(one, Shuffle{small_id(1), {at("one")}, 1, {{small_id(9), {at("nine")}}}});
  REQUIRE(b.machine.passive() == std::vector{small_id(9)});
  b.log.clear();
  b.take(b.machine.session_down(one, "reset", b.now));
  b.pass(10ms);
  const auto dials = b.all<Dial>();
  REQUIRE(dials.size() == 1);
  CHECK(dials[0].expect == small_id(9));
  b.take(b.machine.session_up(dials[0].key, small_id(9), 1, true, b.now));
  REQUIRE(b.said<Neighbor>(dials[0].key).size() == 1);
  b.say(dials[0].key, NeighborReply{true});
  CHECK(b.machine.active() == std::vector{small_id(2), small_id(9)});
}

TEST_CASE("a shuffle's answer counts once, and only to one who asked") {
  Bench b;
  const auto one = b.active(small_id(1));
  b.say(one, ShuffleReply{{{small_id(8), {at("eight")}}}});
  CHECK(b.machine.passive().empty());
  b.pass(11s);
  REQUIRE(b.said<Shuffle>(one).size() >= 1);
  b.say(one, ShuffleReply{{{small_id(8), {at("eight")}}}});
  b.say(one, ShuffleReply{{{small_id(9), {at("nine")}}}});
  CHECK(b.machine.passive() == std::vector{small_id(8)});
}

TEST_CASE("who tells records without being active here hears that it is not") {
  Bench b;
  const auto one = b.up(small_id(1));
  b.say(one, b.record(small_id(1)));
  CHECK(b.said<Disconnect>(one).empty());
  b.say(one, b.record(small_id(9)));
  CHECK(b.said<Disconnect>(one).size() == 1);
}

TEST_CASE("leaving says a last record and farewell to all, and wants nothing more") {
  Bench b{{.seeds = {at("seed")}}};
  const auto one = b.active(small_id(1)), two = b.up(small_id(2));
  b.log.clear();
  b.take(b.machine.leave(b.now));
  for (const auto key : {one, two}) {
    REQUIRE(b.said<Records>(key).size() == 1);
    CHECK(b.said<Records>(key)[0].records.at(0)->record.leaving);
    REQUIRE(b.said<Disconnect>(key).size() == 1);
    CHECK(b.said<Disconnect>(key)[0].leaving);
  }
  CHECK(!b.machine.next_wake());
  b.take(b.machine.session_down(one, "closed", b.now));
  b.take(b.machine.session_down(two, "closed", b.now));
  CHECK(b.all<PeerDown>().size() == 2);
  CHECK(b.all<Dial>().empty());
}

TEST_CASE("a peer that left is not dialled until a newer boot of it is known") {
  Bench b;
  const auto one = b.active(small_id(1));
  auto bye = b.record(small_id(9), 5, 2);
  bye.leaving = true;
  b.say(one, bye);
  b.log.clear();
  b.take(b.machine.connect(small_id(9), b.now));
  b.pass(120s);
  CHECK(b.all<Unreachable>().size() == 1);
  CHECK(b.all<Dial>().empty());
  b.say(one, b.record(small_id(9), 1, 3));
  b.take(b.machine.connect(small_id(9), b.now));
  CHECK(b.all<Dial>().size() == 1);
}

// --- Bad peers

TEST_CASE("a flood of records is bounded, passed on slowly, and pushes out its own") {
  MembershipConfig config;
  config.records_max = 128;
  Bench b{config};
  const auto honest = b.active(small_id(1)), bad = b.active(small_id(2));
  b.up(small_id(3));
  b.say(bad, b.record(small_id(3))); // The oldest that the bad one told.
  for (std::size_t i = 0; i < 40; ++i)
    b.say(honest, b.record(node_id(1000 + i)));
  b.pass(10s);
  b.log.clear();
  std::size_t n = 2000;
  for (int step = 0; step < 300; ++step) {
    Records flood;
    for (int i = 0; i < 64; ++i)
      flood.records.push_back(sealed(b.record(node_id(n++))));
    b.say(bad, flood);
    CHECK(b.machine.records().size() <= 128);
    b.pass(10ms);
  }
  for (std::size_t i = 0; i < 40; ++i)
    REQUIRE(b.machine.records().contains(node_id(1000 + i)));
  CHECK(b.machine.records().contains(small_id(3)));
  std::size_t taken = 0, passed_on = 0;
  for (const auto& news : b.all<RecordNews>())
    taken += news.record != nullptr;
  CHECK(taken < 2000); // Of 19,200 in 3 s.
  for (const auto& m : b.said<Records>(honest))
    passed_on += m.records.size();
  CHECK(passed_on > 0);
  CHECK(passed_on < 1000);
  b.log.clear();
  b.say(honest, b.record(node_id(1000), 2)); // And news of others are not held up.
  b.pass(1s);
  CHECK(b.told(bad, node_id(1000)) == 1);
}

TEST_CASE("walks with absurd ttl, endless shuffles and strangers' walks are bounded and harmless") {
  Bench b;
  const auto bad = b.active(small_id(1)), stranger = b.up(small_id(3));
  std::vector<SessionKey> others;
  for (std::uint8_t i = 10; i < 14; ++i)
    others.push_back(b.active(small_id(i)));
  b.log.clear();
  std::vector<PeerAddress> sample;
  for (std::size_t i = 0; i < 300; ++i)
    sample.push_back({node_id(i), std::vector<Address>(20, at("victim"))});
  for (std::size_t i = 0; i < 1000; ++i) {
    const auto ttl = std::uint8_t(i % 2 ? 255 : 0);
    b.say(bad, ForwardJoin{node_id(i), std::vector<Address>(50, at("victim")), ttl});
    b.say(bad, Shuffle{node_id(i), {at("victim")}, ttl, sample});
    b.say(bad, ShuffleReply{sample});
    b.say(stranger, ForwardJoin{node_id(i), {at("victim")}, 3});
    b.say(bad, Join{});
    b.say(bad, Neighbor{true});
    b.say(bad, NeighborReply{true});
    REQUIRE(b.machine.passive().size() <= b.config.passive_max);
    REQUIRE(b.machine.active().size() <= b.config.active_max);
  }
  CHECK(b.all<Dial>().size() <= 16);
  CHECK(b.said<ShuffleReply>(bad).empty());
  CHECK(b.said<ForwardJoin>(bad).empty());
  std::size_t walks = 0;
  for (const auto key : others)
    for (const auto& walk : b.said<ForwardJoin>(key)) {
      ++walks;
      CHECK(walk.ttl <= 5);
      CHECK(walk.addresses.size() <= 8);
    }
  for (const auto key : others)
    for (const auto& shuffle : b.said<Shuffle>(key)) {
      ++walks;
      CHECK(shuffle.sample.size() <= 8);
    }
  CHECK(walks > 0);
  CHECK(walks <= 64);
}

TEST_CASE("addresses that cannot be are not dialled") {
  Bench b;
  const auto one = b.active(small_id(1));
  auto r = b.record(small_id(9));
  r.addresses = {{"", 7700}, {"host", 0}, {std::string(300, 'x'), 7700}};
  b.say(one, r);
  b.take(b.machine.connect(small_id(9), b.now));
  b.pass(30s);
  CHECK(b.all<Dial>().empty());
  CHECK(b.all<Unreachable>().size() == 1);
}

TEST_CASE("messages on a session that was closed are not heard") {
  Bench b;
  const auto old = b.up(small_id(1), 1);
  b.up(small_id(1), 2);
  b.log.clear();
  b.say(old, Join{});
  b.say(old, b.record(small_id(9)));
  b.say(777, Join{});
  CHECK(b.log.empty());
}

// --- Parts

TEST_CASE("the table holds what a naive one holds") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 dice{seed};
    RecordTable table{1000};
    std::map<NodeId, std::vector<Record>> heard; // All that were ever taken.
    std::int64_t ms = 0;
    for (int step = 0; step < 300; ++step) {
      Record r;
      r.subject = node_id(dice() % 10);
      r.boot = dice() % 3;
      r.sequence = dice() % 20;
      r.expires_ms = ms + std::int64_t(dice() % 130) - 10;
      const auto& past = heard[r.subject];
      const bool news = r.expires_ms > ms && r.expires_ms <= ms + 100 &&
                        std::all_of(past.begin(), past.end(),
                                    [&](auto& p) { return version_of(p) < version_of(r); });
      const auto taken = table.offer(
          sealed(r), node_id(dice() % 3), ms, 100ms, [](auto&) { return false; }, Time{});
      REQUIRE(taken.news == news);
      if (news)
        heard[r.subject].push_back(r);
      if (dice() % 10 == 0) {
        ms += std::int64_t(dice() % 50);
        table.expire(ms);
      }
      for (const auto& [id, records] : heard) {
        const bool lives = !records.empty() && records.back().expires_ms > ms;
        REQUIRE(bool(table.find(id)) == lives);
        if (lives)
          REQUIRE(table.find(id)->record == records.back());
      }
    }
  }
}

TEST_CASE("what the table let go is remembered, in bounds") {
  RecordTable table{8};
  for (std::size_t i = 0; i < 1000; ++i) {
    Record r;
    r.subject = node_id(i);
    r.expires_ms = 50;
    table.offer(
        sealed(r), node_id(0), 0, 100ms, [](auto&) { return false; }, Time{} + i * 1ms);
    REQUIRE(table.all().size() <= 8);
    REQUIRE(table.remembered() <= 32);
  }
  Record again;
  again.subject = node_id(990); // Pushed out lately.
  again.expires_ms = 50;
  CHECK(!table
             .offer(
                 sealed(again), node_id(0), 0, 100ms, [](auto&) { return false; }, Time{})
             .news);
}

TEST_CASE("a pace lets a burst through and then one at a time") {
  Pace pace{5, 100ms};
  Time now = Time{} + 1h;
  int taken = 0;
  for (int i = 0; i < 100; ++i)
    taken += pace.take(now);
  CHECK(taken == 5);
  for (int i = 0; i < 1000; ++i)
    taken += pace.take(now += 10ms);
  CHECK(taken == 105);
}
