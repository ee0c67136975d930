#include "node/cli/api.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

// From POST to the result's bytes, of trivial jobs at the node in a data folder, one after the
// other over one connection: latency FOLDER [JOBS]. tests/bench/latency starts the nodes.
namespace {

using namespace tessera;
using Milliseconds = std::chrono::duration<double, std::milli>;

double one(cli::Api& api) {
  const auto start = std::chrono::steady_clock::now();
  const auto job = api.post("/v1/jobs", {{"kernel", "sumsq"}, {"items", 10}, {"leaf", 10}});
  const auto path = "/v1/jobs/" + job.at("job").get<std::string>();
  api.get(path + "?wait=10");
  std::string text;
  api.download(
      path + "/result", [](const std::string&) {}, [&](std::string_view bytes) { text += bytes; });
  const auto took = Milliseconds{std::chrono::steady_clock::now() - start}.count();
  if (text != "285") {
    std::fprintf(stderr, "wrong result: %s\n", text.c_str());
    std::exit(1);
  }
  return took;
}

} // namespace

int main(int argc, char** argv) {
  cli::Common common;
  common.data = argc > 1 ? argv[1] : ".";
  cli::Api api{common};
  std::vector<double> took(argc > 2 ? std::size_t(std::atoi(argv[2])) : 1000);
  for (auto& ms : took) {
    ms = one(api);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::sort(took.begin(), took.end());
  std::printf("%zu jobs  p50 %.2f ms  p99 %.2f ms  max %.2f ms\n", took.size(),
              took[took.size() / 2], took[took.size() * 99 / 100], took.back());
}
