#include "net/wire/codec.hpp"
#include "tests/node/job_book_world.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

using namespace tessera;
using namespace std::chrono_literals;
using sim::job_status;

namespace {

const Time start{};

NodeId node(std::uint8_t number) {
  NodeId id;
  id.key.fill(number);
  return id;
}
const NodeId me = node(1), anna = node(2), ben = node(3), carl = node(4), stranger = node(9);

// "7f": 7f00...
JobId job(std::string digits) {
  digits.resize(64, '0');
  JobId id;
  const auto bytes = *from_hex(digits);
  std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
  return id;
}

JobBook book_of(JobBookConfig config = {}, const std::vector<NodeId>& peers = {}) {
  config.self = me;
  JobBook book{config, 7};
  for (const auto& peer : peers)
    book.peer_up(peer);
  return book;
}

std::vector<std::string> ids(const std::vector<JobStatus>& jobs) {
  std::vector<std::string> out;
  for (const auto& status : jobs)
    out.push_back(to_hex(status.spec->id).substr(0, 4));
  std::sort(out.begin(), out.end());
  return out;
}

const JobsFound* found(const JobBookEffects& effects) {
  for (const auto& effect : effects)
    if (const auto* found = std::get_if<JobsFound>(&effect))
      return found;
  return nullptr;
}

// What is said to this peer, which is one word at most.
template<class M>
const M* said(const JobBookEffects& effects, const NodeId& to) {
  const M* out = nullptr;
  for (const auto& effect : effects)
    if (const auto* send = std::get_if<SendTo>(&effect); send && send->to == to) {
      CHECK(!out);
      out = std::get_if<M>(&send->message);
    }
  return out;
}
const JobQuery& asked(const JobBookEffects& effects, const NodeId& peer) {
  const auto* query = said<JobQuery>(effects, peer);
  REQUIRE(query);
  return *query;
}
std::vector<std::string> answered(const JobBookEffects& effects, const NodeId& to) {
  const auto* answer = said<JobAnswer>(effects, to);
  REQUIRE(answer);
  return ids(answer->jobs);
}

JobAnswer answer_to(const JobQuery& query, std::vector<JobStatus> jobs = {}) {
  return {query.query, query.asker, std::move(jobs)};
}

using Ids = std::vector<std::string>;

} // namespace

TEST_CASE("the numbers of WIRE.md's questions are ours") {
  std::ifstream in{"net/WIRE.md"};
  std::stringstream text;
  text << in.rdbuf();
  const auto doc = text.str();
  const auto told = [&](const std::string& words) {
    CAPTURE(words);
    CHECK(doc.find(words) != doc.npos);
  };
  const auto ms = [](Duration d) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()) + " ms";
  };
  const JobBookConfig usual;
  const auto hops = std::to_string(usual.hops), burst = std::to_string(usual.query_burst);
  told("sends it with `hops` " + hops + " to each peer");
  told("(and at most " + std::to_string(usual.hops - 1) + ")");
  told("Too late is " + ms(usual.patience_base) + " and, for each of the `hops`");
  told(", " + ms(usual.patience_hop) + " more; for who asked, " + ms(usual.patience_base) +
       " and " + hops + " times " + ms(usual.patience_hop) + ".");
  CHECK(usual.seen_max == 4096);
  told("among the last 4,096");
  CHECK(usual.questions_max == 1024);
  told("if 1,024 questions of others are under way");
  told("more than " + std::to_string(1s / usual.query_every) + " new questions a second, or " +
       burst + " at once");
  told("a bucket of " + burst + " that fills by one each " + ms(usual.query_every));
  told("more than " + std::to_string(usual.found_bytes_max >> 20) + " MiB");
  told("Of more than " + std::to_string(statuses_max) + " jobs");
}

