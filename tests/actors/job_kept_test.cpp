#include "tests/actors/job_bench.hpp"

#include <algorithm>

using namespace tessera;
using namespace tessera::bench;

// Ordered output: two nodes hold what counts, and the root is one of them only where it must.
namespace {

// A root that runs nothing, and some thieves with leases of it. The first brings its blocks.
struct Table : Bench {
  explicit Table(std::uint64_t leaves = 16, int thieves = 3) : Bench(leaves) {
    ordered = true;
    JobConfig only_root;
    only_root.slots = 0;
    a = &root(1, only_root);
    for (int i = 0; i < thieves; ++i) {
      seats_of.push_back(&lessee(std::uint8_t(2 + i)));
      steal(*seats_of.back(), *a, 1.0 / (4 - i)); // A quarter of all.
      deliver_all();
    }
  }
  Seat& thief(std::size_t n) { return *seats_of.at(n); }

  // It works off its lease, and the root hears of it; how many blocks.
  std::size_t bring(Seat& t) {
    const auto before = copies();
    work_off(t);
    deliver_all();
    return copies() - before;
  }
  std::uint64_t copies() const { return a->job->counters().copies_asked; }
  std::uint64_t done() const { return a->job->status(now).leaves_done; }

  // Who is to take the copy; nobody else.
  Seat* keeper() {
    Seat* found = nullptr;
    for (auto* s : seats_of)
      if (s->job && !s->pulls.empty()) {
        CHECK(!found);
        found = s;
      }
    return found;
  }
  // The third.
  Seat& other(const Seat& x, const Seat& y) {
    for (auto* s : seats_of)
      if (s != &x && s != &y)
        return *s;
    throw std::logic_error("there is no third");
  }
  // Whoever is left steals and works, and what is wanted is there.
  void run_to_end() {
    auto_pull = auto_journal = true;
    for (int i = 0; i < 200 && !a->ended; ++i) {
      for (auto* s : seats_of)
        if (s->job) {
          steal(*s, *a, 0.5);
          deliver_all();
          work_off(*s);
        }
      pass(100ms);
      work_off(*a);
    }
    check_ordered_result();
  }
  void answer(Seat& s, bool here) {
    answer_pulls(s, here);
    deliver_all();
  }
  std::vector<BlobId> pieces(const Partial& whole) const {
    std::vector<BlobId> out;
    const auto m = Manifest::of(whole.bytes);
    REQUIRE(m);
    for (const auto& part : m->parts)
      out.push_back(part.blob);
    return out;
  }
  void check_ordered_result() {
    REQUIRE(a->ended);
    CHECK(a->ended->state == JobState::done);
    CHECK(a->ended->result == ordered_partial(tree, tree.root(), alike));
  }

  Seat* a;
  std::vector<Seat*> seats_of;
};

template<class M>
bool is(const Letter& letter) {
  return std::holds_alternative<M>(letter.message);
}

} // namespace

TEST_CASE("ordered output counts when another than the thief holds a copy, and the root has none") {
  Table b;
  REQUIRE(b.bring(b.thief(0)) == 1);
  auto* keeper = b.keeper();
  REQUIRE(keeper);
  CHECK(keeper != &b.thief(0));
  REQUIRE(keeper->pulls.size() == 1);
  const auto pull = keeper->pulls[0];
  CHECK(Manifest::of(pull.manifest));
  CHECK(pull.blob == blob_id(pull.manifest));
  CHECK(pull.holders == std::vector{b.thief(0).id});
  CHECK(b.a->pulls.empty());
  CHECK(b.done() == 0);
  b.pass(1s);
  CHECK(b.done() == 0);
  b.answer(*keeper, true);
  CHECK(b.done() == Manifest::of(pull.manifest)->parts.size());
  CHECK(b.a->pulls.empty());
  b.run_to_end();
}

TEST_CASE("a partner that will not is followed by the next, and then the root has it itself") {
  Table b;
  auto& t = b.thief(0);
  REQUIRE(b.bring(t) == 1);
  auto* first = b.keeper();
  REQUIRE(first);
  b.answer(*first, false);
  auto* second = b.keeper();
  REQUIRE(second);
  CHECK(second == &b.other(t, *first));
  CHECK(b.a->pulls.empty());
  b.answer(*second, false);
  CHECK(!b.keeper());
  REQUIRE(b.a->pulls.size() == 1);
  CHECK(b.a->pulls[0].holders == std::vector{t.id});
  CHECK(Manifest::of(b.a->pulls[0].manifest));
  SUBCASE("it comes") {
    b.answer(*b.a, true);
    CHECK(b.done() > 0);
  }
  SUBCASE("it is nowhere: the leaves run again") {
    const auto queued = b.a->queue.queued_leaves;
    b.answer(*b.a, false);
    CHECK(b.done() == 0);
    CHECK(b.a->queue.queued_leaves > queued);
  }
  b.run_to_end();
}

