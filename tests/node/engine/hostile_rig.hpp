#pragma once

#include "node/kernels/block_run.hpp"
#include "tests/node/engine/engine_rig.hpp"
#include "tests/node/sandbox_rig.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/resource.h>

// The modules of tests/hostile, each in a process of its own that shuts itself in as a worker does,
// and what became of it. EXPECT is read, so that the table and the truth cannot differ.
namespace tessera::rig {

// Bytes of memory that a worker gets for modules of the default limits: two instances, code, and
// what passes in and out.
inline constexpr WorkerLimits hostile_worker{.memory_bytes = 768 << 20, .modules = true};

struct Expected { // A line of EXPECT.
  std::string name, as;
  std::vector<std::string> outcomes, seen;
};

inline std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream in{text};
  for (std::string part; std::getline(in, part, at);)
    parts.push_back(part);
  return parts;
}

// "00*2,ff" is 0000ff.
inline std::string spelled_out(const std::string& bytes) {
  std::string all;
  for (const auto& part : split(bytes, ',')) {
    const auto star = part.find('*');
    for (int n = star == part.npos ? 1 : std::stoi(part.substr(star + 1)); n; --n)
      all += part.substr(0, star);
  }
  return all;
}

// As an Ending has it.
inline std::string in_full(const std::string& seen) {
  if (!seen.starts_with('=') || seen == "=any")
    return seen;
  return "=" + spelled_out(spelled_out(seen.substr(1)) + "*8");
}

inline std::vector<Expected> expectations() {
  std::vector<Expected> all;
  std::ifstream in{"tests/hostile/EXPECT"};
  for (std::string line; std::getline(in, line);) {
    std::istringstream words{line};
    std::string name, as, outcomes, seen;
    if (words >> name >> as >> outcomes >> seen && name[0] != '#')
      all.push_back({name, as, split(outcomes, '|'), split(seen, '|')});
  }
  for (auto& expected : all)
    std::ranges::transform(expected.seen, expected.seen.begin(), in_full);
  return all;
}

// All of tests/hostile/make, for as long as this lives.
class Corpus {
public:
  Corpus() {
    char folder[] = "/tmp/tessera-hostile-XXXXXX";
    REQUIRE(::mkdtemp(folder));
    folder_ = folder;
    REQUIRE(std::system(("tests/hostile/make " + folder_).c_str()) == 0);
  }
  Corpus(const Corpus&) = delete;
  ~Corpus() { std::filesystem::remove_all(folder_); }

  Bytes module(const std::string& name) const {
    std::ifstream in{folder_ + "/" + name + ".wasm", std::ios::binary};
    REQUIRE(in.good());
    return {std::istreambuf_iterator<char>{in}, {}};
  }

private:
  std::string folder_;
};

// As EXPECT names them.
inline std::string outcome_of(const std::string& seen) {
  static const std::vector<std::pair<std::string, std::vector<std::string>>> codes{
      {"refused", {"E501", "E502", "E503", "E512"}},
      {"limit", {"time", "compile_time", "E712", "E722", "E723", "E724", "E725"}},
      {"trap", {"E720", "E721"}},
      {"misuse", {"E728"}},
      {"failed", {"E726", "E727"}}};
  for (const auto& [outcome, those] : codes)
    if (std::ranges::find(those, seen) != those.end())
      return outcome;
  return seen.starts_with('=') ? "ok" : "lost";
}

struct Ending {
  std::string seen;   // A code; time or compile_time; = and the result's bytes; or how it died.
  std::string error;  // Its three lines.
  double ms = 0;      // From the fork until the process is gone.
  double late_ms = 0; // Of that, since its time was over.
  std::uint64_t peak_bytes = 0;
};

inline constexpr std::size_t words_max = 150'000; // In one packet.
using Milliseconds = std::chrono::duration<double, std::milli>;

// What a process shut in says before it ends: "compiled", and then its error or its bytes.
inline void say(int fd, const std::string& words) {
  (void)!::write(fd, words.data(), std::min(words.size(), words_max));
}

