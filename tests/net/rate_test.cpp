#include "net/rate.hpp"

#include "net/session.hpp"
#include "tests/net/raw_peer.hpp"

#include <doctest/doctest.h>

#include <map>

using namespace tessera;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t bulk_bytes = 60'000; // Of one message.
constexpr std::uint64_t cap = 1'000'000;

struct End {
  explicit End(Session s) : session(std::move(s)) {}

  Session session;
  std::size_t sent = 0, came = 0, controls = 0, bulks = 0;
};

// Pairs of sessions over lines that take no time; `now` goes from one thing to do to the next.
struct World {
  Time now{};
  std::vector<std::pair<End, End>> pairs;

  void add(SessionLimits at_a, SessionLimits at_b) {
    pairs.emplace_back(End{Session{handshake_of(NoiseRole::initiator, 1), at_a, 1, now}},
                       End{Session{handshake_of(NoiseRole::responder, 2), at_b, 2, now}});
    settle();
  }
  void told(End& end, std::vector<SessionNews> news) {
    for (auto& n : news)
      if (const auto* in = std::get_if<MessageIn>(&n)) {
        (in->lane == Lane::bulk ? end.bulks : end.controls) += 1;
        end.session.consumed(in->message.size(), in->lane, now);
      } else {
        CHECK_FALSE(std::holds_alternative<SessionDown>(n));
        CHECK_FALSE(std::holds_alternative<Suspected>(n));
      }
  }
  bool carry(End& from, End& to) {
    if (!from.session.has_output())
      return false;
    const auto out = from.session.take_output(128 << 10, now);
    from.sent += out.size();
    to.came += out.size();
    told(to, to.session.received(out, now));
    return true;
  }
  void settle() {
    for (bool went = true; went;) {
      went = false;
      for (auto& [a, b] : pairs)
        went = carry(a, b) || carry(b, a) || went;
    }
  }
  void run(Duration time) {
    for (const auto until = now + time; now < until; settle()) {
      auto next = until;
      for (auto& [a, b] : pairs)
        for (auto* end : {&a, &b})
          next = std::min(next, end->session.next_wake().value_or(until));
      now = std::max(now, next);
      for (auto& [a, b] : pairs)
        for (auto* end : {&a, &b})
          if (const auto at = end->session.next_wake(); at && *at <= now)
            told(*end, end->session.wake(now));
    }
  }
  void keep_sending(End& end, int messages) {
    for (int i = 0; i < messages; ++i)
      REQUIRE(end.session.send(Bytes(bulk_bytes, 1), Lane::bulk, now));
  }
};

SessionLimits with(std::shared_ptr<Rate> up, std::shared_ptr<Rate> down) {
  SessionLimits limits;
  limits.upload = std::move(up);
  limits.download = std::move(down);
  return limits;
}

} // namespace

TEST_CASE("bookings are served in order, at the rate, and not saved up") {
  Rate rate{cap};
  const Time start{};
  CHECK(rate.book(500'000, start) == start);
  CHECK(rate.book(500'000, start) > start + 450ms);
  rate.spend(1'000'000, start + 1s);
  CHECK(rate.book(1, start + 1s) > start + 1900ms);
  CHECK(rate.book(1, start + 100s) == start + 100s);
  rate.spend(1'000'000'000, start + 200s); // A debt is bounded.
  CHECK(rate.book(1, start + 200s) <= start + 202s);
}

TEST_CASE("uploads of all sessions together keep to their rate, and use it") {
  World w;
  const auto rate = std::make_shared<Rate>(cap);
  for (int i = 0; i < 3; ++i)
    w.add(with(rate, nullptr), {});
  for (auto& [a, b] : w.pairs)
    w.keep_sending(a, 100);
  w.run(5s);
  std::size_t sent = 0;
  for (auto& [a, b] : w.pairs) {
    sent += a.sent;
    CHECK(a.sent > 5 * cap / 3 * 8 / 10); // Each gets its part.
  }
  CHECK(sent <= 5 * cap * 11 / 10);
  CHECK(sent >= 5 * cap * 9 / 10);
}

TEST_CASE("downloads of all sessions together keep to their rate, and use it") {
  World w;
  const auto rate = std::make_shared<Rate>(cap);
  for (int i = 0; i < 3; ++i)
    w.add({}, with(nullptr, rate));
  for (auto& [a, b] : w.pairs)
    w.keep_sending(a, 100);
  w.run(5s);
  std::size_t came = 0;
  for (auto& [a, b] : w.pairs) {
    came += b.came;
    CHECK(b.came > 5 * cap / 3 * 8 / 10);
  }
  CHECK(came <= 5 * cap * 11 / 10 + 3 * rate->ahead() / 2);
  CHECK(came >= 5 * cap * 9 / 10);
}

TEST_CASE("without a rate all of it goes at once") {
  World w;
  w.add({}, {});
  w.keep_sending(w.pairs[0].first, 100);
  w.settle();
  CHECK(w.pairs[0].second.bulks == 100);
}

TEST_CASE("control goes at once, whatever bulk waits for, and signs of life with it") {
  World w;
  w.add(with(std::make_shared<Rate>(Rate::bytes_min), nullptr),
        with(nullptr, std::make_shared<Rate>(Rate::bytes_min)));
  auto& [a, b] = w.pairs[0];
  w.keep_sending(a, 100);
  for (std::size_t i = 1; i <= 60; ++i) {
    w.run(1s);
    CHECK(a.session.send({1, 2, 3}, Lane::control, w.now));
    w.settle();
    CHECK(b.controls == i);
  }
  CHECK(b.bulks >= 60 * Rate::bytes_min * 8 / 10 / bulk_bytes);
  CHECK(b.came <= 60 * Rate::bytes_min * 11 / 10 + Rate{Rate::bytes_min}.ahead());
}