TEST_CASE("who is alone answers at once, from what is rooted there") {
  auto book = book_of();
  for (const auto* id : {"7f31", "7f32", "7e99", "0000", "ffff"})
    book.learned(job_status(job(id)), Time{});
  const auto finds = [&](const std::string& prefix, const Ids& wanted) {
    CAPTURE(prefix);
    const auto effects = book.ask(5, prefix, {}, start);
    REQUIRE(effects.size() == 1);
    REQUIRE(found(effects));
    CHECK(found(effects)->ticket == 5);
    CHECK(ids(found(effects)->jobs) == wanted);
  };
  finds("", {"0000", "7e99", "7f31", "7f32", "ffff"});
  finds("7", {"7e99", "7f31", "7f32"});
  finds("7f", {"7f31", "7f32"});
  finds("7f3", {"7f31", "7f32"});
  finds("7f32", {"7f32"});
  finds("7f33", {});
  finds("f", {"ffff"});
  finds("0", {"0000"});
  finds("8", {});
  finds(to_hex(job("7f31")), {"7f31"});
  finds(to_hex(job("7f34")), {});
  finds(to_hex(job("7f31")) + "0", {});
  finds("7F", {});
  finds("7g", {});
  CHECK(book.held().questions == 0);
  CHECK(!book.next_wake());
}

TEST_CASE("jobs are listed the newest first") {
  auto book = book_of();
  for (const auto at : {20, 40, 10, 30})
    book.learned(job_status(job(std::to_string(at)), JobState::running, at), Time{});
  std::vector<std::int64_t> times;
  for (const auto& status : book.rooted(Time{}))
    times.push_back(status.spec->spec.submitted_ms);
  CHECK(times == std::vector<std::int64_t>{40, 30, 20, 10});
}

TEST_CASE("a job's time counts while it is queued or runs, and stands once it ended") {
  using enum JobState;
  auto book = book_of();
  const auto id = job("7f");
  auto status = job_status(id, queued);
  book.learned(status, start);
  const auto everywhere = [&](Time now) { // In lists, in answers to us and to others.
    std::vector<std::uint64_t> told{book.rooted(now).at(0).elapsed_ms,
                                    book.as_of(status, now).elapsed_ms};
    const auto ours = book.ask(1, "7f", {}, now);
    REQUIRE(found(ours));
    told.push_back(found(ours)->jobs.at(0).elapsed_ms);
    static std::uint64_t query = 100;
    const auto theirs = book.receive(ben, {++query, ben, "7f", 0}, now);
    const auto* answer = said<JobAnswer>(theirs, ben);
    REQUIRE(answer);
    told.push_back(answer->jobs.at(0).elapsed_ms);
    return told;
  };
  CHECK(everywhere(start) == std::vector<std::uint64_t>(4, 0));
  CHECK(everywhere(start + 2500ms) == std::vector<std::uint64_t>(4, 2500));
  status.state = running;
  status.elapsed_ms = 2999; // By its own clock it began a little later.
  book.learned(status, start + 3s);
  CHECK(everywhere(start + 4s) == std::vector<std::uint64_t>(4, 4000));
  status.state = done;
  status.elapsed_ms = 4500;
  book.learned(status, start + 5s);
  CHECK(everywhere(start + 60s) == std::vector<std::uint64_t>(4, 4500));
}

