#include "tests/actors/job_bench.hpp"

using namespace tessera;
using namespace tessera::bench;

namespace {

// A job whose input takes a second to fetch, as the root guesses; a leaf of it takes 1 ms.
struct Heavy {
  Bench b;
  Seat* root;

  explicit Heavy(std::uint64_t leaves, std::uint64_t bytes = 64 << 20, JobConfig config = {})
      : b(leaves) {
    config.block_target = 1ms;
    auto spec = std::make_shared<SignedSpec>(*b.spec);
    spec->spec.inputs = {{blob_id(view("input")), bytes}};
    b.spec = spec;
    root = &b.root(1, config);
  }
  std::size_t leases_for(std::uint8_t n) {
    b.lessee(n);
    return leases_again(n);
  }
  std::size_t leases_again(std::uint8_t n) {
    b.steal(b.seats.at(node(n)), *root);
    std::size_t leases = 0;
    for (const auto& letter : b.post)
      if (const auto* grant = std::get_if<Grant>(&letter.message))
        leases += grant->leases.size();
    b.deliver_all();
    return leases;
  }
};

} // namespace

TEST_CASE("a newcomer gets no lease whose input takes longer to fetch than what is queued") {
  Heavy small(100);
  small.b.work_off(*small.root, 3);
  CHECK(small.leases_for(2) == 0);
  Heavy large(4000);
  large.b.work_off(*large.root, 3);
  CHECK(large.leases_for(2) > 0);
}

TEST_CASE("before the first leaf is known, only a light input is worth its way") {
  CHECK(Heavy(4000).leases_for(2) == 0);
  CHECK(Heavy(4000, 1 << 20).leases_for(2) > 0);
  CHECK(Heavy(4000, 0).leases_for(2) > 0);
}

TEST_CASE("where nothing was done for as long as fetching takes, it is fetched") {
  Heavy stuck(100);
  CHECK(stuck.leases_for(2) == 0);
  stuck.b.take(*stuck.root);
  stuck.b.now += 900ms;
  CHECK(stuck.leases_again(2) == 0);
  stuck.b.now += 200ms;
  CHECK(stuck.leases_again(2) > 0);
}

TEST_CASE("whoever has the input already is given more of it, to the last leaf") {
  Heavy job(2000);
  job.b.work_off(*job.root, 3);
  REQUIRE(job.leases_for(2) > 0);
  job.b.work_off(*job.root, 940);
  CHECK(job.leases_for(3) == 0);
  CHECK(job.leases_again(2) > 0);
}

TEST_CASE("a round is one of many: its input is fetched once") {
  auto b = Bench(100);
  auto spec = std::make_shared<SignedSpec>(*b.spec);
  spec->spec.inputs = {{blob_id(view("input")), 64 << 20}};
  spec->spec.rounds = 50;
  b.spec = spec;
  auto& root = b.root(1);
  b.steal(b.lessee(2), root);
  REQUIRE(b.count_post<Grant>() == 1);
  CHECK_FALSE(std::get<Grant>(b.post.back().message).leases.empty());
}

TEST_CASE("a root without slots gives whatever it is asked for") {
  JobConfig config;
  config.slots = 0;
  CHECK(Heavy(100, 64 << 20, config).leases_for(2) > 0);
}