TEST_CASE("a root with one thief has a copy itself") {
  Table b{8, 1};
  b.work_off(b.thief(0));
  b.deliver_all();
  CHECK(b.copies() == 0);
  CHECK(b.a->pulls.size() == 1);
}

TEST_CASE("a keeper that says nothing is asked again and again, then another") {
  Table b;
  NodeId deaf{};
  std::size_t asks = 0;
  b.cut = [&](const Letter& letter) {
    if (!is<KeepAsk>(letter))
      return false;
    if (deaf == NodeId{})
      deaf = letter.to;
    asks += letter.to == deaf;
    return letter.to == deaf;
  };
  REQUIRE(b.bring(b.thief(0)) == 1);
  CHECK(asks == 1);
  b.pass(10s);
  CHECK(asks == 6);
  CHECK(!b.keeper());
  b.pass(6s);
  auto* next = b.keeper();
  REQUIRE(next);
  CHECK(next->id != deaf);
  b.answer(*next, true);
  CHECK(b.done() > 0);
}

TEST_CASE("a keeper that goes is followed by the next at once") {
  Table b;
  REQUIRE(b.bring(b.thief(0)) == 1);
  auto* first = b.keeper();
  REQUIRE(first);
  auto& next = b.other(b.thief(0), *first);
  b.kill(*first);
  b.pass(900ms);
  CHECK(!b.keeper());
  b.pass(200ms);
  CHECK(b.keeper() == &next);
}

TEST_CASE("an answer of one who was not asked, or on something else, means nothing") {
  Table b;
  REQUIRE(b.bring(b.thief(0)) == 1);
  auto* keeper = b.keeper();
  REQUIRE(keeper);
  const auto manifest = keeper->pulls[0].blob;
  for (const bool kept : {true, false}) {
    b.apply(*b.a, b.a->job->receive(b.thief(0).id, KeepAnswer{b.spec->id, manifest, kept}, b.now));
    b.apply(*b.a, b.a->job->receive(keeper->id, KeepAnswer{b.spec->id, b.spec->id, kept}, b.now));
  }
  CHECK(b.copies() == 1);
  CHECK(b.done() == 0);
  b.answer(*keeper, true);
  const auto done = b.done();
  CHECK(done > 0);
  b.apply(*b.a, b.a->job->receive(keeper->id, KeepAnswer{b.spec->id, manifest, false}, b.now));
  CHECK(b.copies() == 1); // Late.
  CHECK(b.done() == done);
}

// --- Those who held it go

namespace {

// The first thief's output, held by it and by one more; the third has none.
struct Held : Table {
  Held() {
    REQUIRE(bring(maker()) == 1);
    keeper_ = keeper();
    REQUIRE(keeper_);
    manifest = keeper_->pulls.at(0).blob;
    answer(*keeper_, true);
    leaves = done();
    REQUIRE(leaves > 0);
  }
  Seat& maker() { return thief(0); }
  Seat& holder() { return *keeper_; }
  Seat& third() { return other(maker(), holder()); }
  std::uint64_t lost() const { return a->job->counters().outputs_lost; }

  BlobId manifest;
  std::uint64_t leaves = 0;

private:
  Seat* keeper_ = nullptr;
};

} // namespace

TEST_CASE("when one of two who hold it goes, the other gives it to a third") {
  Held b;
  Seat* stays = nullptr;
  SUBCASE("who made it") {
    stays = &b.holder();
    b.kill(b.maker());
    b.pass(1100ms);
  }
  SUBCASE("who took the copy") {
    stays = &b.maker();
    b.kill(b.holder());
    b.pass(1100ms);
  }
  SUBCASE("who comes back as another boot") {
    stays = &b.maker();
    b.apply(*b.a, b.a->job->peer_up(b.holder().id, 5, b.now));
    b.apply(*b.a, b.a->job->peer_up(b.holder().id, 6, b.now));
    b.deliver_all();
  }
  REQUIRE(b.third().pulls.size() == 1);
  CHECK(b.third().pulls[0].holders == std::vector{stays->id});
  b.answer(b.third(), true);
  CHECK(b.done() == b.leaves);
  // And so on: of these two one goes again.
  b.kill(*stays);
  b.pass(1100ms);
  CHECK(b.done() == b.leaves);
  CHECK(b.lost() == 0);
}