TEST_CASE("done beats cancelled, and what ended does not run again") {
  using enum JobState;
  const auto after = [](JobState first, JobState second) {
    auto book = book_of();
    book.learned(job_status(job("7f"), first), Time{});
    book.learned(job_status(job("7f"), second), Time{});
    return book.rooted(job("7f"))->state;
  };
  const auto told = [](JobState first, JobState second) {
    auto book = book_of({}, {anna, ben});
    const auto effects = book.ask(1, "7", {}, start);
    book.receive(anna, answer_to(asked(effects, anna), {job_status(job("7f"), first)}), start);
    const auto over =
        book.receive(ben, answer_to(asked(effects, ben), {job_status(job("7f"), second)}), start);
    REQUIRE(found(over));
    REQUIRE(found(over)->jobs.size() == 1);
    return found(over)->jobs.front().state;
  };
  for (const auto last : {queued, running, cancelled, failed, done}) {
    CHECK(after(done, last) == done);
    CHECK(told(done, last) == done);
    CHECK(told(last, done) == done);
  }
  CHECK(after(cancelled, done) == done);
  CHECK(after(cancelled, running) == cancelled);
  CHECK(after(failed, queued) == failed);
  CHECK(after(queued, running) == running);
  CHECK(after(running, cancelled) == cancelled);
  CHECK(told(running, cancelled) == cancelled);
  CHECK(told(failed, running) == failed);
}

TEST_CASE("nobody's word on a job that is rooted here counts but ours") {
  auto book = book_of({}, {anna});
  book.learned(job_status(job("7f"), JobState::running), Time{});
  const auto effects = book.ask(1, "7", {}, start);
  const auto lie = job_status(job("7f"), JobState::done);
  const auto over = book.receive(anna, answer_to(asked(effects, anna), {lie}), start);
  REQUIRE(found(over));
  CHECK(found(over)->jobs.front().state == JobState::running);
}

TEST_CASE("a whole id ends at the first answer that has it") {
  auto book = book_of({}, {anna, ben, carl});
  const auto id = to_hex(job("7f"));
  const auto effects = book.ask(1, id, {}, start);
  CHECK(book.receive(anna, answer_to(asked(effects, anna)), start).empty());
  const auto over =
      book.receive(ben, answer_to(asked(effects, ben), {job_status(job("7f"))}), start);
  REQUIRE(found(over));
  CHECK(ids(found(over)->jobs) == Ids{"7f00"});
  CHECK(
      book.receive(carl, answer_to(asked(effects, carl), {job_status(job("7f"))}), start).empty());

  book.learned(job_status(job("7f")), Time{});
  CHECK(book.ask(2, id, {}, start).size() == 1); // Known here: nobody is asked.
  CHECK(book.receive(anna, JobQuery{1, stranger, id, 9}, start).size() == 1);
}

TEST_CASE("a question goes to all peers but those it came from, with a hop less") {
  auto book = book_of({}, {anna, ben, carl});
  CHECK(asked(book.ask(1, "7f", {}, start), carl).hops == 16);
  const auto passed = [&](std::uint8_t hops) {
    static std::uint64_t number = 1;
    const auto effects = book.receive(anna, JobQuery{number++, ben, "7f", hops}, start);
    CHECK(effects.size() == 1); // To carl alone, or the answer.
    const auto* query = said<JobQuery>(effects, carl);
    return query ? int(query->hops) : -1;
  };
  CHECK(passed(255) == 15);
  CHECK(passed(16) == 15);
  CHECK(passed(2) == 1);
  CHECK(passed(1) == 0);
  CHECK(passed(0) == -1);
}

TEST_CASE("an answer comes when all who were asked have answered, or fell away") {
  auto book = book_of({}, {anna, ben, carl});
  book.learned(job_status(job("7f01")), Time{});
  const auto effects = book.receive(anna, JobQuery{1, stranger, "7f", 5}, start);
  CHECK(effects.size() == 2);
  const auto there = answer_to(asked(effects, ben), {job_status(job("7f02"))});
  CHECK(book.receive(ben, there, start).empty());
  CHECK(answered(book.peer_down(carl, start), anna) == Ids{"7f01", "7f02"});
  CHECK(book.held().questions == 0);
  CHECK(book.held().found_bytes == 0);
}

