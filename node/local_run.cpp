#include "node/local_run.hpp"

#include "net/manifest.hpp"
#include "node/kernels/block_run.hpp"
#include "node/wasm/job.hpp"
#include "node/worker/worker.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <poll.h>
#include <random>
#include <unistd.h>

namespace tessera {
namespace {

constexpr double aim_ns = 1e6;                // Of a microtask, architecture 4.1.
constexpr std::uint64_t leaves_max = 1 << 24; // Their digests are kept: half a gigabyte.
constexpr std::uint32_t tree_budget = 4096;   // Of tasks a lane, where the job does not say.
constexpr std::uint64_t worker_bytes_min = std::uint64_t{1} << 30;

// Bytes that go to the worker again and again.
class Source {
public:
  static Result<Source> of(ByteView bytes) {
    auto payload = Payload::of(bytes);
    return payload ? Result<Source>{of(std::move(*payload))} : payload.error();
  }
  static Source of(Payload payload) {
    Source source;
    source.payload_ = std::move(payload);
    return source;
  }
  Payload again() const {
    Payload copy;
    copy.bytes = payload_.bytes;
    copy.size = payload_.size;
    if (payload_.fd)
      copy.fd = Fd{::dup(payload_.fd.get())};
    return copy;
  }

private:
  Payload payload_;
};

Error too_slow(const std::string& code, const std::string& what, std::chrono::milliseconds time) {
  return {code, what, "its worker was stopped after " + std::to_string(time.count()) + " ms",
          code == "E731" ? "make it smaller (-Oz, fewer templates), or: --compile-limit MS"
                         : "use smaller leaves (--leaf N), or give it more time: --time-limit MS"};
}

class LocalRun {
public:
  LocalRun(const LocalTask& task, const LocalProgress& progress, wasm::Settings settings,
           Zygote zygote, WorkerProcess worker, std::array<Source, 4> inputs)
      : spec_(task.spec), progress_(progress), settings_(std::move(settings)),
        leaves_(*Leaves::of(spec_.items, spec_.leaf_items)), zygote_(std::move(zygote)),
        worker_(std::move(worker)), inputs_(std::move(inputs)) {}

  Result<LocalReport> run() {
    for (;;) {
      auto finished = round();
      if (!finished)
        return finished.error();
      report_.rounds += spec_.in_rounds();
      report_.tasks += finished->tasks_run;
      if (!spec_.in_rounds() || finished->over || report_.rounds == spec_.rounds)
        return told(*finished);
      inputs_[3] = Source::of(std::move(finished->output));
    }
  }

private:
  static constexpr std::uint64_t merger = 1, runner = 2;

  // Of a job of rounds one, else all of it.
  Result<CallDone> round() {
    if (auto opened = open(merger); !opened) // Keeps the compiled code, too.
      return opened.error();
    const auto partial = upwards();
    if (!partial)
      return partial.error();
    for (const auto& pass : {downwards(), shuffled()})
      if (!pass)
        return pass.error();
    return at_once(*partial);
  }

  struct Part {
    Payload bytes;
    BlobId digest;
  };

  // --- Talking to the worker
  Result<CallDone> call(WorkerRequest request, const Error& late,
                        std::optional<std::chrono::milliseconds> time) {
    if (auto sent = send(worker_.socket, request); !sent)
      return sent.error();
    pollfd p{worker_.socket.get(), POLLIN, 0};
    if (::poll(&p, 1, time ? int(time->count()) : -1) == 0)
      return late;
    auto reply = receive(worker_.socket);
    if (!reply)
      return reply.error();
    if (!*reply)
      return late;
    if (auto* failed = std::get_if<CallFailed>(&**reply))
      return failed->error;
    return std::move(std::get<CallDone>(**reply));
  }

  std::uint32_t budget() const {
    return spec_.shape != Shape::tree ? 0 : spec_.budget ? spec_.budget : tree_budget;
  }

  Status open(std::uint64_t job) {
    const WorkerRequest request = OpenJob{job,
                                          spec_.kernel,
                                          spec_.params,
                                          spec_.items,
                                          spec_.leaf_items,
                                          inputs_[0].again(),
                                          inputs_[1].again(),
                                          inputs_[2].again(),
                                          false,
                                          inputs_[3].again(),
                                          std::uint32_t(spec_.in_rounds() ? report_.rounds + 1 : 0),
                                          budget()};
    if (auto sent = send(worker_.socket, request); !sent)
      return sent.error();
    const auto late =
        too_slow("E731", settings_.name + " takes too long to compile", settings_.compile_time);
    const auto opened = call(OpenedCall{++calls_, job}, late, settings_.compile_time);
    return opened ? Status{Nothing{}} : opened.error();
  }

  Result<CallDone> run(std::uint64_t leaf) {
    const auto late =
        too_slow("E732", settings_.name + " takes too long in " + named(leaf), settings_.call_time);
    return call(RunCall{++calls_, runner, {0, leaf}}, late, settings_.call_time);
  }