TEST_CASE("a holder whose socket closes and is back in time holds it still") {
  Held b;
  b.apply(*b.a, b.a->job->peer_up(b.holder().id, 5, b.now));
  b.apply(*b.a, b.a->job->peer_down(b.holder().id, b.now));
  b.pass(900ms);
  b.apply(*b.a, b.a->job->peer_up(b.holder().id, 5, b.now));
  b.pass(5s);
  CHECK(b.copies() == 1);
}

TEST_CASE("what both held who went is computed again") {
  Held b;
  const auto queued = b.a->queue.queued_leaves;
  b.kill(b.maker());
  b.kill(b.holder());
  b.pass(1100ms);
  REQUIRE(b.third().pulls.size() == 1);
  b.answer(b.third(), false);
  REQUIRE(b.a->pulls.size() == 1);
  CHECK(b.done() == b.leaves);
  b.answer(*b.a, false);
  CHECK(b.done() == 0);
  CHECK(b.a->queue.queued_leaves >= queued + b.leaves);
  CHECK(b.lost() == 1);
  b.run_to_end();
}

TEST_CASE("what goes while its second copy is made counts for nothing, and is brought again") {
  Table b;
  REQUIRE(b.bring(b.thief(0)) == 1);
  auto* keeper = b.keeper();
  REQUIRE(keeper);
  const auto queued = b.a->queue.queued_leaves;
  b.kill(b.thief(0));
  b.pass(1100ms);
  b.answer(*keeper, false);
  b.answer(b.other(b.thief(0), *keeper), false);
  b.answer(*b.a, false);
  CHECK(b.done() == 0);
  CHECK(b.a->queue.queued_leaves > queued);
  CHECK(b.a->job->counters().outputs_lost == 0);
}

TEST_CASE("output that several blocks have alike is held by all who hold one of them") {
  Table b;
  b.alike = true;
  auto& t = b.thief(0);
  REQUIRE(b.bring(t) == 1);
  auto* keeper = b.keeper();
  REQUIRE(keeper);
  b.answer(*keeper, true);
  auto& third = b.other(t, *keeper);
  REQUIRE(b.bring(third) == 1); // The same bytes.
  REQUIRE(b.keeper());
  b.answer(*b.keeper(), true);
  const auto done = b.done();
  CHECK(done == 8);
  b.kill(third);
  b.pass(1100ms);
  REQUIRE(b.a->pulls.size() == 1); // All others have it.
  SUBCASE("who made it first goes") {
    b.kill(t);
  }
  SUBCASE("who took the first copy goes") {
    b.kill(*keeper);
  }
  b.pass(1100ms);
  b.answer(*b.a, true);
  CHECK(b.done() == done);
  CHECK(b.a->job->counters().outputs_lost == 0);
}

TEST_CASE("a second result of what is done takes nothing with it when its output is gone") {
  Table b{4, 2};
  auto &t = b.thief(0), &u = b.thief(1);
  const auto wanted = [&](bool here) {
    for (auto* s : {&t, &u, b.a})
      b.answer(*s, here);
  };
  const auto rest_to_u = [&] {
    for (int i = 0; i < 3; ++i) {
      b.steal(u, *b.a, 1);
      b.deliver_all();
    }
    b.work_off(u);
    b.deliver_all();
    wanted(true);
  };
  rest_to_u();
  CHECK(b.done() == 3);
  b.cut = [&](const Letter& letter) { return letter.from == t.id || letter.to == t.id; };
  b.pass(4s); // Suspected: its leaf runs a second time.
  rest_to_u();
  CHECK(b.done() == 4);
  b.cut = [](const Letter&) { return false; };
  b.work_off(t);
  b.deliver_all();
  REQUIRE(u.pulls.size() + b.a->pulls.size() == 1);
  wanted(false);
  wanted(false);
  CHECK(u.pulls.size() + b.a->pulls.size() == 0);
  CHECK(b.done() == 4);
  CHECK(b.a->job->counters().outputs_lost == 0);
}

