#include "node/kernels/block_run.hpp"
#include "node/kernels/each_input.hpp"
#include "node/kernels/each_lines.hpp"
#include "node/kernels/native.hpp"
#include "node/kernels/ordered_run.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

// A map of single tasks: one of the other kernels, run whole for each line of a file, whose
// parameters the line tells. Each task has a result of its own, in the order of the lines, and may
// fail by itself.
namespace tessera {
namespace {

using Json = nlohmann::json;
using Given = std::map<std::string, std::string>;

// One task: a kernel's parameters by name, and "items" among them.
struct Task {
  Given params;
  std::uint64_t items = 0; // 0: not said.
};

Error bad_line(std::string why) {
  return {"E420", "this line tells no task", std::move(why),
          "a line is like: name=value items=N, or {\"name\": value}, or a number of items"};
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional{number}
                                                                  : std::nullopt;
}

Status set(Task& task, std::string name, std::string value) {
  if (name != "items") {
    task.params[std::move(name)] = std::move(value);
    return Nothing{};
  }
  const auto items = number_of(value);
  if (!items || *items == 0)
    return Error{"E421", "this task has no such number of items",
                 "items is a whole number from 1 to 2^63", "for instance: items=1000"};
  task.items = *items;
  return Nothing{};
}

Status read_object(std::string_view text, Task& task) {
  const auto json = Json::parse(text, nullptr, false);
  if (!json.is_object())
    return bad_line("it begins with {, but is no JSON object");
  for (const auto& [name, value] : json.items()) {
    if (!value.is_string() && !value.is_number())
      return bad_line("the value of a name is neither text nor a number");
    const auto told = set(task, name, value.is_string() ? value.get<std::string>() : value.dump());
    if (!told)
      return told;
  }
  return Nothing{};
}

Status read_words(std::string_view text, Task& task) {
  constexpr std::string_view blank = " \t\r";
  for (auto at = text.find_first_not_of(blank); at != text.npos;
       at = text.find_first_not_of(blank, at)) {
    const auto end = std::min(text.find_first_of(blank, at), text.size());
    const auto word = text.substr(at, end - at);
    const auto equals = word.find('=');
    if (equals == 0 || (equals == word.npos && !number_of(word)))
      return bad_line("it has a word that is not name=value");
    const auto told = equals == word.npos ? set(task, "items", std::string{word})
                                          : set(task, std::string{word.substr(0, equals)},
                                                std::string{word.substr(equals + 1)});
    if (!told)
      return told;
    at = end;
  }
  return Nothing{};
}

// What the line says goes before what the job says of all its tasks.
Status read_task(ByteView line, Task& task) {
  const auto text = text_of(line);
  const auto first = text.find_first_not_of(" \t\r");
  return first != text.npos && text[first] == '{' ? read_object(text, task)
                                                  : read_words(text, task);
}

// The whole job that a task is, here and now.
Status run_task(const Kernel& kernel, const Task& task, BlockRun& blocks, Bytes& result) {
  const auto params = check_params(kernel.info(), task.params);
  if (!params)
    return params.error();
  const auto plan = kernel.plan(*params, task.items, {});
  if (!plan)
    return plan.error();
  const auto leaves = Leaves::of(plan->items, std::min(plan->leaf_items, plan->items));
  auto run = kernel.open(*params, {}, plan->items);
  if (!run)
    return run.error();
  if (auto ran = blocks.run(**run, *leaves, leaves->tree.root(), false); !ran)
    return ran;
  return (*run)->finish(blocks.partial(), result);
}

class EachRun : public KernelRun {
public:
  EachRun(const Kernel& kernel, Task common, EachInput input)
      : kernel_(kernel), common_(std::move(common)), input_(input) {}

  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override {
    for (auto number = begin; number != end; ++number) {
      const auto line = input_.task(number);
      if (!line)
        return bad_partial("each", 0, "a line in the index");
      auto task = common_;
      result_.clear();
      auto ran = read_task(*line, task);
      if (ran)
        ran = run_task(kernel_, task, blocks_, result_);
      if (ran)
        put_result_line(result_, out);
      else
        put_error_line(ran.error(), out);
    }
    return Nothing{};
  }

  Status merge(ByteView left, ByteView right, Bytes& out) override {
    put(out, left);
    put(out, right);
    return Nothing{};
  }

private:
  const Kernel& kernel_;
  Task common_;
  EachInput input_;
  BlockRun blocks_;
  Bytes result_;
};

class Each : public Kernel {
public:
  const KernelInfo& info() const override { return info_; }

  Result<Plan> plan(const Params& params, std::uint64_t items, ByteView head) const override {
    if (const auto kernel = of(params); !kernel)
      return kernel.error();
    const auto tasks = EachInput::tasks(head);
    if (auto checked = check_derived_items("each", items, tasks); !checked)
      return checked.error();
    if (auto checked = check_items("each", tasks); !checked)
      return checked.error();
    return Plan{tasks, each_leaf_items(tasks)};
  }

  Status prepare(const Params& params, ByteView input, Bytes& out) const override {
    return EachInput::index(input, std::uint64_t(param<std::int64_t>(params, "record")), out);
  }

  Result<std::unique_ptr<KernelRun>> open(const Params& params, ByteView input,
                                          std::uint64_t) const override {
    const auto kernel = of(params);
    if (!kernel)
      return kernel.error();
    const auto index = EachInput::of(input);
    if (!index)
      return Error{"E422", "this input is no list of tasks", "it has no index of its lines",
                   "submit it by: tessera submit KERNEL --each FILE"};
    Task common;
    if (auto read = read_object(param<std::string>(params, "with"), common); !read)
      return read.error();
    return std::unique_ptr<KernelRun>(std::make_unique<OrderedRun>(
        std::make_unique<EachRun>(**kernel, std::move(common), *index)));
  }

private:
  // The kernel that each task runs. E423, E422.
  static Result<const Kernel*> of(const Params& params) {
    const auto& name = param<std::string>(params, "kernel");
    const auto* kernel = find_kernel(name);
    if (!kernel)
      return Error{"E423", "there is no kernel \"" + name.substr(0, 40) + "\"",
                   "this node knows no such kernel", "see them all: tessera kernels"};
    if (kernel->info().wants_input)
      return Error{"E422", name + " cannot be run for each line", "it wants an input of its own",
                   "submit a job for each input, without --each"};
    return kernel;
  }

  KernelInfo info_{
      .name = "each",
      .help =
          "another kernel for each line of a file; say it by: tessera submit KERNEL --each FILE",
      .params =
          {
              {"kernel", std::string{"sumsq"}, "the kernel that each task runs", 0, 0, {}},
              {"with",
               std::string{"{}"},
               "its parameters where a line does not say, as JSON",
               0,
               0,
               {}},
              {"record", std::int64_t{0}, "bytes of a task; 0: a line is one", 0, 1 << 30, {}},
          },
      .wants_input = true,
      .wants_items = false,
      .result = "application/x-ndjson"};
};

} // namespace

const Kernel& each_kernel() {
  static const Each kernel;
  return kernel;
}

} // namespace tessera