  Result<Part> merge(Part left, Part right) {
    const auto late =
        too_slow("E732", settings_.name + " takes too long, in a merge", settings_.call_time);
    auto merged = call(MergeCall{++calls_, merger, std::move(left.bytes), std::move(right.bytes)},
                       late, settings_.call_time);
    if (!merged)
      return merged.error();
    return Part{std::move(merged->output), merged->digest};
  }

  // --- The passes
  // Merged apart from the microtasks, at the job's cuts: one partial lives for each bit.
  Result<BlobId> upwards() {
    if (auto opened = open(runner); !opened)
      return opened.error();
    digests_.clear();
    done_ = 0;
    std::vector<Part> live;
    const auto merge_two = [&]() -> Status {
      auto right = std::move(live.back());
      live.pop_back();
      auto merged = merge(std::move(live.back()), std::move(right));
      if (!merged)
        return merged.error();
      live.back() = std::move(*merged);
      return Nothing{};
    };
    for (std::uint64_t leaf = 0; leaf != leaves_.tree.leaves(); ++leaf) {
      auto ran = run(leaf);
      if (!ran)
        return ran.error();
      digests_.push_back(ran->digest);
      live.push_back({std::move(ran->output), ran->digest});
      for (auto carries = std::countr_zero(leaf + 1); carries > 0; --carries)
        if (auto merged = merge_two(); !merged)
          return merged.error();
      step();
    }
    while (live.size() > 1)
      if (auto merged = merge_two(); !merged)
        return merged.error();
    return live.front().digest;
  }

  Status downwards() {
    if (auto opened = open(runner); !opened)
      return opened;
    for (auto leaf = leaves_.tree.leaves(); leaf-- > 0; step())
      if (auto same = again(leaf, "when they run downwards, in another instance"); !same)
        return same;
    return first_difference();
  }

  Status shuffled() {
    std::vector<std::uint64_t> order(leaves_.tree.leaves());
    std::iota(order.begin(), order.end(), 0);
    std::mt19937_64 dice{1};
    for (auto i = order.size(); i > 1; --i)
      std::swap(order[i - 1], order[dice() % i]);
    for (const auto leaf : order) {
      if (auto opened = open(runner); !opened)
        return opened;
      if (auto same = again(leaf, "when each runs in an instance of its own"); !same)
        return same;
      step();
    }
    return first_difference();
  }

  // As a mesh would: one block, and what is measured.
  Result<CallDone> at_once(const BlobId& expected) {
    if (auto opened = open(runner); !opened)
      return opened.error();
    auto ran = call(RunCall{++calls_, runner, leaves_.tree.root()}, {}, {});
    if (!ran)
      return ran.error();
    if (ran->digest != expected)
      return Error{"E740", settings_.name + " merges to other bytes in another instance",
                   "each microtask by itself gives the same, so merge keeps something",
                   "keep nothing from one call to the next: no global that a later call reads"};
    if (auto kept = keep_pieces(*ran); !kept)
      return kept.error();
    report_.microtasks += leaves_.tree.leaves();
    report_.seconds += double(ran->cpu_ns) / 1e9;
    report_.memory_bytes = std::max(report_.memory_bytes, ran->memory_bytes);
    report_.calls += ran->module_calls;
    report_.calls_again += ran->calls_again;
    const auto partial = Source::of(std::move(ran->output));
    auto finished = finish(runner, partial.again());
    if (!finished)
      return finished;
    report_.fuel += finished->fuel;
    if (auto same = steps_again(*finished, partial); !same)
      return same.error();
    return finished;
  }

  Result<CallDone> finish(std::uint64_t job, Payload partial) {
    const auto late = too_slow("E732",
                               settings_.name + " takes too long, " +
                                   (spec_.in_rounds() ? "in step" : "at its end"),
                               settings_.call_time);
    return call(FinishCall{++calls_, job, std::move(partial)}, late, settings_.call_time);
  }

  // In an instance that has merged, and run nothing.
  Status steps_again(const CallDone& before, const Source& partial) {
    if (!spec_.in_rounds())
      return Nothing{};
    const auto again = finish(merger, partial.again());
    if (!again)
      return again.error();
    if (again->digest == before.digest && again->over == before.over)
      return Nothing{};
    return Error{"E740", settings_.name + " steps to another state in another instance",
                 "after round " + std::to_string(report_.rounds + 1) + ", of the same bytes",
                 "keep nothing from one call to the next: no global that a later call reads"};
  }

  Result<LocalReport> told(CallDone& last) {
    const auto contents = Contents::of(std::move(last.output));
    if (!contents)
      return contents.error();
    report_.result = last.manifest ? assembled(contents->bytes()) : to_bytes(contents->bytes());
    report_.leaf_items = suggested(report_.seconds * 1e9 / double(report_.microtasks));
    return report_;
  }

