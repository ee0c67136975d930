#include "node/cancels.hpp"
#include "node/eligible.hpp"
#include "node/idempotency.hpp"
#include "node/wishes.hpp"

#include <doctest/doctest.h>

// The small machines behind a submission: its wishes, who can run it, its key, its cancellation.
using namespace tessera;
using namespace std::chrono_literals;

namespace {

using Json = nlohmann::json;

Record node(std::uint8_t n, std::uint64_t memory = 1 << 30, std::string arch = "x86_64") {
  Record r;
  r.subject.key[0] = n;
  r.slots = 2;
  r.kernels = {"sumsq@1"};
  r.worker = {memory, std::move(arch)};
  return r;
}
Record with(Record r, const std::function<void(Record&)>& change) {
  change(r);
  return r;
}

JobSpec spec(std::uint64_t memory = 0, std::string arch = "") {
  JobSpec s;
  s.kernel = "sumsq";
  s.require = {memory, std::move(arch)};
  return s;
}

Cancels::Word word(std::uint8_t n) {
  SignedCancel cancel;
  cancel.job.bytes[0] = n;
  return std::make_shared<const SignedCancel>(cancel);
}

const Digest body = digest_of(view("a body")), other = digest_of(view("another"));

} // namespace

TEST_CASE("wishes are read as they are said, and absent ones are none") {
  const auto none = wishes_of(Json::object());
  REQUIRE(none);
  CHECK(none->priority == 0);
  CHECK_FALSE(none->require.any());
  CHECK_FALSE(none->ttl);
  const auto all = wishes_of(Json::parse(
      R"({"priority":-3,"ttl":7200,"require":{"memory":4294967296,"arch":"amd64"},"wait_for_peers":true})"));
  REQUIRE(all);
  CHECK(all->priority == -3);
  CHECK(all->ttl == 2h);
  CHECK(all->require == Require{std::uint64_t{4} << 30, "x86_64"});
  CHECK(all->wait_for_peers);
  JobSpec s;
  s.submitted_ms = 1000;
  apply(*all, s);
  CHECK(s.deadline_ms == 7'201'000);
  CHECK(s.priority == -3);
  REQUIRE(wishes_of(Json::parse(R"({"priority":null,"ttl":null,"require":null})")));
}

TEST_CASE("a wish that cannot be is E461") {
  for (const auto* said :
       {R"({"priority":11})", R"({"priority":-11})", R"({"priority":1.5})", R"({"priority":"1"})",
        R"({"priority":18446744073709551615})", R"({"ttl":0})", R"({"ttl":-1})",
        R"({"ttl":31622401})", R"({"ttl":"2h"})", R"({"require":[]})", R"({"require":"4G"})",
        R"({"require":{"memory":0}})", R"({"require":{"memory":"4G"}})",
        R"({"require":{"arch":"X86"}})", R"({"require":{"arch":""}})", R"({"require":{"cores":4}})",
        R"({"wait_for_peers":1})"}) {
    CAPTURE(said);
    const auto wishes = wishes_of(Json::parse(said));
    REQUIRE_FALSE(wishes);
    CHECK(wishes.error().code == "E461");
    CHECK_FALSE(wishes.error().fix.empty());
  }
}

TEST_CASE("who can run a job, and what the others lack") {
  const auto s = spec(1 << 20, "x86_64");
  CHECK(fit_of(s, node(1)) == Fit::able);
  CHECK(fit_of(s, node(1, 1 << 19)) == Fit::memory);
  CHECK(fit_of(s, node(1, 1 << 30, "aarch64")) == Fit::arch);
  CHECK(fit_of(s, with(node(1), [](Record& r) { r.paused = true; })) == Fit::paused);
  CHECK(fit_of(s, with(node(1), [](Record& r) { r.slots = 0; })) == Fit::no_slots);
  CHECK(fit_of(s, with(node(1), [](Record& r) { r.kernels = {"sumsq@2"}; })) == Fit::kernel);
  CHECK(fit_of(s, with(node(1), [](Record& r) { r.leaving = true; })) == Fit::leaving);
}

TEST_CASE("a job that nobody could run is refused with counts, unless one could after a pause") {
  const auto s = spec(std::uint64_t{4} << 30);
  const auto nobody =
      nobody_can(s, eligible_of(s, {node(1), node(2), with(node(3), [](Record& r) { r.slots = 0; }),
                                    with(node(4), [](Record& r) { r.leaving = true; })}));
  REQUIRE(nobody);
  CHECK(nobody->code == "E601");
  CHECK(nobody->what == "0 of 3 nodes can run this");
  CHECK(nobody->why == "2 have less than 4 GiB for a worker, 1 has no slots");
  const auto large = std::uint64_t{8} << 30;
  CHECK_FALSE(nobody_can(s, eligible_of(s, {node(1), node(2, large)})));
  CHECK_FALSE(
      nobody_can(s, eligible_of(s, {with(node(2, large), [](Record& r) { r.paused = true; })})));
  CHECK_FALSE(nobody_can(spec(), eligible_of(spec(), {}))); // It may wait for nodes.
}