TEST_CASE("nobody waits past the patience, which shrinks with the hops left") {
  auto book = book_of({}, {anna, ben});
  const JobBookConfig usual;
  const auto effects = book.ask(1, "7f", {}, start);
  book.receive(anna, JobQuery{1, stranger, "7f", 3}, start);
  const auto theirs = start + usual.patience_base + 2 * usual.patience_hop;
  const auto ours = start + usual.patience_base + usual.hops * usual.patience_hop;
  CHECK(book.next_wake() == theirs);
  CHECK(book.wake(theirs - 1ms).empty());
  CHECK(answered(book.wake(theirs), anna).empty());
  CHECK(book.next_wake() == ours);
  book.receive(anna, answer_to(asked(effects, anna), {job_status(job("7f01"))}), start);
  const auto over = book.wake(ours);
  REQUIRE(found(over));
  CHECK(ids(found(over)->jobs) == Ids{"7f01"});
  CHECK(!book.next_wake());
}

TEST_CASE("a question whose asker's peer is gone is dropped") {
  auto book = book_of({}, {anna, ben});
  const auto effects = book.receive(anna, JobQuery{1, stranger, "7f", 5}, start);
  CHECK(book.peer_down(anna, start).empty());
  CHECK(book.held().questions == 0);
  CHECK(book.receive(ben, answer_to(asked(effects, ben)), start).empty());
}

TEST_CASE("a repeat is answered empty; its first bearer has the answer coming") {
  auto book = book_of({}, {anna, ben, carl});
  book.learned(job_status(job("7f01")), Time{});
  const JobQuery query{1, stranger, "7f", 5};
  book.receive(anna, query, start);
  CHECK(answered(book.receive(ben, query, start), ben).empty());
  CHECK(book.receive(anna, query, start).empty());
  book.receive(ben, answer_to(query), start);
  CHECK(answered(book.receive(carl, answer_to(query), start), anna) == Ids{"7f01"});
  CHECK(answered(book.receive(anna, query, start), anna).empty());
}

TEST_CASE("a question in our own name that comes from elsewhere is answered empty") {
  auto book = book_of({}, {anna, ben});
  book.learned(job_status(job("7f01")), Time{});
  const auto effects = book.ask(1, "7f", {}, start);
  CHECK(answered(book.receive(ben, asked(effects, anna), start), ben).empty());
  CHECK(answered(book.receive(ben, JobQuery{77, me, "7f", 5}, start), ben).empty());
  book.receive(anna, answer_to(asked(effects, anna)), start);
  CHECK(found(book.receive(ben, answer_to(asked(effects, ben)), start))); // It goes on.
}

TEST_CASE("the numbers of our questions tell nothing of the next") {
  auto book = book_of({}, {anna}), same = book_of({}, {anna});
  std::set<std::uint64_t> steps;
  for (std::uint64_t before = 0, n = 0; n < 100; ++n) {
    const auto number = asked(book.ask(n, "", {}, start), anna).query;
    CHECK(asked(same.ask(n, "", {}, start), anna).query == number); // One seed, one history.
    steps.insert(number - std::exchange(before, number));
  }
  CHECK(steps.size() == 100);
}

TEST_CASE("answers never asked for change nothing") {
  auto book = book_of({}, {anna, ben});
  const auto effects = book.ask(1, "7", {}, start);
  const auto& query = asked(effects, anna);
  const auto lie = answer_to(query, {job_status(job("7bad"))});
  CHECK(book.receive(stranger, lie, start).empty());
  CHECK(book.receive(anna, JobAnswer{query.query + 1, me, lie.jobs}, start).empty());
  CHECK(book.receive(anna, JobAnswer{query.query, ben, lie.jobs}, start).empty());
  CHECK(book.held().found_bytes == 0);
  CHECK(book.receive(anna, answer_to(query, {job_status(job("7f01"))}), start).empty());
  CHECK(book.receive(anna, lie, start).empty()); // A second one.
  const auto over = book.receive(ben, answer_to(query), start);
  REQUIRE(found(over));
  CHECK(ids(found(over)->jobs) == Ids{"7f01"});
  CHECK(book.receive(ben, lie, start).empty()); // Too late.
}

