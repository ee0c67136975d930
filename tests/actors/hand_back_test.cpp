#include "tests/actors/job_bench.hpp"

using namespace tessera;
using namespace tessera::bench;

namespace {

// A root, and a thief who has done one block, whose bytes the root has yet to pull.
struct Pulling {
  Bench b{64};
  Seat& root = b.root(1);
  Seat& thief = b.lessee(2);

  Pulling() {
    b.steal(thief, root);
    b.deliver_all();
    REQUIRE(b.take(thief));
    const auto work = std::exchange(thief.work, {}).front();
    Partial picture;
    picture.digest = blob_id(leaf_bytes(0));
    picture.size = 1 << 20;
    b.apply(thief, thief.job->work_done(work.id, picture, {}, 1000, b.now));
    b.pass(6s);
    REQUIRE(root.pulls.size() == 1);
    REQUIRE(thief.queue.queued_leaves > 0);
  }
};

} // namespace

TEST_CASE(
    "what a paused thief has not run is queued at its lessor at once, whatever has to be pulled") {
  Pulling p;
  const auto at_thief = p.thief.queue.queued_leaves, at_root = p.root.queue.queued_leaves;
  p.b.apply(p.thief, p.thief.job->pause(p.b.now));
  p.b.deliver_all();
  CHECK(p.root.pulls.size() == 1); // Still.
  CHECK(p.thief.queue.queued_leaves == 0);
  CHECK(p.root.queue.queued_leaves == at_root + at_thief);
  CHECK_FALSE(p.thief.idle); // It keeps what it did until that is pulled.
  p.b.answer_pulls(p.root);
  p.b.deliver_all();
  CHECK(p.root.queue.queued_leaves == at_root + at_thief); // Told twice, queued once.
  CHECK(p.thief.idle);
}

TEST_CASE("a hand-back that is lost is told again with its own result") {
  Pulling p;
  const auto at_thief = p.thief.queue.queued_leaves, at_root = p.root.queue.queued_leaves;
  p.b.apply(p.thief, p.thief.job->pause(p.b.now));
  p.b.post.clear();
  CHECK(p.root.queue.queued_leaves == at_root);
  p.b.answer_pulls(p.root);
  p.b.pass(3s);
  CHECK(p.root.queue.queued_leaves == at_root + at_thief);
  CHECK(p.thief.idle);
}
