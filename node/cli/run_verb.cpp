#include "node/cli/failed.hpp"
#include "node/cli/files.hpp"
#include "node/cli/output_file.hpp"
#include "node/cli/progress.hpp"
#include "node/cli/verbs.hpp"
#include "node/kernels/each_input.hpp"
#include "node/wasm/job.hpp"

#include <chrono>
#include <map>

// A module of one's own: on the mesh it is a job like any other; --local runs it here.
namespace tessera::cli {

namespace {

template<class T>
T must(Result<T> result) {
  if (!result)
    throw Failed{exit_of(result.error().code, 422), result.error()};
  return std::move(*result);
}

LocalTask task_of(const Submission& s) {
  std::map<std::string, std::string> given{s.params.begin(), s.params.end()};
  given["each"] = s.each.empty() ? "0" : "1";
  const auto params = must(check_params(wasm::module_info(), given));
  const auto settings = must(wasm::settings_of(params));
  LocalTask task;
  task.module = read_file(s.module);
  if (!s.module_params.empty())
    task.module_params = read_file(s.module_params);
  if (!s.input.empty())
    task.data = read_file(s.input);
  if (!s.each.empty())
    must(EachInput::index(read_file(s.each), settings.record_bytes, task.data));
  if (!s.state.empty())
    task.state = read_file(s.state);
  const auto abi = must(wasm::check_module(settings.name, task.module, settings.limits));
  if (s.rounds)
    must(wasm::check_rounds(settings, abi, !s.input.empty()));
  const auto budget = std::uint32_t(s.budget.value_or(0));
  if (s.tree)
    must(wasm::check_tree(settings, abi, budget));
  const auto plan =
      s.tree ? wasm::tree_plan()
             : must(wasm::plan(settings,
                               s.each.empty() ? s.items.value_or(0) : EachInput::tasks(task.data),
                               s.input.empty() ? std::nullopt : std::optional{task.data.size()}));
  auto& spec = task.spec;
  spec.kernel = wasm::class_for(settings.limits).kernel;
  spec.params = encode_params(params);
  spec.items = plan.items;
  wasm::set_shape(spec, std::uint32_t(s.rounds.value_or(0)), s.tree, budget);
  spec.leaf_items =
      s.leaf.empty() ? plan.leaf_items : std::min<std::uint64_t>(std::stoull(s.leaf), plan.items);
  if (spec.leaf_items == 0)
    throw usage("--leaf cannot be 0", "a microtask has one item at least", "leave it out");
  return task;
}

std::string per_second(const LocalReport& report) {
  return std::to_string(std::uint64_t(double(report.microtasks) / std::max(1e-9, report.seconds)));
}

// A guess: strict code costs about as much on common floating point.
constexpr double again_share_max = 0.1;

void tell(Terminal& terminal, const LocalReport& r) {
  terminal.note(
      terminal.painted("same bytes", Paint::good) + " in 4 orders and splits  " +
      (r.tasks ? std::to_string(r.tasks) + (r.tasks == 1 ? " task  " : " tasks  ") : "") +
      (r.rounds ? std::to_string(r.rounds) + (r.rounds == 1 ? " round  " : " rounds  ") : "") +
      std::to_string(r.microtasks) + (r.microtasks == 1 ? " microtask  " : " microtasks  ") +
      per_second(r) + "/s a slot  memory " + bytes(r.memory_bytes) +
      (r.fuel ? "  fuel " + std::to_string(r.fuel) : ""));
  if (r.tasks == 0)
    terminal.note("leaf " + std::to_string(r.leaf_items) + " would take about 1 ms: --leaf " +
                  std::to_string(r.leaf_items));
  if (double(r.calls_again) > again_share_max * double(r.calls))
    terminal.note(std::to_string(r.calls_again) + " of " + std::to_string(r.calls) +
                  " calls made a NaN and ran twice: --nan strict runs each once, somewhat slower");
}

nlohmann::json json_of(const LocalReport& r, const std::string& file) {
  return {{"microtasks", r.microtasks},
          {"tasks", r.tasks ? nlohmann::json(r.tasks) : nlohmann::json(nullptr)},
          {"rounds", r.rounds ? nlohmann::json(r.rounds) : nlohmann::json(nullptr)},
          {"seconds", r.seconds},
          {"fuel", r.fuel ? nlohmann::json(r.fuel) : nlohmann::json(nullptr)},
          {"memory", r.memory_bytes},
          {"leaf", r.leaf_items},
          {"calls", r.calls},
          {"calls_again", r.calls_again},
          {"size", r.result.size()},
          {"file", file}};
}

void run_here(const Command& c, Terminal& terminal, const RunLocal& local) {
  const auto& s = c.submission;
  const auto task = task_of(s);
  Progress seen;
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t next_ms = 0;
  const auto report = local(task, [&](std::uint64_t done, std::uint64_t total) {
    const auto ms = std::uint64_t(std::chrono::duration_cast<std::chrono::milliseconds>(
                                      std::chrono::steady_clock::now() - start)
                                      .count());
    if (ms < next_ms)
      return;
    next_ms = ms + 250;
    seen.see({ms, done, total, 1});
    terminal.over(seen.bar());
  });
  terminal.over("");
  if (!report)
    throw Failed{Exit::failed, report.error()};
  const auto file = s.output.empty() ? c.common.json ? "" : "-" : s.output;
  if (!file.empty()) {
    OutputFile out{file};
    out.write(text_of(report->result));
    out.commit();
  }
  if (c.common.json)
    return terminal.json(json_of(*report, file));
  tell(terminal, *report);
  terminal.next("tessera run " + shown(s.module) +
                (s.tree            ? " --tree"
                 : !s.each.empty() ? " --each " + shown(s.each)
                                   : " --items " + std::to_string(task.spec.items)) +
                (s.rounds ? " --rounds " + std::to_string(*s.rounds) : "") + " -o FILE");
}

} // namespace

void run(const Command& c, Terminal& terminal, const RunLocal& local) {
  if (!c.submission.local)
    return submit(c, terminal);
  check_writable(c.submission.output);
  run_here(c, terminal, local);
}

} // namespace tessera::cli