TEST_CASE("jobs that were not asked about are left out of an answer") {
  auto book = book_of({}, {anna});
  for (const auto& prefix : {std::string{"7f"}, to_hex(job("7f01"))}) {
    const auto effects = book.ask(1, prefix, {}, start);
    const auto over = book.receive(
        anna, answer_to(asked(effects, anna), {job_status(job("6f01")), job_status(job("7f01"))}),
        start);
    REQUIRE(found(over));
    CHECK(ids(found(over)->jobs) == Ids{"7f01"});
  }
  const auto effects = book.ask(2, to_hex(job("7f01")), {}, start);
  const auto over =
      book.receive(anna, answer_to(asked(effects, anna), {job_status(job("6f01"))}), start);
  REQUIRE(found(over));
  CHECK(found(over)->jobs.empty());
}

TEST_CASE("one peer is asked alone, and passes nothing on") {
  auto book = book_of({}, {anna, ben});
  const auto effects = book.ask(1, "7f", carl, start); // No peer yet: it will be dialled.
  CHECK(effects.size() == 1);
  CHECK(asked(effects, carl).hops == 0);
  CHECK(found(book.peer_down(carl, start))); // Unreachable.
  const auto alone = book.ask(2, "7f", me, start);
  CHECK(alone.size() == 1);
  CHECK(found(alone));
}

TEST_CASE("one peer's questions come in time, or are answered empty") {
  auto book = book_of({}, {anna, ben});
  book.learned(job_status(job("7f01")), Time{});
  std::uint64_t number = 0;
  const auto heard = [&](const NodeId& peer, int count, Time now) {
    int heard = 0;
    for (int i = 0; i < count; ++i)
      heard +=
          !answered(book.receive(peer, JobQuery{++number, stranger, "7f", 0}, now), peer).empty();
    return heard;
  };
  CHECK(heard(anna, 150, start) == 100);
  CHECK(heard(ben, 10, start) == 10); // Others are not in its debt.
  CHECK(heard(anna, 50, start + 200ms) == 10);
  CHECK(heard(anna, 500, start + 1200ms) == 50);
  CHECK(heard(anna, 500, start + 1h) == 100);
  const JobQuery last{number, stranger, "7f", 0}; // Refused, so not remembered:
  CHECK(!answered(book.receive(ben, last, start + 1h), ben).empty());
}

TEST_CASE("the rates of so many peers are known at a time; who is quiet is forgotten") {
  JobBookConfig config;
  config.askers_max = 3;
  auto book = book_of(config);
  book.learned(job_status(job("7f01")), Time{});
  const auto heard = [&](std::uint8_t peer, Time now) {
    const JobQuery query{peer + std::uint64_t(now.time_since_epoch().count()), stranger, "", 0};
    return !answered(book.receive(node(peer), query, now), node(peer)).empty();
  };
  for (std::uint8_t peer = 10; peer < 13; ++peer)
    CHECK(heard(peer, start));
  CHECK(!heard(13, start));
  CHECK(book.held().askers == 3);
  CHECK(heard(13, start + 20ms));
  CHECK(book.held().askers == 1);
}

TEST_CASE("of ended jobs the oldest go, of running ones none") {
  JobBookConfig config;
  config.ended_max = 3;
  auto book = book_of(config);
  for (int i = 0; i < 8; ++i) {
    const auto id = job("0" + std::to_string(i));
    book.learned(job_status(id), Time{});
    if (i % 2)
      book.learned(job_status(id, JobState::done), Time{});
  }
  CHECK(ids(book.rooted(Time{})) == Ids{"0000", "0200", "0300", "0400", "0500", "0600", "0700"});
  book.learned(job_status(job("03"), JobState::done), Time{}); // Told again, it is no newer.
  book.learned(job_status(job("00"), JobState::failed), Time{});
  CHECK(!book.rooted(job("03")));
  CHECK(ids(book.rooted(Time{})) == Ids{"0000", "0200", "0400", "0500", "0600", "0700"});
}