TEST_CASE("the same key and body again is the answer of before; another body is not") {
  Idempotency once;
  Time now{};
  CHECK(std::holds_alternative<Idempotency::Fresh>(once.begin("k", body, now)));
  CHECK(std::holds_alternative<Idempotency::InFlight>(once.begin("k", body, now)));
  CHECK(std::holds_alternative<Idempotency::Other>(once.begin("k", other, now)));
  once.answered("k", 201, "job", now);
  const auto again = once.begin("k", body, now + 23h);
  REQUIRE(std::holds_alternative<Idempotency::Replay>(again));
  CHECK(std::get<Idempotency::Replay>(again).status == 201);
  CHECK(std::get<Idempotency::Replay>(again).body == "job");
  CHECK(std::holds_alternative<Idempotency::Other>(once.begin("k", other, now + 23h)));
  CHECK(std::holds_alternative<Idempotency::Fresh>(once.begin("k", other, now + 24h)));
}

TEST_CASE("a key that is restored is as old as it was, and what is known already stands") {
  IdempotencyConfig config;
  config.keys_max = 3;
  Idempotency once{config};
  const Time now{};
  once.begin("c", body, now);
  once.restore("a", body, {201, "job a"}, 23h, now);
  once.restore("b", body, {201, "job b"}, 24h, now); // Too old.
  once.restore("c", other, {201, "job c"}, 1h, now);
  once.restore("d", body, {201, "job d"}, 1h, now);
  once.restore("e", body, {201, "job e"}, 0h, now); // Too many.
  CHECK(once.size() == 3);
  CHECK(std::holds_alternative<Idempotency::InFlight>(once.begin("c", body, now)));
  CHECK(std::get<Idempotency::Replay>(once.begin("a", body, now)).body == "job a");
  CHECK(std::holds_alternative<Idempotency::Other>(once.begin("a", other, now)));
  CHECK(std::holds_alternative<Idempotency::Fresh>(once.begin("a", other, now + 1h)));
  CHECK(std::get<Idempotency::Replay>(once.begin("d", body, now + 1h)).body == "job d");
}

TEST_CASE("a submission that was dropped may be tried again with its key") {
  Idempotency once;
  once.begin("k", body, {});
  once.dropped("k");
  CHECK(std::holds_alternative<Idempotency::Fresh>(once.begin("k", body, {})));
  once.answered("k", 201, "job", {});
  once.dropped("k"); // Too late.
  CHECK(std::holds_alternative<Idempotency::Replay>(once.begin("k", body, {})));
}

TEST_CASE("of too many keys the oldest answered goes, and those in flight stay") {
  IdempotencyConfig config;
  config.keys_max = 3;
  Idempotency once{config};
  once.begin("a", body, {});
  once.begin("b", body, {});
  once.answered("b", 201, "b", {});
  once.begin("c", body, {});
  CHECK(std::holds_alternative<Idempotency::Fresh>(once.begin("d", body, {}))); // b went.
  CHECK(std::holds_alternative<Idempotency::InFlight>(once.begin("a", body, {})));
  CHECK(std::holds_alternative<Idempotency::Full>(once.begin("e", body, {})));
  CHECK(once.size() == 3);
  CHECK_FALSE(once.valid(""));
  CHECK_FALSE(once.valid("a b"));
  CHECK_FALSE(once.valid(std::string(256, 'x')));
  CHECK(once.valid(std::string(255, 'x')));
}

TEST_CASE("a cancellation is said again, ever more seldom, until the job has ended") {
  Cancels cancels;
  Time now{};
  const NodeId root{{7}};
  REQUIRE(cancels.add(root, word(1), now).size() == 1);
  std::vector<Duration> gaps;
  auto last = now;
  for (int i = 0; i < 8; ++i) {
    now = *cancels.next_wake();
    gaps.push_back(now - last);
    last = now;
    const auto due = cancels.wake(now);
    REQUIRE(due.size() == 1);
    CHECK(due[0].root == root);
  }
  CHECK(gaps.front() == 2s);
  CHECK(gaps[1] == 4s);
  CHECK(gaps.back() == 60s);
  cancels.ended(word(1)->job);
  CHECK_FALSE(cancels.next_wake());
}

TEST_CASE("cancellations are bounded in number and time") {
  CancelsConfig config;
  config.words_max = 2;
  Cancels cancels{config};
  cancels.add({}, word(1), Time{});
  cancels.add({}, word(2), Time{1s});
  cancels.add({}, word(3), Time{2s});
  CHECK(cancels.size() == 2);
  CHECK(cancels.wake(Time{25h}).empty());
  CHECK(cancels.size() == 0);
}
