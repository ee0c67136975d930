#include "tests/actors/job_bench.hpp"

using namespace tessera;
using namespace tessera::bench;

namespace {

const Error paused_error{paused_code, "this node is paused", "by its owner", "resume it"};

// The root is done, with the bytes of a serial run.
void check_result(const Bench& b, const Seat& root) {
  REQUIRE(root.ended);
  CHECK(root.ended->state == JobState::done);
  CHECK(root.ended->result.digest == serial_result(b.tree.leaves()));
}

} // namespace

TEST_CASE("one node alone makes what a serial run makes") {
  for (std::uint64_t leaves : {1, 2, 3, 5, 7, 64, 100, 1000, 65537}) {
    Bench b(leaves);
    auto& a = b.root(1);
    b.run_out(a);
    check_result(b, a);
    CHECK(a.job->counters().leaves_run == leaves);
    CHECK(a.job->counters().leaves_rerun == 0);
    CHECK(a.job->status(b.now).leaves_done == leaves);
    CHECK(a.queue == QueueReport{});
  }
}

TEST_CASE("a chain of thieves makes what a serial run makes") {
  for (std::uint64_t leaves : {2, 5, 64, 100, 1000, 4097}) {
    CAPTURE(leaves);
    Bench b(leaves);
    auto& a = b.root(1);
    auto& t = b.lessee(2);
    auto& u = b.lessee(3);
    b.take(a);
    b.steal(t, a);
    b.deliver_all();
    b.take(t);
    b.steal(u, t);
    b.deliver_all();
    b.run_out(a);
    check_result(b, a);
    b.pass(10s);
    CHECK(a.job->counters().leaves_rerun == 0);
    CHECK(a.job->counters().leaves_run + t.job->counters().leaves_run +
              u.job->counters().leaves_run ==
          leaves);
    CHECK(t.idle);
    CHECK(u.idle);
  }
}

TEST_CASE("the first blocks of a huge job are single leaves, and grow as they prove short") {
  Bench b(1ull << 62);
  auto& a = b.root(1);
  std::uint64_t last = 1;
  for (int runs = 0; runs < 12;) {
    REQUIRE(b.take(a));
    const auto start = a.work.back();
    b.now += 1us;
    if (const auto* run = std::get_if<RunWork>(&start.work)) {
      CHECK(b.tree.size(run->block) <= (runs++ == 0 ? 1 : last * 8));
      last = b.tree.size(run->block);
    }
    b.apply(a, a.job->work_done(start.id, partial_of({1}), {}, 1, b.now));
  }
  CHECK(last > 1000);
}

// --- Stealing

TEST_CASE("a grant carries the path, at most the share, and never goes to a node on the path") {
  Bench b(64);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a, 0.5);
  REQUIRE(b.post.size() == 1);
  const auto grant = std::get<Grant>(b.post.front().message);
  CHECK(grant.ask == 1);
  REQUIRE(grant.leases.size() == 1);
  CHECK(grant.leases[0].path == std::vector<NodeId>{node(1)});
  CHECK(grant.leases[0].blocks == std::vector<Block>{{5, 1}});
  b.deliver_all();
  CHECK(t.queue.queued_leaves == 32);
  for (auto asker : {node(1), node(2)}) {
    b.post.clear();
    b.apply(t, t.job->give(asker, {7, 1, 1, {}}, 0.5, b.now));
    const auto empty = std::get<Grant>(b.post.front().message);
    CHECK(empty.ask == 7);
    CHECK(empty.leases.empty());
    CHECK_FALSE(empty.spec);
  }
  b.apply(t, t.job->give(node(3), {8, 1, 1, {}}, 0.5, b.now));
  CHECK(std::get<Grant>(b.post.back().message).leases.at(0).path ==
        std::vector<NodeId>{node(1), node(2)});
}

namespace {

// A root and its thief, 32 leaves each, of which the thief runs one.
struct Lent {
  Bench b{64};
  Seat& a = b.root(1);
  Seat& t = b.lessee(2);

  Lent() {
    b.steal(t, a);
    b.deliver_all();
    REQUIRE(b.take(t));
  }
  void ask_thief() {
    b.steal(a, t);
    REQUIRE(std::get<Grant>(b.post.front().message).leases.empty());
  }
};

} // namespace