TEST_CASE("past questions_max, others' are answered from here alone; ours still go") {
  JobBookConfig config;
  config.questions_max = 5;
  auto book = book_of(config, {anna, ben});
  book.learned(job_status(job("7f01")), Time{});
  for (std::uint64_t number = 0; number < 5; ++number)
    CHECK(said<JobQuery>(book.receive(anna, JobQuery{number, stranger, "7f", 5}, start), ben));
  CHECK(answered(book.receive(anna, JobQuery{5, stranger, "7f", 5}, start), anna) == Ids{"7f01"});
  CHECK(book.held().questions == 5);
  CHECK(book.ask(1, "7f", {}, start).size() == 2);
  book.receive(ben, JobAnswer{3, stranger, {}}, start);
  CHECK(said<JobQuery>(book.receive(anna, JobQuery{6, stranger, "7f", 5}, start), ben));
}

TEST_CASE("what is under way is no news, even when a flood has made us forget it") {
  JobBookConfig config;
  config.seen_max = 10;
  config.query_burst = 1000;
  auto book = book_of(config, {anna, ben});
  const auto effects = book.ask(1, "7f", {}, start);
  const JobQuery theirs{1, stranger, "7f", 5};
  book.receive(anna, theirs, start);
  for (std::uint64_t number = 100; number < 200; ++number)
    book.receive(anna, JobQuery{number, stranger, "7f", 0}, start);
  CHECK(book.held().seen == 10);
  CHECK(answered(book.receive(ben, theirs, start), ben).empty());
  CHECK(said<JobAnswer>(book.receive(ben, answer_to(theirs), start), anna));
  book.receive(anna, answer_to(asked(effects, anna)), start);
  CHECK(found(book.receive(ben, answer_to(asked(effects, ben)), start)));
}

TEST_CASE("an answer has the newest statuses_max jobs; what is found here has all") {
  auto book = book_of({}, {anna});
  for (std::size_t i = 0; i < statuses_max + 50; ++i) {
    std::string digits = "0000" + std::to_string(i);
    book.learned(job_status(job("7f" + digits.substr(digits.size() - 4)), JobState::running,
                            std::int64_t(1000 - i)),
                 Time{});
  }
  const auto effects = book.receive(anna, JobQuery{1, stranger, "7f", 0}, start);
  const auto* answer = said<JobAnswer>(effects, anna);
  REQUIRE(answer);
  REQUIRE(answer->jobs.size() == statuses_max);
  CHECK(answer->jobs.front().spec->spec.submitted_ms == 1000);
  CHECK(answer->jobs.back().spec->spec.submitted_ms == std::int64_t(1001 - statuses_max));
  const auto over = book.ask(1, "7f", {}, start);
  CHECK(found(book.receive(anna, answer_to(asked(over, anna)), start))->jobs.size() ==
        statuses_max + 50);
}

TEST_CASE("answers are held up to found_bytes_max, and let go with their question") {
  JobBookConfig config;
  config.found_bytes_max = 10'000;
  auto book = book_of(config, {anna, ben});
  std::vector<JobStatus> many;
  for (int i = 10; i < 99; ++i)
    many.push_back(job_status(job("7f" + std::to_string(i))));
  const auto effects = book.ask(1, "7f", {}, start);
  book.receive(anna, answer_to(asked(effects, anna), many), start);
  CHECK(book.held().found_bytes > 5'000);
  CHECK(book.held().found_bytes <= 10'000);
  const auto over = book.receive(ben, answer_to(asked(effects, ben), many), start);
  REQUIRE(found(over));
  CHECK(found(over)->jobs.size() > 5);
  CHECK(found(over)->jobs.size() < 89);
  CHECK(book.held().found_bytes == 0);
}