TEST_CASE("a job is not done while a copy of its output is under way") {
  Held b;
  b.kill(b.holder());
  b.pass(1100ms);
  REQUIRE(b.third().pulls.size() == 1); // It does not come yet.
  const auto awaited = b.third().pulls;
  b.third().pulls.clear();
  b.auto_pull = true;
  b.cut = [&](const Letter& letter) { // Nor is it asked for again.
    const auto* ask = std::get_if<KeepAsk>(&letter.message);
    return ask && blob_id(ask->manifest) == b.manifest;
  };
  for (int i = 0; i < 14 && b.done() < 16; ++i) {
    for (auto* s : {&b.maker(), &b.third()}) {
      b.steal(*s, *b.a, 1);
      b.deliver_all();
      b.work_off(*s);
    }
    b.work_off(*b.a);
    b.pass(500ms);
  }
  b.work_off(*b.a);
  CHECK(b.done() == 16);
  CHECK(!b.a->ended);
  CHECK(b.a->queue.runnable == 0);
  b.apply(b.third(), b.third().job->blob_here(awaited[0].blob, b.now));
  b.deliver_all();
  b.work_off(*b.a);
  b.check_ordered_result();
}

// --- The root's journal

TEST_CASE("the journal is told who holds what is done, merged or not") {
  Table b;
  b.auto_journal = false;
  REQUIRE(b.bring(b.thief(0)) == 1);
  auto* keeper = b.keeper();
  REQUIRE(keeper);
  b.answer(*keeper, true);
  b.pass(200ms);
  REQUIRE(b.a->journal.size() == 1);
  const auto& entry = b.a->journal[0];
  REQUIRE(entry.done.size() == 1);
  std::vector both{b.thief(0).id, keeper->id};
  std::sort(both.begin(), both.end());
  CHECK(entry.holders == Holders{{entry.done[0].partial.digest, both}});

  Holders of_root;
  for (int i = 0; i < 200 && !b.a->ended; ++i) {
    b.auto_pull = true;
    for (auto* s : b.seats_of) {
      b.steal(*s, *b.a, 0.5);
      b.deliver_all();
      b.work_off(*s);
    }
    b.pass(100ms);
    for (const auto& journaled : b.a->journal)
      for (const auto& r : journaled.done)
        if (r.block == b.tree.root())
          of_root = journaled.holders;
    b.keep_journal(*b.a);
    b.work_off(*b.a, 1); // The journal is written between merges.
  }
  b.check_ordered_result();
  REQUIRE(of_root.size() == 1);
  CHECK(of_root.begin()->second.size() == 3);
}

TEST_CASE("a root started again fetches what others held, and is not done before it has it") {
  const BlockTree tree{4};
  const auto whole = ordered_partial(tree, tree.root());
  const Holders holders{{whole.digest, {node(2), node(3)}}};
  Bench b{4};
  b.ordered = true;
  auto& a = b.root(1, {}, {{tree.root(), whole}}, holders);
  REQUIRE(a.pulls.size() == 1);
  CHECK(a.pulls[0].blob == whole.digest);
  CHECK(a.pulls[0].manifest == whole.bytes);
  CHECK(a.pulls[0].holders == std::vector{node(2), node(3)});
  CHECK(!b.take(a));
  SUBCASE("it has it") {
    b.answer_pulls(a, true);
    CHECK(a.job->counters().outputs_lost == 0);
    b.run_out(a);
    CHECK(a.job->counters().leaves_run == 0);
  }
  SUBCASE("nobody has it: it is computed again") {
    b.answer_pulls(a, false);
    CHECK(a.job->counters().outputs_lost == 1);
    b.run_out(a);
    CHECK(a.job->counters().leaves_run == 4);
  }
  CHECK(a.ended->result == whole);
}

TEST_CASE("what a root had itself it does not fetch when it is started again") {
  const BlockTree tree{4};
  Bench b{4};
  b.ordered = true;
  auto& a = b.root(1, {}, {{tree.root(), ordered_partial(tree, tree.root())}});
  CHECK(a.pulls.empty());
  b.run_out(a);
  CHECK(a.job->counters().leaves_run == 0);
}

// --- A keeper's part

namespace {

KeepAsk keep_ask(const Bench& b, std::uint64_t leaf, NodeId holder = node(7)) {
  return {b.spec->id, ordered_partial(b.tree, {0, leaf}).bytes, holder};
}
// What it says at once.
std::optional<KeepAnswer> said(Bench& b, Seat& s, const NodeId& from, const KeepAsk& ask) {
  b.apply(s, s.job->receive(from, ask, b.now));
  std::optional<KeepAnswer> answer;
  for (const auto& letter : b.post)
    if (const auto* a = std::get_if<KeepAnswer>(&letter.message)) {
      CHECK(letter.to == from);
      CHECK(a->manifest == blob_id(ask.manifest));
      CHECK(!answer);
      answer = *a;
    }
  b.post.clear();
  return answer;
}

} // namespace

