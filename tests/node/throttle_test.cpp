#include "node/worker/throttle.hpp"

#include "tests/node/sandbox_rig.hpp"

#include <fstream>

using namespace tessera;
using namespace tessera::rig;

namespace {

std::uint64_t now_ns(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return std::uint64_t(t.tv_sec) * 1'000'000'000 + std::uint64_t(t.tv_nsec);
}

// Five seconds of the clock, in one call, as a module's endless loop would take them.
Status spin(std::uint64_t, std::uint64_t, Bytes& out) {
  const auto until = now_ns(CLOCK_MONOTONIC) + 5'000'000'000;
  while (now_ns(CLOCK_MONOTONIC) < until)
    ;
  out.clear();
  return Nothing{};
}

const Kernel* find_spin(const std::string& name) {
  static const TestKernel kernel{"spin", spin};
  return name == "spin" ? &kernel : nullptr;
}

// How long it waited for a processor that others had; not its own doing.
std::uint64_t waited_ns(pid_t pid) {
  std::ifstream in{"/proc/" + std::to_string(pid) + "/schedstat"};
  std::uint64_t ran = 0, waited = 0;
  in >> ran >> waited;
  return waited;
}

CallDone spun(std::uint32_t percent, std::uint64_t& waited) {
  auto zygote = Zygote::start(find_spin);
  REQUIRE(zygote.ok());
  WorkerLimits limits;
  limits.cpu_percent = percent;
  auto worker = zygote->spawn(limits);
  REQUIRE(worker.ok());
  REQUIRE(send(worker->socket, OpenJob{1, "spin", encode_params({}), 1, 1, {}, {}, {}}).ok());
  REQUIRE(send(worker->socket, RunCall{1, 1, {0, 0}}).ok());
  auto done = answer(worker->socket);
  waited = waited_ns(worker->pid);
  REQUIRE(done.error.code == "");
  return std::move(done.done);
}

} // namespace

TEST_CASE("a worker takes its share of a processor, within a tenth, in one long call") {
  for (const std::uint32_t percent : {20u, 50u}) {
    std::uint64_t waited = 0;
    const auto done = spun(percent, waited);
    const auto share = done.wall_ns * percent / 100;
    INFO(percent << " %: " << done.cpu_ns / 1000 << " us of " << done.wall_ns / 1000
                 << " us, waited " << waited / 1000 << " us");
    CHECK(done.cpu_ns <= share * 11 / 10);
    CHECK(done.cpu_ns + waited >= share * 9 / 10);
  }
}

TEST_CASE("a worker without a cap takes what it gets") {
  std::uint64_t waited = 0;
  const auto done = spun(100, waited);
  CHECK(done.cpu_ns + waited >= done.wall_ns * 9 / 10);
}