TEST_CASE("a lessor that asks has some of its lease back, and it is run once") {
  Lent l;
  auto& [b, a, t] = l;
  l.ask_thief();
  b.deliver_all();
  CHECK(t.queue.queued_leaves == 17);
  CHECK(a.queue.queued_leaves == 46);
  CHECK(t.job->counters().hand_backs == 1);
  CHECK(a.job->counters().leases_given == 1);
  CHECK(a.job->counters().leases_returned == 0);
  b.run_out(a);
  check_result(b, a);
  b.pass(10s);
  CHECK(a.job->counters().leaves_run == 46);
  CHECK(t.job->counters().leaves_run == 18);
  CHECK(a.job->counters().leaves_rerun == 0);
  CHECK(a.job->counters().leases_returned == 1);
  CHECK(t.idle);
}

TEST_CASE("what was handed back is granted again, under the next attempt, to whoever asks") {
  Lent l;
  auto& [b, a, t] = l;
  auto& u = b.lessee(3);
  l.ask_thief();
  b.deliver_all();
  b.work_off(a); // What never left and what came back.
  CHECK(a.job->counters().leaves_run == 46);
  l.ask_thief();
  b.deliver_all();
  CHECK(a.queue.queued_leaves == 8);
  for (auto* thief : {&t, &u}) {
    b.steal(*thief, a);
    CHECK(std::get<Grant>(b.post.back().message).leases.at(0).attempt == 1);
    b.deliver_all();
  }
  CHECK(a.queue.queued_leaves == 2);
  b.run_out(a);
  check_result(b, a);
  CHECK(a.job->counters().leaves_rerun == 0);
}

TEST_CASE("a lessor's ask while a result is on its way is answered with the next") {
  Lent l;
  auto& [b, a, t] = l;
  b.finish_one(t);
  b.pass(5s, false);
  REQUIRE(b.count_post<LeaseResult>() == 1);
  b.lose<LeaseResult>();
  b.post.clear();
  l.ask_thief();
  CHECK(b.count_post<LeaseResult>() == 0);
  b.deliver_all();
  CHECK(a.queue.queued_leaves == 32);
  b.pass(3s);
  CHECK(a.queue.queued_leaves == 46);
  b.run_out(a);
  check_result(b, a);
  CHECK(a.job->counters().leaves_rerun == 0);
}

TEST_CASE("a lease handed back whole ends as returned") {
  Bench b(8);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  for (auto share : {0.125, 0.15}) { // Of 8 and of 7 leaves, one each.
    b.steal(t, a, share);
    b.deliver_all();
  }
  REQUIRE(t.queue.queued_leaves == 2);
  REQUIRE(b.take(t));
  b.steal(a, t); // One leaf waits, and the slot is at work.
  b.deliver_all();
  CHECK(t.queue.queued_leaves == 0);
  CHECK(a.queue.queued_leaves == 7);
  CHECK(a.job->counters().leases_returned == 1);
  b.run_out(a);
  check_result(b, a);
  CHECK(a.job->counters().leaves_rerun == 0);
}

TEST_CASE("of a thief that handed some back and died only the rest counts as run again") {
  Lent l;
  auto& [b, a, t] = l;
  l.ask_thief();
  b.deliver_all();
  b.kill(t);
  b.pass(2s);
  CHECK(a.job->counters().leases_reclaimed == 1);
  CHECK(a.job->counters().leaves_rerun == 18);
  CHECK(a.queue.queued_leaves == 64);
  b.run_out(a);
  check_result(b, a);
}

TEST_CASE("an ancestor further up gets nothing, nor does a lessor that fell silent") {
  Lent l;
  auto& [b, a, t] = l;
  auto& u = b.lessee(3);
  b.steal(u, t);
  b.deliver_all();
  b.steal(a, u);
  REQUIRE(b.post.size() == 1);
  CHECK(std::get<Grant>(b.post.front().message).leases.empty());
  b.post.clear();
  b.steal(t, u);
  CHECK(b.count_post<LeaseResult>() == 1);
  b.deliver_all();
  const auto left = u.queue.queued_leaves;
  CHECK(left == 7);
  b.cut = [](const Letter& letter) { return letter.from == node(2); };
  b.pass(20s);
  b.post.clear();
  b.steal(t, u);
  CHECK(b.count_post<LeaseResult>() == 0);
  CHECK(u.queue.queued_leaves == left);
}