TEST_CASE("a thief keeps for its root alone, and says when it has it") {
  Table b{256, 1};
  auto& t = b.thief(0);
  CHECK(said(b, t, node(9), keep_ask(b, 200))->kept == false);
  CHECK(t.pulls.empty());
  CHECK(!said(b, t, b.a->id, keep_ask(b, 200)));
  REQUIRE(t.pulls.size() == 1);
  CHECK(t.pulls[0].holders == std::vector{node(7)});
  CHECK(!said(b, t, b.a->id, keep_ask(b, 200))); // On its way.
  CHECK(t.pulls.size() == 1);
  const bool here = t.pulls.size() == 1;
  b.answer_pulls(t, here);
  REQUIRE(b.count_post<KeepAnswer>() == 1);
  b.post.clear();
  CHECK(!said(b, t, b.a->id, keep_ask(b, 200))); // Its answer was lost: it is looked for again.
  b.answer_pulls(t, false);
  CHECK(b.count_post<KeepAnswer>() == 1);
  CHECK(std::get<KeepAnswer>(b.post.back().message).kept == false);
}

TEST_CASE("a thief of a thief keeps for the root of its path, not for its lessor") {
  Bench b{64};
  b.ordered = true;
  auto& a = b.root(1);
  auto &t = b.lessee(2), &u = b.lessee(3);
  b.steal(t, a);
  b.deliver_all();
  b.steal(u, t);
  b.deliver_all();
  CHECK(said(b, u, t.id, keep_ask(b, 1))->kept == false);
  CHECK(!said(b, u, a.id, keep_ask(b, 1)));
  CHECK(u.pulls.size() == 1);
}

TEST_CASE("more than 4,096 copies are not taken at once, nor any by a root, or who leaves") {
  Table b{8192, 1};
  auto& t = b.thief(0);
  for (std::uint64_t leaf = 100; leaf < 100 + 4096; ++leaf)
    CHECK(!said(b, t, b.a->id, keep_ask(b, leaf)));
  CHECK(said(b, t, b.a->id, keep_ask(b, 100 + 4096))->kept == false);
  CHECK(t.pulls.size() == 4096);
  b.answer_pulls(t);
  b.post.clear();
  CHECK(!said(b, t, b.a->id, keep_ask(b, 164)));
  CHECK(said(b, *b.a, t.id, keep_ask(b, 1))->kept == false);
  b.apply(t, t.job->hand_back(b.now));
  b.post.clear();
  CHECK(said(b, t, b.a->id, keep_ask(b, 165))->kept == false);
}

// --- The end

TEST_CASE("at the end thieves are told to let their output be, where the result names it") {
  Table b;
  bool keep = true;
  SUBCASE("it does") {
    b.run_to_end();
    const auto status = b.a->job->status(b.now);
    CHECK(status.manifest);
    CHECK(status.result_size == 16 * 32);
  }
  SUBCASE("it was cancelled") {
    b.apply(*b.a, b.a->job->cancel(b.now));
    CHECK(!b.a->job->status(b.now).manifest);
    keep = false;
  }
  std::size_t told = 0;
  for (const auto& letter : b.post)
    if (const auto* over = std::get_if<JobOver>(&letter.message)) {
      CHECK(over->keep == keep);
      ++told;
    }
  if (!keep)
    CHECK(told > 0);
  b.pass(10s);
  for (auto* s : b.seats_of) {
    CHECK(s->idle);
    CHECK(s->keeps == keep);
  }
  // Who asks late is told the same.
  b.apply(*b.a, b.a->job->receive(node(2), LeaseBeat{b.spec->id, {}}, b.now));
  REQUIRE(is<JobOver>(b.post.back()));
  CHECK(std::get<JobOver>(b.post.back().message).keep == keep);
}

TEST_CASE("a thief whose part is over keeps what it has while the job goes on") {
  Table b{16, 1};
  b.auto_pull = true;
  auto& t = b.thief(0);
  b.work_off(t);
  b.pass(10s);
  CHECK_FALSE(t.idle); // Its root may want a keeper.
  b.pass(60s);
  CHECK(t.idle);
  CHECK(t.keeps);
}

TEST_CASE("where the output is, is told with the result: also who only holds a copy") {
  Held b;
  auto& holder = b.holder();
  b.cut = [&](const Letter& letter) { // It keeps what it should, and brings nothing.
    return letter.from == holder.id && !is<KeepAnswer>(letter);
  };
  std::erase(b.seats_of, &holder);
  b.run_to_end();
  const auto shares = b.a->job->status(b.now).shares;
  CHECK(std::any_of(shares.begin(), shares.end(),
                    [&](const NodeShare& s) { return s.node == holder.id && s.leaves == 0; }));
}
