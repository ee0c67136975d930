#include "net/reach.hpp"

#include <doctest/doctest.h>

using namespace tessera;
using namespace std::chrono_literals;

namespace {

using Outcome = DialBackAnswer::Outcome;
using State = Reach::State;

const Address own{"192.168.1.7", 7700};
const Time start = Time{} + 1h;

NodeId node(std::uint8_t n) {
  NodeId id{};
  id.key.fill(n);
  return id;
}

template<class T>
std::vector<T> all(const ReachEffects& effects) {
  std::vector<T> found;
  for (const auto& e : effects)
    if (const auto* one = std::get_if<T>(&e))
      found.push_back(*one);
  return found;
}
std::optional<NodeId> asked(const ReachEffects& effects) {
  for (const auto& e : all<AskReach>(effects))
    if (const auto* ask = std::get_if<DialBackAsk>(&e.message)) {
      CHECK(ask->address == own);
      return e.to;
    }
  return {};
}
std::optional<Outcome> answered(const ReachEffects& effects) {
  for (const auto& e : all<AskReach>(effects))
    if (const auto* answer = std::get_if<DialBackAnswer>(&e.message))
      return answer->outcome;
  return {};
}

} // namespace

TEST_CASE("who dialled us is proof that others can, and nobody is asked") {
  ReachTest test{own};
  CHECK(test.reach().state == State::unknown);
  CHECK_FALSE(test.next_wake());
  const auto told = all<Reach>(test.session_up(node(1), false, "10.0.0.1", start));
  REQUIRE(told.size() == 1);
  CHECK(told[0] == Reach{State::yes, node(1), "", 0});
  CHECK(all<Reach>(test.session_up(node(1), false, "10.0.0.1", start)).empty());
  CHECK(*test.next_wake() == start + ReachTest::again_after);
}

TEST_CASE("where nobody dialled us a peer is asked to, and what it says is believed") {
  ReachTest test{own};
  CHECK(test.session_up(node(1), true, "10.0.0.1", start).empty());
  CHECK_FALSE(asked(test.wake(start + 1s)));
  CHECK(asked(test.wake(start + ReachTest::settle)) == node(1));
  CHECK(test.receive(node(2), {Outcome::reached, ""}, start + 3s).empty()); // Not asked.
  const auto told = all<Reach>(test.receive(node(1), {Outcome::reached, ""}, start + 3s));
  REQUIRE(told.size() == 1);
  CHECK(told[0].state == State::yes);
  CHECK(*test.next_wake() == start + 3s + ReachTest::again_after);
}

TEST_CASE("three who tried in vain are enough; one who did not try says nothing") {
  ReachTest test{own};
  for (std::uint8_t n = 1; n <= 5; ++n)
    test.session_up(node(n), true, "10.0.0.1", start);
  auto effects = test.wake(start + ReachTest::settle);
  for (int i = 0; i < 2; ++i) {
    const auto who = asked(effects);
    REQUIRE(who);
    effects = test.receive(*who, {Outcome::failed, "connection refused"}, start + 5s);
    CHECK(test.reach().state == State::unknown);
  }
  const auto last = asked(effects);
  REQUIRE(last);
  const auto told = all<Reach>(test.receive(*last, {Outcome::not_tried, ""}, start + 6s));
  REQUIRE(told.size() == 1);
  CHECK(told[0] == Reach{State::no, node(2), "connection refused", 2});
  CHECK(all<Reach>(test.session_up(node(9), false, "10.0.0.9", start + 7s)).at(0).state ==
        State::yes);
}

TEST_CASE("nobody who could try leaves it unknown, and is asked again later") {
  ReachTest test{own};
  test.session_up(node(1), true, "10.0.0.1", start);
  CHECK(asked(test.wake(start + ReachTest::settle)));
  const auto late = start + ReachTest::settle + ReachTest::answer_within;
  CHECK(test.wake(late).empty()); // It is silent, and there is no other.
  CHECK(test.reach().state == State::unknown);
  CHECK(asked(test.wake(late + ReachTest::again_after)) == node(1));
  CHECK(test.peer_down(node(1), late + ReachTest::again_after).empty());
  CHECK(test.reach().state == State::unknown);
}

TEST_CASE("a peer is tried at the address that its session comes from, and nowhere else") {
  ReachTest test{own};
  test.session_up(node(1), false, "203.0.113.5", start);
  const auto probes = all<Probe>(test.receive(node(1), DialBackAsk{{"198.51.100.1", 22}}, start));
  REQUIRE(probes.size() == 1);
  CHECK(probes[0].address == Address{"203.0.113.5", 22});
  CHECK(answered(test.probed(node(1), false, "no answer")) == Outcome::failed);
  CHECK(test.probed(node(1), true, "").empty()); // It was answered already.
  // Of one machine's own addresses, the one that is meant.
  test.session_up(node(2), false, "127.0.0.1", start);
  CHECK(all<Probe>(test.receive(node(2), DialBackAsk{{"127.0.0.9", 7}}, start)).at(0).address ==
        Address{"127.0.0.9", 7});
  test.session_up(node(3), false, "127.0.0.1", start);
  CHECK(all<Probe>(test.receive(node(3), DialBackAsk{{"198.51.100.1", 7}}, start)).at(0).address ==
        Address{"127.0.0.1", 7});
}

TEST_CASE("peers are tried seldom, few at once, and only where there is something to try") {
  ReachTest test{own};
  const DialBackAsk ask{{"10.0.0.1", 7700}};
  CHECK(test.receive(node(1), ask, start).empty()); // No session.
  test.session_up(node(1), false, "10.0.0.1", start);
  CHECK(all<Probe>(test.receive(node(1), ask, start)).size() == 1);
  CHECK(answered(test.probed(node(1), true, "")) == Outcome::reached);
  CHECK(answered(test.receive(node(1), ask, start + 59s)) == Outcome::not_tried);
  CHECK(all<Probe>(test.receive(node(1), ask, start + ReachTest::probe_each)).size() == 1);
  for (std::uint8_t n = 2; n <= ReachTest::probes_max; ++n) {
    test.session_up(node(n), false, "10.0.0.1", start);
    CHECK(all<Probe>(test.receive(node(n), ask, start)).size() == 1);
  }
  test.session_up(node(100), false, "10.0.0.1", start);
  CHECK(answered(test.receive(node(100), ask, start)) == Outcome::not_tried);
  test.session_up(node(101), true, "10.0.0.1", start); // Whom we dialled ourselves.
  CHECK(answered(test.receive(node(101), ask, start)) == Outcome::reached);
  test.session_up(node(102), false, "", start);
  CHECK(answered(test.receive(node(102), ask, start)) == Outcome::not_tried);
}