TEST_CASE("an asker without the kernel gets nothing") {
  Bench b(64);
  auto& a = b.root(1);
  b.apply(a, a.job->give(node(2), {1, 1, 1, {"other@1"}}, 0.5, b.now));
  CHECK(std::get<Grant>(b.post.back().message).leases.empty());
}

TEST_CASE("a lease that is none is refused, and the lessor queues its blocks again") {
  Bench b(8);
  auto& t = b.lessee(2);
  const Lease good{b.spec->id, 9, 0, {{1, 0}}, {node(1)}};
  std::vector<Lease> bad(6, good);
  bad[0].blocks = {};
  bad[1].blocks = {{1, 0}, {0, 1}}; // Not disjoint.
  bad[2].blocks = {{9, 0}};         // Not a name.
  bad[3].path = {node(1), node(2)}; // On the path itself.
  bad[4].path = {node(3)};          // Another lessor.
  bad[5].job = digest_of(view("other"));
  for (const auto& lease : bad) {
    b.apply(t, t.job->leased(node(1), lease, b.now));
    CHECK(t.queue.queued_leaves == 0);
    CHECK(std::holds_alternative<LeaseRefused>(b.post.back().message));
  }
  b.post.clear();
  auto& a = b.root(1);
  b.steal(t, a);
  const auto lease = std::get<Grant>(b.post.front().message).leases.at(0).id;
  b.post.clear();
  CHECK(a.queue.queued_leaves == 4);
  b.apply(a, a.job->receive(node(3), LeaseRefused{b.spec->id, lease, "not its lease"}, b.now));
  CHECK(a.queue.queued_leaves == 4);
  b.apply(a, a.job->receive(node(2), LeaseRefused{b.spec->id, lease, "no room"}, b.now));
  CHECK(a.queue.queued_leaves == 8);
  CHECK(a.job->counters().leases_void == 1);
}

TEST_CASE("a submitter without slots only merges and finishes") {
  Bench b(64);
  JobConfig watcher;
  watcher.slots = 0;
  auto& a = b.root(1, watcher);
  auto& t = b.lessee(2);
  CHECK_FALSE(b.take(a));
  CHECK(a.queue.runnable == 0);
  for (int i = 0; i < 8; ++i) {
    b.steal(t, a);
    b.deliver_all();
    b.work_off(t);
  }
  b.run_out(a);
  check_result(b, a);
  CHECK(a.job->counters().leaves_run == 0);
  CHECK(a.job->counters().merges > 0);
}

// --- Receipts

TEST_CASE("a result is receipted when taken, and covered once the journal has it") {
  Bench b(8);
  b.auto_journal = false;
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.deliver_all();
  b.work_off(t);
  REQUIRE(b.count_post<LeaseResult>() == 1);
  CHECK(std::get<LeaseResult>(b.post.front().message).last);
  b.deliver();
  REQUIRE(b.count_post<Receipt>() == 1);
  CHECK_FALSE(std::get<Receipt>(b.post.front().message).covered);
  b.deliver_all();
  CHECK(a.journal.empty()); // A job may be over before its first entry is due.
  b.pass(100ms);
  REQUIRE(a.journal.size() == 1);
  b.keep_journal(a);
  REQUIRE(b.count_post<Receipt>() == 1);
  CHECK(std::get<Receipt>(b.post.front().message).covered);
  b.deliver_all();
  CHECK(a.job->counters().leases_returned == 1);
  CHECK_FALSE(a.job->next_wake()); // No partner is left to beat to.
}

TEST_CASE("between, a result is covered once the lessor's own lessor has it") {
  Bench b(64);
  b.auto_journal = false;
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  auto& u = b.lessee(3);
  b.steal(t, a);
  b.deliver_all();
  b.steal(u, t);
  b.deliver_all();
  b.work_off(u);
  bool covered = false;
  b.cut = [&](const Letter& l) {
    if (const auto* r = std::get_if<Receipt>(&l.message); r && l.to == node(3))
      covered |= r->covered;
    return false;
  };
  b.deliver_all();
  CHECK_FALSE(covered);
  b.work_off(t);
  b.deliver_all();
  CHECK(covered); // The root has it: its journal is not waited for here.
}

