#include "node/worker/worker.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>

using namespace tessera;

namespace {

// A line of /proc/PID/FILE: the number behind its name.
std::uint64_t number_in(pid_t pid, const std::string& file, const std::string& name) {
  std::ifstream in{"/proc/" + std::to_string(pid) + "/" + file};
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(name + ":"))
      return std::stoull(line.substr(name.size() + 1));
  FAIL("no " << name << " of process " << pid);
  return 0;
}

} // namespace

TEST_CASE("the engine is warmed where workers are forked, and no thread comes of it") {
  auto zygote = Zygote::start(find_kernel, modules_of_this_build());
  REQUIRE(zygote.ok());
  const auto native = zygote->spawn({});
  REQUIRE(native.ok());
  const auto cold = number_in(zygote->pid(), "smaps_rollup", "Private_Dirty") +
                    number_in(zygote->pid(), "smaps_rollup", "Shared_Dirty");
  WorkerLimits limits;
  limits.modules = true;
  const auto first = zygote->spawn(limits), second = zygote->spawn(limits);
  REQUIRE(first.ok());
  REQUIRE(second.ok());
  CHECK(number_in(zygote->pid(), "status", "Threads") == 1);
  const auto warm = number_in(zygote->pid(), "smaps_rollup", "Private_Dirty") +
                    number_in(zygote->pid(), "smaps_rollup", "Shared_Dirty");
  CHECK(warm > cold);
  for (const auto* worker : {&*first, &*second}) {
    CHECK(number_in(worker->pid, "status", "Threads") == 1);
    CHECK(number_in(worker->pid, "status", "Seccomp") == 2);
  }
}
