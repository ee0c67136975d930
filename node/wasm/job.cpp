#include "node/wasm/job.hpp"

#include "node/kernels/each_input.hpp"
#include "node/wasm/text.hpp"

#include <algorithm>

namespace tessera::wasm {

namespace {

constexpr std::uint64_t MiB = 1 << 20;
constexpr std::uint64_t beside_memory = 256 * MiB; // Code, partials, outputs. A guess.
constexpr std::uint64_t items_max = std::uint64_t{1} << 63;
constexpr std::uint64_t leaves_default = 1 << 16; // architecture 4.1
constexpr std::size_t name_bytes_max = 64;

ParamSpec whole(std::string name, std::int64_t fallback, double min, double max, std::string help) {
  return {std::move(name), fallback, std::move(help), min, max, {}};
}
ParamSpec text(std::string name, std::string fallback, std::string help,
               std::vector<std::string> choices = {}) {
  return {std::move(name), std::move(fallback), std::move(help), 0, 0, std::move(choices)};
}

KernelInfo info() {
  const Limits l;
  return {.name = classes()[1].kernel,
          .version = 2,
          .help =
              "a WebAssembly module of your own: run, merge, and in rounds step (it answers 0 for "
              "another, 1 to end); see: tessera run --help",
          .params =
              {
                  text("name", "module", "what it is called in messages"),
                  whole("memory", std::int64_t(l.memory_bytes), page_bytes,
                        double(classes().back().memory_bytes), "bytes of its memory, at most"),
                  whole("output", std::int64_t(l.output_bytes), 0, 1 << 30,
                        "bytes that one microtask or merge may yield"),
                  whole("fuel", 0, 0, 1e18, "instructions of one call, at most; 0: not counted"),
                  whole("time", 30'000, 10, 3'600'000, "milliseconds of one microtask, at most"),
                  whole("compile_time", 30'000, 10, 600'000, "milliseconds of compiling, at most"),
                  whole("record", 0, 0, 1 << 30, "bytes of one item of the input; 0: a range job"),
                  whole("each", 0, 0, 1, "1: each line or record has a result of its own"),
                  text("merge", "concat", "what merges partials where the module exports no merge"),
                  text("nan", "plain", "strict: for inputs with NaNs of their own",
                       {"plain", "strict"}),
              },
          .wants_input = false,
          .wants_items = true,
          .result = "application/octet-stream"};
}

std::uint64_t number(const Params& params, const char* name) {
  return std::uint64_t(std::get<std::int64_t>(params.at(name)));
}
const std::string& word(const Params& params, const char* name) {
  return std::get<std::string>(params.at(name));
}

Error no_items(std::string what, std::string why, std::string fix) {
  return {"E421", std::move(what), std::move(why), std::move(fix)};
}

} // namespace

const std::vector<Class>& classes() {
  static const std::vector<Class> all{{"wasm-64m", 64 * MiB},
                                      {"wasm", 256 * MiB},
                                      {"wasm-1g", 1024 * MiB},
                                      {"wasm-4g", 4096 * MiB}};
  return all;
}

bool is_module_kernel(std::string_view kernel) {
  return std::ranges::find(classes(), kernel, &Class::kernel) != classes().end();
}

std::uint64_t worker_bytes_for(const Class& c) {
  return 2 * c.memory_bytes + beside_memory;
}

std::vector<std::string> kernels_for(std::uint64_t worker_bytes) {
  std::vector<std::string> names;
  for (const auto& c : classes())
    if (worker_bytes_for(c) <= worker_bytes)
      names.push_back(c.kernel + "@" + std::to_string(module_info().version));
  return names;
}

const KernelInfo& module_info() {
  static const KernelInfo one = info();
  return one;
}

const Class& class_for(const Limits& limits) {
  return *std::ranges::find_if(
      classes(), [&](const Class& c) { return limits.memory_bytes <= c.memory_bytes; });
}

Result<Settings> settings_of(const Params& params) {
  const auto merge = Merge::named(word(params, "merge"));
  if (!merge)
    return merge.error();
  Settings s;
  s.name = plain_text(view(word(params, "name")), name_bytes_max);
  s.limits.memory_bytes = number(params, "memory");
  s.limits.output_bytes = number(params, "output");
  s.limits.fuel = number(params, "fuel");
  s.merge = *merge;
  s.record_bytes = number(params, "record");
  s.each = number(params, "each") != 0;
  s.strict_nans = word(params, "nan") == "strict";
  s.call_time = std::chrono::milliseconds(number(params, "time"));
  s.compile_time = std::chrono::milliseconds(number(params, "compile_time"));
  return s;
}

Result<Settings> settings_of(const std::string& kernel, ByteView params) {
  const auto decoded = decode_params(module_info(), params);
  if (!decoded)
    return decoded.error();
  auto settings = settings_of(*decoded);
  if (settings && class_for(settings->limits).kernel != kernel)
    return Error{"E420", "the job's parameters do not fit its kernel " + kernel,
                 "a module of so much memory is " + class_for(settings->limits).kernel,
                 "the submitter may run another version; submit again from this one"};
  return settings;
}

Result<Plan> plan(const Settings& settings, std::uint64_t items,
                  std::optional<std::uint64_t> input_bytes) {
  if (settings.each)
    return Plan{items, each_leaf_items(items)};
  if (settings.record_bytes && !input_bytes)
    return Error{"E422", settings.name + " wants an input", "its items are records of one",
                 "name one: --input FILE, or leave out --record"};
  if (settings.record_bytes) {
    const auto records =
        *input_bytes / settings.record_bytes + (*input_bytes % settings.record_bytes != 0);
    if (items != 0 && items != records)
      return no_items(settings.name + " cannot take " + std::to_string(items) + " items",
                      "its input holds " + std::to_string(records) + " records",
                      "leave --items out, or give another --record");
    if (records == 0)
      return no_items(settings.name + " has no items to work on", "its input is empty",
                      "give another: --input FILE");
    items = records;
  }
  if (items == 0)
    return no_items(settings.name + " has no items to work on",
                    "its items are counted by --items, which is not given",
                    "add --items N, or the length of a record in the input: --record BYTES");
  if (items > items_max)
    return no_items(settings.name + " cannot take " + std::to_string(items) + " items",
                    "a job has at most 9223372036854775808 (2^63)", "give a smaller --items");
  return Plan{items, items / leaves_default + (items % leaves_default != 0)};
}

void set_shape(JobSpec& spec, std::uint32_t rounds, bool tree, std::uint32_t budget) {
  spec.shape = tree ? Shape::tree : rounds ? Shape::rounds : Shape::range;
  spec.rounds = tree ? 0xffffffff : rounds;
  spec.budget = budget;
}

Status check_tree(const Settings& settings, const Abi& abi, std::uint32_t budget) {
  const auto kind = settings.merge.kind();
  if (abi.merges || (kind != Merge::Kind::concat && (kind != Merge::Kind::sum_f64 || budget)))
    return Nothing{};
  return Error{
      "E427", "a tree job cannot merge by " + settings.merge.name(),
      "which task runs before which differs from run to run, and its result would show it",
      kind == Merge::Kind::sum_f64
          ? "fix how many tasks a lane runs: --budget N; or export merge"
          : "export merge, or name one: --merge count, sum_i64, min_..., max_..., topk_...:K"};
}

Status check_rounds(const Settings& settings, const Abi& abi, bool has_input) {
  if (!abi.steps)
    return Error{"E503", settings.name + " exports no step",
                 "a job of rounds ends each of them with it",
                 "add step (see tessera new task), or leave out --rounds"};
  if (has_input && !settings.record_bytes)
    return Error{"E422", settings.name + " cannot read this input in rounds",
                 "where items are a range, slot 2 of run is the state",
                 "cut it into records: --record BYTES; or give it as parameters: -p FILE"};
  return Nothing{};
}

} // namespace tessera::wasm