TEST_CASE("blobs come before the ledger and the receipt") {
  Bench b(2);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.take(a);
  b.steal(t, a);
  b.deliver_all();
  REQUIRE(b.take(t));
  const Partial big{digest_of(view("big")), 1 << 20, {}};
  b.apply(t, t.job->work_done(t.work.front().id, big, {}, 1, b.now));
  t.work.clear();
  b.deliver_all();
  REQUIRE(a.pulls.size() == 1);
  CHECK(a.pulls[0].holders == std::vector{node(2)});
  CHECK(a.job->status(b.now).leaves_done == 0);
  CHECK(b.post.empty());
  SUBCASE("here") {
    b.apply(a, a.job->blob_here(big.digest, b.now));
    CHECK(a.job->status(b.now).leaves_done == 1);
    CHECK(b.count_post<Receipt>() == 1);
  }
  SUBCASE("gone: as if it had not come") {
    b.apply(a, a.job->blob_gone(big.digest, b.now));
    CHECK(a.job->status(b.now).leaves_done == 0);
    CHECK(a.queue.queued_leaves == 1);
  }
  SUBCASE("lost later: queued again") {
    b.apply(a, a.job->blob_here(big.digest, b.now));
    b.apply(a, a.job->blob_gone(big.digest, b.now));
    CHECK(a.job->status(b.now).leaves_done == 0);
    CHECK(a.queue.queued_leaves == 1);
  }
}

TEST_CASE("long leases return what is done before they end") {
  Bench b(64);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.deliver_all();
  b.work_off(t, 3);
  b.pass(6s);
  CHECK(a.job->status(b.now).leaves_done > 0);
  CHECK(a.job->counters().leases_returned == 0);
  b.run_out(a);
  check_result(b, a);
  CHECK(a.job->counters().overlaps > 0); // Later results replaced earlier ones.
  CHECK(a.job->counters().leaves_rerun == 0);
}

// --- Loss

TEST_CASE("a lost grant is found by the beats, and its blocks are queued again") {
  Bench b(64);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.lose<Grant>();
  b.pass(10s);
  CHECK(a.job->counters().leases_void == 1);
  CHECK(a.queue.queued_leaves == 64);
  CHECK(a.job->counters().leaves_rerun == 0);
}

TEST_CASE("a lost result is sent again, and a lost receipt told again") {
  for (int lost = 0; lost < 3; ++lost) {
    Bench b(64);
    auto& a = b.root(1);
    auto& t = b.lessee(2);
    b.steal(t, a);
    b.deliver_all();
    int left = 1;
    b.cut = [&](const Letter& l) {
      const auto* receipt = std::get_if<Receipt>(&l.message);
      const bool hit = lost == 0 ? std::holds_alternative<LeaseResult>(l.message)
                                 : receipt && receipt->covered == (lost == 2);
      return hit && left-- > 0;
    };
    b.work_off(t);
    b.pass(20s);
    CHECK(left <= 0);
    CHECK(a.job->status(b.now).leaves_done == 32);
    CHECK(t.job->status(b.now).leaves_done == 32);
    b.run_out(a);
    check_result(b, a);
    b.pass(20s);
    CHECK(t.idle);
    CHECK(a.job->counters().leases_returned == 1);
    CHECK(a.job->counters().leaves_rerun == 0);
  }
}

// --- Death

TEST_CASE("a killed thief's lease is reclaimed, and run again elsewhere") {
  Bench b(64);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.deliver_all();
  b.work_off(t, 3);
  b.kill(t);
  b.pass(500ms);
  CHECK(a.job->counters().leases_reclaimed == 0);
  b.pass(600ms);
  CHECK(a.job->counters().leases_reclaimed == 1);
  CHECK(a.queue.queued_leaves == 64);
  CHECK(a.job->status(b.now).reruns.peer_gone == 32);
  b.run_out(a);
  check_result(b, a);
}

TEST_CASE("a closed socket that is back in time changes nothing") {
  Bench b(64);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.deliver_all();
  b.apply(a, a.job->peer_up(t.id, 5, b.now));
  b.apply(a, a.job->peer_down(t.id, b.now));
  b.pass(500ms);
  SUBCASE("the same boot") {
    b.apply(a, a.job->peer_up(t.id, 5, b.now));
    b.pass(5s);
    CHECK(a.job->counters().leases_reclaimed == 0);
  }
  SUBCASE("a new boot voids at once") {
    b.apply(a, a.job->peer_up(t.id, 6, b.now));
    CHECK(a.job->counters().leases_reclaimed == 1);
    CHECK(a.queue.queued_leaves == 64);
  }
}

