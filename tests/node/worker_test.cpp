#include "tests/node/worker_rig.hpp"

#include "node/kernels/block_run.hpp"
#include "node/worker/sandbox.hpp"

#include <csignal>
#include <fcntl.h>
#include <random>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

using namespace tessera;
using namespace tessera::rig;

namespace {

Status write_range(std::uint64_t begin, std::uint64_t end, Bytes& out) {
  const auto text = std::to_string(begin) + "-" + std::to_string(end) + " ";
  out.insert(out.end(), text.begin(), text.end());
  return Nothing{};
}

Status yield_much(std::uint64_t begin, std::uint64_t, Bytes& out) {
  out.assign(100'000, std::uint8_t(begin));
  return Nothing{};
}

Status eat_all(std::uint64_t begin, std::uint64_t end, Bytes& out) {
  if (begin == 0)
    for (std::size_t size = 1 << 20;; size *= 2)
      out.resize(size, 1);
  return write_range(begin, end, out);
}

Status wish_too_much(std::uint64_t, std::uint64_t, Bytes& out) {
  out.reserve(out.max_size() + 1);
  return Nothing{};
}

Status throw_something(std::uint64_t begin, std::uint64_t, Bytes&) {
  if (begin == 0)
    throw std::runtime_error("a bell \a and\na line");
  throw 7;
}

Status crash(std::uint64_t, std::uint64_t, Bytes&) {
  ::raise(SIGKILL); // No such call is allowed: the same as any fault.
  return Nothing{};
}

Status spin_for_ever(std::uint64_t, std::uint64_t, Bytes& out) {
  for (volatile bool go_on = true; go_on;)
    ;
  out.clear();
  return Nothing{};
}

const Kernel* find_test_kernel(const std::string& name) {
  static const std::vector<TestKernel> all{{"range", write_range},        {"much", yield_much},
                                           {"hungry", eat_all},           {"greedy", wish_too_much},
                                           {"throwing", throw_something}, {"crashing", crash},
                                           {"endless", spin_for_ever}};
  for (const auto& kernel : all)
    if (kernel.info().name == name)
      return &kernel;
  return find_kernel(name);
}

struct Rig {
  Zygote zygote = make();
  WorkerProcess worker = one_more();

  static Zygote make() {
    auto zygote = Zygote::start(find_test_kernel);
    REQUIRE(zygote.ok());
    return std::move(*zygote);
  }
  WorkerProcess one_more(const WorkerLimits& limits = {}) {
    auto worker = zygote.spawn(limits);
    if (!worker)
      FAIL(to_text(worker.error()));
    return std::move(*worker);
  }
  void ask(const WorkerRequest& request) {
    const auto sent = send(worker.socket, request);
    if (!sent)
      FAIL(to_text(sent.error()));
  }
  Answer answer_to(const WorkerRequest& request) {
    ask(request);
    return answer(worker.socket);
  }
};

Payload payload(ByteView bytes) {
  auto made = Payload::of(bytes);
  REQUIRE(made.ok());
  return std::move(*made);
}

// What the block is, by its definition: halves, merged.
Bytes by_halves(KernelRun& run, const Leaves& leaves, Block block) {
  Bytes out;
  if (leaves.tree.size(block) == 1) {
    const auto first = leaves.tree.begin(block) * leaves.leaf_items;
    const auto last = first + std::min(leaves.leaf_items, leaves.items - first);
    REQUIRE(run.run(first, last, out).ok());
    return out;
  }
  const auto [left, right] = leaves.tree.halves(block);
  REQUIRE(run.merge(by_halves(run, leaves, left), by_halves(run, leaves, right), out).ok());
  return out;
}

Digest word_by_halves(KernelRun& run, const Leaves& leaves, Block block) {
  if (leaves.tree.size(block) == 1)
    return digest_of("tessera leaf", {by_halves(run, leaves, block)});
  const auto [left, right] = leaves.tree.halves(block);
  return digest_of("tessera leaves", {word_by_halves(run, leaves, left).view(),
                                      word_by_halves(run, leaves, right).view()});
}

std::unique_ptr<KernelRun> opened(const Kernel* kernel, std::uint64_t items) {
  REQUIRE(kernel);
  auto run = kernel->open({}, {}, items);
  REQUIRE(run.ok());
  return std::move(*run);
}

Block random_block(const BlockTree& tree, std::uint64_t size_max, std::mt19937_64& rng) {
  for (;;) {
    const auto level = std::uint8_t(rng() % (tree.root().level + 1u));
    const auto block = tree.named(level, (rng() % tree.leaves()) >> level);
    if (tree.size(block) <= size_max)
      return block;
  }
}

} // namespace

TEST_CASE("every block of every small job is the merge of its halves, and so is its word") {
  BlockRun block_run;
  for (std::uint64_t items = 1; items <= 40; ++items)
    for (std::uint64_t leaf_items : {1, 3}) {
      const auto leaves = Leaves::of(items, leaf_items);
      const auto run = opened(find_test_kernel("range"), items);
      for (std::uint8_t level = 0; level <= 6; ++level)
        for (std::uint64_t index = 0; index << level < leaves->tree.leaves(); ++index) {
          const Block block{level, index};
          if (!leaves->tree.valid(block))
            continue;
          CAPTURE(items);
          CAPTURE(int(level));
          CAPTURE(index);
          REQUIRE(block_run.run(*run, *leaves, block, true).ok());
          REQUIRE(text_of(block_run.partial()) == text_of(by_halves(*run, *leaves, block)));
          REQUIRE(block_run.digest() == word_by_halves(*run, *leaves, block));
          REQUIRE(block_run.run(*run, *leaves, block, false).ok());
          REQUIRE(block_run.digest() == Digest{});
        }
    }
}

TEST_CASE("the last leaf of the largest job is cut where the job ends") {
  const auto most = std::uint64_t{1} << 63;
  const auto leaves = Leaves::of(most, 1000);
  REQUIRE(leaves);
  const auto last = leaves->tree.leaves() - 1;
  CHECK(leaves->range(last) == std::pair{last * 1000, most});
  CHECK(Leaves::of(most, ~std::uint64_t{0})->range(0) == std::pair{std::uint64_t{0}, most});
  CHECK(!Leaves::of(most + 1, 1));
  CHECK(!Leaves::of(0, 1));
  CHECK(!Leaves::of(1, 0));
}

TEST_CASE("a worker's partials are those of the naive computation, on random cuts") {
  Rig rig;
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 rng{seed};
  std::uint64_t number = 0;
  for (const std::string name : {"range", "shape", "sumsq"})
    for (int round = 0; round < 60; ++round, ++number) {
      const auto items = 1 + rng() % (std::uint64_t{1} << (rng() % 40));
      const auto leaf_items = 1 + rng() % 9;
      const auto leaves = Leaves::of(items, leaf_items);
      const auto block = random_block(leaves->tree, 300, rng);
      CAPTURE(name);
      CAPTURE(items);
      CAPTURE(leaf_items);
      CAPTURE(int(block.level));
      CAPTURE(block.index);
      const auto run = opened(find_test_kernel(name), items);
      auto open = open_job(number, name, items, leaf_items);
      open.leaf_digests = round % 2;
      rig.ask(std::move(open));
      auto reply = rig.answer_to(RunCall{number, number, block});
      REQUIRE(reply.error.code == "");
      const auto& done = reply.done;
      CHECK(done.call == number);
      CHECK(done.leaves == (round % 2 ? word_by_halves(*run, *leaves, block) : Digest{}));
      CHECK(output_of(std::move(reply)) == by_halves(*run, *leaves, block));
      rig.ask(CloseJob{number});
    }
}

TEST_CASE("queued calls are answered in order, and a full socket loses nothing") {
  Rig rig;
  rig.ask(open_job(1, "range", 1'000'000));
  REQUIRE(::kill(rig.worker.pid, SIGSTOP) == 0);
  std::uint64_t asked = 0;
  for (;; ++asked) {
    const auto sent = send(rig.worker.socket, RunCall{asked, 1, {0, asked}});
    if (sent)
      continue;
    CHECK(sent.error().code == "E702");
    break;
  }
  CHECK(asked > 2);
  REQUIRE(::kill(rig.worker.pid, SIGCONT) == 0);
  for (std::uint64_t call = 0; call < asked; ++call) {
    auto reply = answer(rig.worker.socket);
    REQUIRE(reply.error.code == "");
    REQUIRE(reply.done.call == call);
    Bytes expected;
    REQUIRE(write_range(call, call + 1, expected).ok());
    REQUIRE(output_of(std::move(reply)) == expected);
  }
  CHECK(rig.answer_to(RunCall{asked, 1, {0, asked}}).error.code == "");
}

TEST_CASE("large payloads travel both ways, many times over, and no descriptor stays behind") {
  Rig rig;
  Bytes input(300'000);
  for (std::size_t i = 0; i < input.size(); ++i)
    input[i] = std::uint8_t(i * 7);
  auto open = open_job(1, "much", 4);
  open.input = payload(input);
  CHECK(open.input.fd);
  rig.ask(std::move(open));

  const Fd before{::dup(0)}; // The lowest free number: it comes again if nothing leaks.
  const auto free_fd = before.get();
  for (std::uint64_t round = 0; round < 200; ++round) {
    CAPTURE(round);
    const auto left = output_of(rig.answer_to(RunCall{round, 1, {0, 0}}));
    const auto right = output_of(rig.answer_to(RunCall{round, 1, {0, 3}}));
    REQUIRE(left == Bytes(100'000, 0));
    REQUIRE(right == Bytes(100'000, 3));
    const auto merged =
        output_of(rig.answer_to(MergeCall{round, 1, payload(left), payload(right)}));
    REQUIRE(merged.size() == 200'002);
    REQUIRE(merged[1] == 0);
    REQUIRE(merged[100'001] == 3);
  }
  CHECK(Fd{::dup(0)}.get() == free_fd + 1);

  Bytes finished(1 + input.size(), 'x');
  std::copy(input.begin(), input.end(), finished.begin() + 1);
  CHECK(output_of(rig.answer_to(FinishCall{1, 1, payload(view("x"))})) == finished);
}

TEST_CASE("payloads around the inline bound arrive whole") {
  Rig rig;
  rig.ask(open_job(1, "range", 1));
  for (const auto size : {std::size_t{0}, std::size_t{1}, inline_bytes_max - 1, inline_bytes_max,
                          inline_bytes_max + 1}) {
    CAPTURE(size);
    const Bytes bytes(size, 'p');
    CHECK(bool(payload(bytes).fd) == (size > inline_bytes_max));
    CHECK(output_of(rig.answer_to(FinishCall{1, 1, payload(bytes)})) == bytes);
  }
}

TEST_CASE("a prepare needs no open job") {
  Rig rig;
  const auto prepare = [](const std::string& kernel) {
    PrepareCall call;
    call.call = 5;
    call.kernel = kernel;
    call.params = encode_params({});
    call.input = payload(Bytes(50'000, 'i'));
    return call;
  };
  CHECK(output_of(rig.answer_to(prepare("range"))) == Bytes(50'000, 'i'));
  CHECK(rig.answer_to(prepare("rnage")).error.code == "E710");
}

TEST_CASE("one request goes to many workers") {
  Rig rig;
  auto open = open_job(1, "range", 1);
  open.input = payload(Bytes(50'000, 'i'));
  const WorkerRequest request{std::move(open)};
  for (int i = 0; i < 3; ++i) {
    rig.worker = rig.one_more();
    rig.ask(request);
    CHECK(output_of(rig.answer_to(FinishCall{1, 1, payload({})})) == Bytes(50'000, 'i'));
  }
}

TEST_CASE("a call that cannot be run fails with its code, and the worker goes on") {
  Rig rig;
  rig.ask(open_job(1, "range", 10));
  rig.ask(open_job(2, "no such kernel", 10));
  auto strange = open_job(3, "range", 10);
  strange.params = to_bytes(view("{\"colour\":1}"));
  rig.ask(std::move(strange));
  rig.ask(open_job(4, "range", 0));
  rig.ask(open_job(5, "range", 10, 0));
  CHECK(rig.answer_to(RunCall{1, 99, {0, 0}}).error.code == "E705");
  CHECK(rig.answer_to(RunCall{2, 2, {0, 0}}).error.code == "E710");
  CHECK(rig.answer_to(RunCall{3, 3, {0, 0}}).error.code == "E420");
  CHECK(rig.answer_to(RunCall{4, 4, {0, 0}}).error.code == "E706");
  CHECK(rig.answer_to(RunCall{5, 5, {0, 0}}).error.code == "E706");
  for (const Block bad : {Block{0, 10}, Block{4, 1}, Block{5, 0}, Block{63, 1}, Block{2, 2}})
    CHECK(rig.answer_to(RunCall{6, 1, bad}).error.code == "E706");
  CHECK(rig.answer_to(RunCall{7, 1, {4, 0}}).error.code == "");
  rig.ask(CloseJob{1});
  CHECK(rig.answer_to(RunCall{8, 1, {4, 0}}).error.code == "E705");
}

TEST_CASE("a worker holds so many jobs and no more, and room comes back by closing") {
  Rig rig;
  for (std::uint64_t job = 0; job <= open_jobs_max; ++job)
    rig.ask(open_job(job, "range", 10));
  CHECK(rig.answer_to(RunCall{1, open_jobs_max - 1, {0, 0}}).error.code == "");
  CHECK(rig.answer_to(RunCall{2, open_jobs_max, {0, 0}}).error.code == "E705");
  rig.ask(CloseJob{0});
  rig.ask(open_job(open_jobs_max, "range", 10));
  CHECK(rig.answer_to(RunCall{3, open_jobs_max, {0, 0}}).error.code == "");
}

TEST_CASE("a request past its bounds is refused before it is sent") {
  Rig rig;
  CHECK(send(rig.worker.socket, open_job(1, std::string(257, 'k'), 1)).error().code == "E708");
  const auto wide = [](std::size_t params_bytes) {
    auto open = open_job(1, "range", 1);
    open.params.resize(params_bytes);
    open.input = payload(Bytes(inline_bytes_max, 'i'));
    return open;
  };
  CHECK(send(rig.worker.socket, wide(call_params_bytes_max + 1)).error().code == "E708");
  CHECK(send(rig.worker.socket, wide(call_params_bytes_max)).ok());
  CHECK(rig.answer_to(RunCall{1, 1, {0, 0}}).error.code == "E420"); // It came whole: zeros.
}

TEST_CASE("what a kernel throws is a failed call that can be printed") {
  Rig rig;
  rig.ask(open_job(1, "throwing", 2));
  rig.ask(open_job(2, "greedy", 2));
  auto reply = rig.answer_to(RunCall{1, 1, {0, 0}});
  CHECK(reply.error.code == "E713");
  CHECK(reply.error.why == "a bell   and a line");
  CHECK(rig.answer_to(RunCall{2, 1, {0, 1}}).error.code == "E713");
  CHECK(rig.answer_to(RunCall{3, 2, {0, 1}}).error.code == "E712");
}

TEST_CASE("a task past the memory limit fails with E712, and the worker lives") {
  if (sanitized) {
    MESSAGE("skipped: sanitizers need the address space that this limit takes");
    return;
  }
  Rig rig;
  rig.worker = rig.one_more({.memory_bytes = 192 << 20});
  rig.ask(open_job(1, "hungry", 2));
  for (std::uint64_t call = 0; call < 3; ++call) {
    CHECK(rig.answer_to(RunCall{call, 1, {0, 0}}).error.code == "E712");
    CHECK(text_of(output_of(rig.answer_to(RunCall{call, 1, {0, 1}}))) == "1-2 ");
  }
  // An input that does not fit fails the job's calls.
  auto large = open_job(2, "range", 1);
  large.input = payload(Bytes(192 << 20));
  rig.ask(std::move(large));
  CHECK(rig.answer_to(RunCall{9, 2, {0, 0}}).error.code == "E712");
}

TEST_CASE("a worker that dies is E701, and another can be had") {
  Rig rig;
  SUBCASE("killed while it computes") {
    rig.ask(open_job(1, "endless", 1));
    rig.ask(RunCall{1, 1, {0, 0}});
    CHECK(receive(rig.worker.socket).value() == std::nullopt);
    rig.zygote.kill(rig.worker.pid);
  }
  SUBCASE("killed while it waits") {
    rig.zygote.kill(rig.worker.pid);
  }
  SUBCASE("crashed") {
    rig.ask(open_job(1, "crashing", 1));
    rig.ask(RunCall{1, 1, {0, 0}});
  }
  CHECK(answer(rig.worker.socket).error.code == "E701");
  CHECK(send(rig.worker.socket, CloseJob{1}).error().code == "E701");
  rig.worker = rig.one_more();
  rig.ask(open_job(1, "range", 1));
  CHECK(text_of(output_of(rig.answer_to(RunCall{1, 1, {0, 0}}))) == "0-1 ");
}

TEST_CASE("dead workers are reaped, and only the zygote's own children are killed") {
  Rig rig;
  const auto pid = rig.worker.pid;
  const auto gone = watch(pid);
  rig.zygote.kill(::getpid());
  rig.zygote.kill(1);
  rig.zygote.kill(0);
  rig.zygote.kill(-1);
  rig.zygote.kill(pid);
  REQUIRE(readable(gone.get()));
  // Each spawn makes the zygote look at its dead first.
  for (int turns = 0; turns < 100 && ::kill(pid, 0) == 0; ++turns)
    rig.worker = rig.one_more();
  CHECK(::kill(pid, 0) == -1);
  CHECK(errno == ESRCH);
}

TEST_CASE("a Ctrl-C or a SIGTERM to all is the node's affair") {
  Rig rig;
  for (const int s : {SIGINT, SIGTERM, SIGHUP}) {
    ::kill(rig.worker.pid, s);
    ::kill(rig.zygote.pid(), s);
  }
  rig.ask(open_job(1, "range", 1));
  CHECK(text_of(output_of(rig.answer_to(RunCall{1, 1, {0, 0}}))) == "0-1 ");
  rig.worker = rig.one_more();
}

TEST_CASE("when the node is killed, its zygote and workers are gone") {
  int report[2];
  REQUIRE(::pipe2(report, O_CLOEXEC) == 0);
  const auto node = ::fork();
  if (node == 0) {
    Rig rig;
    const auto idle = rig.one_more();
    rig.ask(open_job(1, "endless", 1));
    rig.ask(RunCall{1, 1, {0, 0}});
    const pid_t pids[] = {rig.zygote.pid(), rig.worker.pid, idle.pid};
    (void)!::write(report[1], pids, sizeof pids);
    for (;;)
      ::pause();
  }
  pid_t pids[3]{};
  REQUIRE(readable(report[0]));
  REQUIRE(::read(report[0], pids, sizeof pids) == sizeof pids);
  std::vector<Fd> gone;
  for (const auto pid : pids) {
    gone.push_back(watch(pid));
    REQUIRE(gone.back());
  }
  ::kill(node, SIGKILL);
  ::waitpid(node, nullptr, 0);
  for (const auto& fd : gone)
    CHECK(readable(fd.get()));
  ::close(report[0]);
  ::close(report[1]);
}

TEST_CASE("when the zygote is gone so are its workers, and a spawn says so") {
  Rig rig;
  SUBCASE("killed") {
    ::kill(rig.zygote.pid(), SIGKILL);
    CHECK(answer(rig.worker.socket).error.code == "E701");
    CHECK(rig.zygote.spawn({}).error().code == "E704");
  }
  SUBCASE("its object ends") {
    { const Zygote last = std::move(rig.zygote); }
    CHECK(answer(rig.worker.socket).error.code == "E701");
  }
}

TEST_CASE("a worker says how long a call took, on its own clock and on the wall's") {
  Rig rig;
  auto sleep = open_job(1, "sleep", 1);
  const auto* kernel = find_kernel("sleep");
  REQUIRE(kernel);
  sleep.params = encode_params(*check_params(kernel->info(), {}));
  rig.ask(std::move(sleep));
  auto reply = rig.answer_to(RunCall{1, 1, {0, 0}});
  REQUIRE(reply.error.code == "");
  const auto& done = reply.done;
  CHECK(done.cpu_ns > 0);
  CHECK(done.cpu_ns < done.wall_ns);
}