inline std::string telling(const Status& status, ByteView out) {
  return status ? "=" + to_hex(out) : to_text(status.error());
}

inline std::string in_range(wasm::ModuleRun& run) {
  BlockRun blocks;
  const auto leaves = *Leaves::of(8, 1);
  auto ran = blocks.run(run, leaves, leaves.tree.root(), false);
  Bytes out;
  if (ran)
    ran = run.finish(blocks.partial(), out);
  return telling(ran, out);
}

// Depth first, for ever if the tree is.
inline std::string in_tree(wasm::ModuleRun& run) {
  std::vector<Bytes> tasks{Bytes(8)};
  Bytes out;
  Status ran = Nothing{};
  while (ran && !tasks.empty()) {
    const auto task = std::move(tasks.back());
    tasks.pop_back();
    std::vector<Bytes> children;
    ran = run.task(task, out, children);
    std::ranges::move(children, std::back_inserter(tasks));
  }
  return telling(ran, out);
}

inline std::string in_rounds(wasm::ModuleRun& run) {
  Bytes state;
  Status ran = Nothing{};
  for (int round = 0; ran && round != 3; ++round) {
    BlockRun blocks;
    const auto leaves = *Leaves::of(8, 1);
    if (ran = blocks.run(run, leaves, leaves.tree.root(), false); ran)
      if (Bytes next; ran = run.step(state, blocks.partial(), next))
        state = std::move(next);
  }
  return telling(ran, state);
}

inline int compile_and_run(const Bytes& bytes, const std::string& as, const wasm::ModuleJob& job,
                           int line) {
  const auto module = wasm::Module::compile(engine(), "task.wasm", bytes, {});
  if (!module)
    return say(line, to_text(module.error())), 0;
  say(line, "compiled");
  wasm::ModuleRun run{*module, job};
  say(line, as == "tree" ? in_tree(run) : as == "rounds" ? in_rounds(run) : in_range(run));
  return 0;
}

inline void warm() {
  if (!engine().warm_up())
    ::_exit(98);
}

// The next of its words, or nothing by then or ever.
inline std::optional<std::string> hear(const Fd& line, Milliseconds patience) {
  pollfd p{line.get(), POLLIN, 0};
  std::string words(words_max, 0);
  if (::poll(&p, 1, int(patience.count())) <= 0)
    return std::nullopt;
  const auto size = ::recv(line.get(), words.data(), words.size(), 0);
  words.resize(std::size_t(std::max<ssize_t>(size, 0)));
  return words;
}

inline std::string fate(int status) {
  return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                             : "exit " + std::to_string(WEXITSTATUS(status));
}

struct Times { // Of one case: what is late is killed.
  Milliseconds compile{20'000}, run{20'000};
};

// What it says within its times; else what was late.
inline std::string listen(const Fd& line, const Times& times) {
  auto words = hear(line, times.compile);
  if (!words)
    return "compile_time";
  if (*words == "compiled")
    words = hear(line, times.run);
  return words.value_or("time");
}

inline Ending run_hostile(const Bytes& module, const std::string& as, const wasm::ModuleJob& job,
                          const Times& times, const WorkerLimits& limits = hostile_worker) {
  const Pair line;
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const auto start = now();
  const auto child = shut_in(
      limits, line.theirs.get(),
      [&] { return compile_and_run(module, as, job, line.theirs.get()); }, warm);
  Ending e;
  const auto words = listen(line.ours, times);
  const auto end = now();
  ::kill(child, SIGKILL);
  int status = 0;
  rusage used{};
  ::wait4(child, &status, 0, &used);
  e.ms = Milliseconds(now() - start).count();
  e.late_ms = Milliseconds(now() - end).count();
  e.peak_bytes = std::uint64_t(used.ru_maxrss) * 1024;
  e.error = words.starts_with('E') ? words : "";
  e.seen =
      words.empty() ? fate(status) : words.substr(0, words.starts_with('E') ? 4 : words.size());
  return e;
}

} // namespace tessera::rig