TEST_CASE("a silent thief is suspected and its blocks run here too, then reclaimed") {
  Bench b(16);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.deliver_all();
  b.work_off(a);
  CHECK(a.job->status(b.now).leaves_done == 8);
  b.cut = [](const Letter&) { return true; };
  b.pass(4s);
  CHECK(a.queue.runnable == 1);
  SUBCASE("run here meanwhile") {
    b.run_out(a);
    check_result(b, a);
    CHECK(a.job->counters().leases_reclaimed == 0);
  }
  SUBCASE("reclaimed after a while") {
    b.pass(12s);
    CHECK(a.job->counters().leases_reclaimed == 1);
    CHECK(a.queue.queued_leaves == 8);
    CHECK_FALSE(t.ended);
    SUBCASE("its late results are welcome") {
      b.cut = [](const Letter&) { return false; };
      b.work_off(t);
      b.pass(5s);
      CHECK(a.job->status(b.now).leaves_done == 16);
      b.run_out(a);
      check_result(b, a);
      b.pass(20s);
      CHECK(t.idle);
    }
  }
}

TEST_CASE("an orphan brings its results to the next ancestor") {
  Bench b(64);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  auto& u = b.lessee(3);
  b.steal(t, a);
  b.deliver_all();
  b.steal(u, t);
  b.deliver_all();
  b.kill(t);
  b.pass(2s);
  CHECK(a.queue.queued_leaves == 64);
  b.work_off(u);
  b.pass(1s);
  CHECK(a.job->status(b.now).leaves_done == 16);
  CHECK(a.queue.queued_leaves == 48);
  b.pass(10s);
  CHECK(u.idle); // The root covered it.
  b.run_out(a);
  check_result(b, a);
}

TEST_CASE("an orphan whom no ancestor answers drops its lease") {
  Bench b(64);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.deliver_all();
  b.work_off(t, 2);
  b.kill(a);
  b.pass(50s);
  CHECK(t.queue.queued_leaves > 0);
  b.pass(20s);
  CHECK(t.queue.queued_leaves == 0);
  CHECK(t.idle);
}

TEST_CASE("a root restarted from its journal takes what thieves did meanwhile") {
  Bench b(64);
  b.auto_journal = false;
  JobConfig first, second;
  first.boot = 1;
  second.boot = 2;
  auto& a = b.root(1, first);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.deliver_all();
  b.work_off(a, 6);
  b.now += 200ms;
  b.apply(a, a.job->wake(b.now));
  std::vector<BlockResult> frontier;
  for (const auto& j : a.journal)
    frontier.insert(frontier.end(), j.done.begin(), j.done.end());
  b.kill(a);
  b.work_off(t);
  b.post.clear(); // Its result met nobody.
  auto& again = b.root(1, second, frontier);
  CHECK(again.job->status(b.now).leaves_done > 0);
  b.apply(t, t.job->peer_up(again.id, 2, b.now));
  b.auto_journal = true;
  b.pass(5s);
  CHECK(again.job->status(b.now).leaves_done >= 32);
  b.run_out(again);
  check_result(b, again);
  b.pass(20s);
  CHECK(t.idle);
}

// --- Failures

namespace {

const Error kernel_says_no{"E712", "leaf 5 cannot be", "the kernel said so", "change it"};
const Error worker_died{"E701", "the worker died", "it crashed", "it is tried again"};

// Works off what a seat has, leaf `poison` failing wherever it is in.
void work_off_poisoned(Bench& b, Seat& s, std::uint64_t poison, const Error& why, int& failed) {
  for (int i = 0; i < 1000 && s.job && !s.ended && (!s.work.empty() || b.take(s)); ++i) {
    b.now += 10us;
    const auto* run = std::get_if<RunWork>(&s.work.front().work);
    if (run && b.tree.begin(run->block) <= poison && poison < b.tree.end(run->block)) {
      failed += b.tree.size(run->block) == 1;
      const auto id = s.work.front().id;
      s.work.pop_front();
      b.apply(s, s.job->work_failed(id, why, b.now));
    } else {
      b.finish_one(s);
    }
  }
}

} // namespace

