#include "node/worker/wasm/each_run.hpp"

#include "crypto/little_endian.hpp"
#include "node/kernels/each_lines.hpp"
#include "node/kernels/ordered_run.hpp"

namespace tessera::wasm {

namespace {

// What the module did with its task, the same on every machine. All else is the machine's trouble,
// and the job's.
bool of_task(const Error& why) {
  for (const auto code : {"E720", "E721", "E722", "E724", "E725", "E726", "E727", "E728", "E730"})
    if (why.code == code)
      return true;
  return false;
}

} // namespace

Result<std::unique_ptr<KernelRun>> EachModuleRun::of(ModuleRun run, ByteView input) {
  const auto index = EachInput::of(input);
  if (!index)
    return Error{"E422", "this input is no list of tasks", "it has no index of its lines",
                 "submit it by: tessera run FILE.wasm --each FILE"};
  return std::unique_ptr<KernelRun>(
      std::make_unique<OrderedRun>(std::make_unique<EachModuleRun>(std::move(run), *index)));
}

Status EachModuleRun::run(std::uint64_t begin, std::uint64_t end, Bytes& out) {
  for (auto number = begin; number != end; ++number) {
    const auto task = input_.task(number);
    if (!task)
      return Error{"E711", "a list of tasks does not fit the job",
                   "its index lies about task " + std::to_string(number),
                   "the submitter may run another version; submit again from this one"};
    result_.clear();
    const auto ran = run_.single(*task, result_);
    if (!ran && !of_task(ran.error()))
      return ran;
    if (ran)
      put_result_line(result_, out);
    else
      put_error_line(ran.error(), out);
  }
  return Nothing{};
}

Status EachModuleRun::merge(ByteView left, ByteView right, Bytes& out) {
  put(out, left);
  put(out, right);
  return Nothing{};
}

} // namespace tessera::wasm