  // --- Ordered output
  Status keep_pieces(CallDone& done) {
    const auto rows = rows_of(done);
    if (!rows)
      return rows.error();
    auto contents = Contents::of(std::move(done.pieces));
    if (!contents)
      return contents.error();
    pieces_ = std::move(*contents);
    std::size_t at = 0;
    for (const auto& [id, size] : *rows) {
      piece_at_[id] = {at, size};
      at += size;
    }
    return Nothing{};
  }

  ByteView piece(const BlobId& id) const {
    const auto [at, size] = piece_at_.at(id);
    return pieces_.bytes().subspan(at, size);
  }

  // What the worker made itself: a manifest that does not fit is our own bug.
  Bytes assembled(ByteView manifest) const {
    Bytes all;
    ManifestWalk walk{*Manifest::of(manifest)};
    while (const auto part = walk.next()) {
      const auto bytes = piece(part->blob);
      if (part->manifest) {
        [[maybe_unused]] const bool entered = walk.enter(bytes);
        assert(entered);
        continue;
      }
      all.insert(all.end(), bytes.begin(), bytes.end());
      walk.pass();
    }
    return all;
  }

  // --- Differences
  Status again(std::uint64_t leaf, const char* how) {
    const auto ran = run(leaf);
    if (!ran)
      return ran.error();
    if (ran->digest != digests_[leaf] && (!differs_ || leaf < *differs_)) {
      differs_ = leaf;
      how_ = how;
    }
    return Nothing{};
  }

  Status first_difference() const {
    if (!differs_)
      return Nothing{};
    return Error{"E740", settings_.name + " gives other bytes for " + named(*differs_),
                 how_ + ", than upwards in one instance",
                 "keep nothing from one run to the next: no global that a later call reads"};
  }

  std::string named(std::uint64_t leaf) const {
    const auto [begin, end] = leaves_.range(leaf);
    return "microtask " + std::to_string(leaf) +
           (end - begin == 1
                ? ", item " + std::to_string(begin)
                : ", items " + std::to_string(begin) + " to " + std::to_string(end - 1));
  }

  std::uint64_t suggested(double leaf_ns) const {
    const auto growth = std::exp2(std::round(std::log2(aim_ns / std::max(1.0, leaf_ns))));
    return std::clamp<std::uint64_t>(
        std::uint64_t(std::clamp(double(spec_.leaf_items) * growth, 1.0, 9e18)), 1, spec_.items);
  }

  void step() {
    if (progress_)
      progress_(++done_, 3 * leaves_.tree.leaves());
  }

  const JobSpec& spec_;
  const LocalProgress& progress_;
  wasm::Settings settings_;
  Leaves leaves_;
  Zygote zygote_;
  WorkerProcess worker_;
  std::array<Source, 4> inputs_; // By their roles.
  LocalReport report_;
  std::uint64_t calls_ = 0, done_ = 0;
  Contents pieces_; // Of ordered output, of the run at once.
  std::map<BlobId, std::pair<std::size_t, std::size_t>> piece_at_;
  std::vector<BlobId> digests_; // Of the microtasks, upwards.
  std::optional<std::uint64_t> differs_;
  std::string how_;
};

} // namespace

Result<LocalReport> run_local(const LocalTask& task, const LocalProgress& progress) {
  const auto modules = modules_of_this_build();
  if (!modules)
    return Error{"E513", "this build runs no modules", "it has no WebAssembly engine",
                 "build it with Rust 1.95 or later at hand, and without TESSERA_WASM=OFF"};
  if (task.spec.leaves() > leaves_max)
    return Error{"E421", "too many microtasks to compare",
                 std::to_string(task.spec.leaves()) + " were asked for, of at most 16777216",
                 "use larger leaves (--leaf N), or fewer --items"};
  auto settings = wasm::settings_of(task.spec.kernel, task.spec.params);
  if (!settings)
    return settings.error();
  std::array<Source, 4> inputs;
  for (auto [i, bytes] :
       {std::pair{0, &task.data}, {1, &task.module}, {2, &task.module_params}, {3, &task.state}}) {
    auto source = Source::of(*bytes);
    if (!source)
      return source.error();
    inputs[std::size_t(i)] = std::move(*source);
  }
  auto zygote = Zygote::start(find_kernel, modules);
  if (!zygote)
    return zygote.error();
  WorkerLimits limits;
  limits.memory_bytes =
      std::max(worker_bytes_min, wasm::worker_bytes_for(wasm::class_for(settings->limits)));
  limits.modules = true;
  auto worker = zygote->spawn(limits);
  if (!worker)
    return worker.error();
  return LocalRun{task,
                  progress,
                  std::move(*settings),
                  std::move(*zygote),
                  std::move(*worker),
                  std::move(inputs)}
      .run();
}

} // namespace tessera