TEST_CASE("a leaf that fails is found, tried once more, and fails the job with its reason") {
  for (std::uint64_t poison : {0, 5, 700}) {
    Bench b(1000);
    auto& a = b.root(1);
    auto& t = b.lessee(2);
    b.steal(t, a, 0.1);
    b.deliver_all();
    int failed = 0;
    work_off_poisoned(b, a, poison, kernel_says_no, failed);
    REQUIRE(a.ended);
    CHECK(failed == 2);
    CHECK(a.ended->state == JobState::failed);
    CHECK(a.ended->error == kernel_says_no);
    CHECK(a.job->status(b.now).error == kernel_says_no);
    b.deliver_all();
    CHECK(t.idle); // Told that the job is over.
  }
}

TEST_CASE("a leaf that fails at a thief goes back, and is tried elsewhere") {
  Bench b(64);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.deliver_all();
  int failed = 0;
  work_off_poisoned(b, t, 40, kernel_says_no, failed);
  CHECK(failed == 1);
  b.deliver_all();
  CHECK_FALSE(a.ended);
  SUBCASE("where it succeeds") {
    b.run_out(a);
    check_result(b, a);
  }
  SUBCASE("where it fails again, at another thief") {
    auto& u = b.lessee(3);
    while (a.queue.queued_leaves > 1) {
      b.steal(u, a);
      b.deliver_all();
    }
    REQUIRE(b.take(a)); // So that the last leaf need not wait for its slot.
    b.steal(u, a);
    b.deliver_all();
    work_off_poisoned(b, u, 40, kernel_says_no, failed);
    CHECK(failed == 2);
    b.deliver_all();
    REQUIRE(a.ended);
    CHECK(a.ended->state == JobState::failed);
  }
  SUBCASE("where it fails again") {
    work_off_poisoned(b, a, 40, kernel_says_no, failed);
    CHECK(failed == 2);
    REQUIRE(a.ended);
    CHECK(a.ended->state == JobState::failed);
  }
}

TEST_CASE("a worker that dies is forgiven once; a leaf that kills workers is not") {
  Bench b(64);
  auto& a = b.root(1);
  REQUIRE(b.take(a));
  b.apply(a, a.job->work_failed(a.work.front().id, worker_died, b.now));
  a.work.clear();
  SUBCASE("once") {
    b.run_out(a);
    check_result(b, a);
  }
  SUBCASE("always") {
    int failed = 0;
    work_off_poisoned(b, a, 0, worker_died, failed);
    REQUIRE(a.ended);
    CHECK(a.ended->state == JobState::failed);
    CHECK(a.ended->error == worker_died);
  }
}

TEST_CASE("work that its worker never came to is done again, however often") {
  Bench b(2);
  auto& a = b.root(1);
  const Error never_came{"E709", "the worker died before", "of another's call", "nothing"};
  std::map<std::size_t, int> left{{0, 20}, {1, 20}, {2, 20}}; // Of each kind of work.
  for (int i = 0; i < 200 && !a.ended && b.take(a); ++i) {
    const auto start = a.work.front();
    if (left[start.work.index()]-- <= 0) {
      b.finish_one(a);
      continue;
    }
    a.work.pop_front();
    b.apply(a, a.job->work_failed(start.id, never_came, b.now));
  }
  check_result(b, a);
}

TEST_CASE("a merge that fails for good fails the job; a finish too") {
  Bench b(2);
  auto& a = b.root(1);
  for (int i = 0; i < 20 && !a.ended && b.take(a); ++i) {
    const auto start = a.work.front();
    if (std::holds_alternative<RunWork>(start.work)) {
      b.finish_one(a);
      continue;
    }
    a.work.pop_front();
    b.apply(a, a.job->work_failed(start.id, kernel_says_no, b.now));
  }
  REQUIRE(a.ended);
  CHECK(a.ended->error == kernel_says_no);
}

// --- Ends

