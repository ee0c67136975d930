#include "node/cli/api.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

// From POST to the result's bytes, of trivial jobs at the node in a data folder, one after the
// other over one connection: latency FOLDER [JOBS]. Also the medians of its parts: accepted, done,
// fetched. tests/bench/latency starts the nodes.
namespace {

using namespace tessera;
using Milliseconds = std::chrono::duration<double, std::milli>;

struct Took {
  double all, accepted, done, fetched;
};

Took one(cli::Api& api) {
  using Clock = std::chrono::steady_clock;
  const auto ms = [](Clock::time_point from, Clock::time_point to) {
    return Milliseconds{to - from}.count();
  };
  const auto start = Clock::now();
  const auto job = api.post("/v1/jobs", {{"kernel", "sumsq"}, {"items", 10}, {"leaf", 10}});
  const auto accepted = Clock::now();
  const auto path = "/v1/jobs/" + job.at("job").get<std::string>();
  api.get(path + "?wait=10");
  const auto done = Clock::now();
  std::string text;
  api.download(
      path + "/result", [](const std::string&) {}, [&](std::string_view bytes) { text += bytes; });
  const auto end = Clock::now();
  if (text != "285") {
    std::fprintf(stderr, "wrong result: %s\n", text.c_str());
    std::exit(1);
  }
  return {ms(start, end), ms(start, accepted), ms(accepted, done), ms(done, end)};
}

double quantile(std::vector<Took> all, double Took::*part, std::size_t percent) {
  std::ranges::sort(all, {}, part);
  return all[std::min(all.size() * percent / 100, all.size() - 1)].*part;
}

} // namespace

int main(int argc, char** argv) {
  cli::Common common;
  common.data = argc > 1 ? argv[1] : ".";
  cli::Api api{common};
  std::vector<Took> took(argc > 2 ? std::size_t(std::atoi(argv[2])) : 1000);
  for (auto& each : took) {
    each = one(api);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::printf("%zu jobs  p50 %.2f ms  p99 %.2f ms  max %.2f ms\n", took.size(),
              quantile(took, &Took::all, 50), quantile(took, &Took::all, 99),
              quantile(took, &Took::all, 100));
  std::printf("of it, p50: accepted %.2f ms  done %.2f ms  fetched %.2f ms\n",
              quantile(took, &Took::accepted, 50), quantile(took, &Took::done, 50),
              quantile(took, &Took::fetched, 50));
}