TEST_CASE("a cancelled job ends everywhere") {
  Bench b(64);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  auto& u = b.lessee(3);
  b.steal(t, a);
  b.deliver_all();
  b.steal(u, t);
  b.deliver_all();
  SUBCASE("here, by who may") {
    b.apply(a, a.job->cancel(b.now));
    REQUIRE(a.ended);
    CHECK(a.ended->state == JobState::cancelled);
    b.deliver_all();
    CHECK(t.idle);
    CHECK(u.idle);
  }
  SUBCASE("by the submitter's word") {
    auto word = std::make_shared<SignedCancel>();
    word->job = b.spec->id;
    word->seal.key = node(9);
    b.apply(a, a.job->receive(node(9), CancelJob{word}, b.now));
    CHECK_FALSE(a.ended);
    word->seal.key = b.spec->spec.submitter;
    b.apply(a, a.job->receive(node(9), CancelJob{word}, b.now));
    REQUIRE(a.ended);
    b.deliver_all();
    CHECK(t.idle);
    CHECK(u.idle);
  }
  SUBCASE("not by a stranger's word that it is over") {
    b.apply(u, u.job->receive(node(9), JobOver{b.spec->id}, b.now));
    CHECK_FALSE(u.idle);
    b.apply(u, u.job->receive(node(1), JobOver{b.spec->id}, b.now));
    CHECK(u.idle);
  }
}

TEST_CASE("done beats cancelled") {
  Bench b(4);
  auto& a = b.root(1);
  b.run_out(a);
  b.apply(a, a.job->cancel(b.now));
  CHECK(a.job->status(b.now).state == JobState::done);
}

TEST_CASE("a thief that asks after the end is told that the job is over") {
  Bench b(16);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a, 0.1);
  b.deliver_all();
  b.cut = [](const Letter& l) { return std::holds_alternative<JobOver>(l.message); };
  b.apply(a, a.job->cancel(b.now));
  b.deliver_all();
  CHECK_FALSE(t.idle);
  b.cut = [](const Letter&) { return false; };
  b.pass(3s);
  CHECK(t.idle);
}

TEST_CASE("who leaves in good order hands back what is queued, and returns what runs") {
  Bench b(64);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.deliver_all();
  REQUIRE(b.take(t));
  b.apply(t, t.job->hand_back(b.now));
  CHECK(t.queue.runnable == 0);
  CHECK(t.queue.queued_leaves == 0);
  b.deliver_all();
  CHECK(a.queue.queued_leaves == 63);
  CHECK_FALSE(t.idle);
  b.finish_one(t);
  b.deliver_all();
  CHECK(t.idle);
  CHECK(a.job->status(b.now).leaves_done == 1);
  CHECK(a.job->counters().leaves_rerun == 0);
  CHECK(a.job->counters().leases_returned == 1);
  b.apply(t, t.job->leased(node(1), {b.spec->id, 99, 0, {{0, 0}}, {node(1)}}, b.now));
  CHECK(std::holds_alternative<LeaseRefused>(b.post.back().message));
  b.post.clear();
  b.run_out(a);
  check_result(b, a);
}

TEST_CASE("who is paused hands back what is queued, returns what ends, and what was given up") {
  Bench b(64);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.deliver_all();
  REQUIRE(b.take(t));
  REQUIRE(b.take(t, 1));
  b.apply(t, t.job->pause(b.now));
  CHECK(t.queue.runnable == 0);
  CHECK_FALSE(b.take(t));
  b.deliver_all();
  CHECK(a.queue.queued_leaves == 62);
  b.finish_one(t);
  b.apply(t, t.job->work_failed(t.work.front().id, paused_error, b.now));
  t.work.clear();
  b.deliver_all();
  CHECK(t.idle);
  CHECK(a.queue.queued_leaves == 63);
  CHECK(a.job->status(b.now).leaves_done == 1);
  b.run_out(a);
  check_result(b, a);
  CHECK(a.job->counters().leaves_rerun == 0);
}

TEST_CASE("who is paused takes no lease until it is resumed") {
  Bench b(64);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.apply(t, t.job->pause(b.now));
  b.steal(t, a);
  b.deliver_all();
  CHECK(a.queue.queued_leaves == 64);
  CHECK(a.job->counters().leases_void == 1);
  b.apply(t, t.job->resume(b.now));
  b.steal(t, a);
  b.deliver_all();
  CHECK(t.queue.queued_leaves == 32);
}

TEST_CASE("a paused root runs no leaf, gives all to the last, and merges and finishes") {
  Bench b(8);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  REQUIRE(b.take(a));
  b.apply(a, a.job->pause(b.now));
  CHECK(a.queue.runnable == 0);
  CHECK(a.queue.queued_leaves == 7);
  CHECK_FALSE(b.take(a));
  b.apply(a, a.job->work_failed(a.work.front().id, paused_error, b.now));
  a.work.clear();
  for (int i = 0; i < 8; ++i) {
    b.steal(t, a);
    b.deliver_all();
    b.work_off(t);
    b.deliver_all();
  }
  CHECK(a.job->status(b.now).leaves_done == 8);
  b.run_out(a);
  check_result(b, a);
  CHECK(a.job->counters().leaves_run == 0);
  CHECK(a.job->counters().merges > 0);
}

TEST_CASE("what a paused root cannot merge or finish in its time waits until it is resumed") {
  Bench b(2);
  auto& a = b.root(1);
  REQUIRE(b.take(a));
  REQUIRE(b.take(a, 1));
  b.apply(a, a.job->pause(b.now));
  b.finish_one(a);
  b.finish_one(a);
  for (const bool finish : {false, true}) {
    REQUIRE(b.take(a));
    CHECK(std::holds_alternative<FinishWork>(a.work.front().work) == finish);
    for (int i = 0; i < 20; ++i) { // However often, it is nobody's fault.
      b.apply(a, a.job->work_failed(a.work.front().id, paused_error, b.now));
      a.work.clear();
      CHECK(a.queue.runnable == 0);
      CHECK_FALSE(b.take(a));
      b.apply(a, a.job->resume(b.now));
      CHECK(a.queue.runnable == 1);
      b.apply(a, a.job->pause(b.now));
      REQUIRE(b.take(a));
    }
    b.finish_one(a);
  }
  check_result(b, a);
}

TEST_CASE("each node's share comes up with the results") {
  Bench b(64);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  auto& u = b.lessee(3);
  b.steal(t, a);
  b.deliver_all();
  b.steal(u, t);
  b.deliver_all();
  b.run_out(a);
  std::map<NodeId, NodeShare> shares;
  for (const auto& s : a.job->status(b.now).shares)
    shares[s.node] = s;
  CHECK(shares.size() == 3);
  CHECK(shares[node(1)].leaves == 32);
  CHECK(shares[node(2)].leaves == 16);
  CHECK(shares[node(3)].leaves == 16);
  CHECK(shares[node(2)].steals == 1);
  CHECK(shares[node(3)].steals == 1);
  CHECK(shares[node(3)].merges == u.job->counters().merges);
}

TEST_CASE("who ran which block goes up as commitments, own and children's") {
  Bench b(64);
  auto& a = b.root(1);
  auto& t = b.lessee(2);
  b.steal(t, a);
  b.deliver_all();
  std::uint64_t leaves = 0;
  b.cut = [&](const Letter& l) {
    if (const auto* r = std::get_if<LeaseResult>(&l.message))
      for (const auto& ran : r->ran)
        leaves += b.tree.size(ran.block);
    return false;
  };
  b.work_off(t);
  b.deliver_all();
  CHECK(leaves == 32);
}

TEST_CASE("what a suspected thief has is leased a second time when nothing is queued") {
  Bench b(64);
  JobConfig watcher;
  watcher.slots = 0;
  auto& a = b.root(1, watcher);
  auto& t = b.lessee(2);
  auto& u = b.lessee(3);
  for (int i = 0; i < 7; ++i) {
    b.steal(t, a);
    b.deliver_all();
  }
  CHECK(a.queue.queued_leaves == 0);
  b.steal(u, a);
  CHECK(std::get<Grant>(b.post.back().message).leases.empty());
  b.cut = [](const Letter& l) { return l.from == node(2) || l.to == node(2); };
  b.pass(4s);
  CHECK(a.queue.queued_leaves == 64);
  CHECK(a.queue.queued_ns == 0); // Not its own to run.
  for (int i = 0; i < 7; ++i) {
    b.steal(u, a);
    b.deliver_all();
  }
  CHECK(a.queue.queued_leaves == 0);
  CHECK(u.queue.queued_leaves == 64);
  b.run_out(a);
  check_result(b, a);
  CHECK(a.job->counters().leases_reclaimed == 0);
}
