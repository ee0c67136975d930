#pragma once

#include "node/slot_actor.hpp"
#include "node/worker/codec.hpp"
#include "tests/node/worker_rig.hpp"
#include "tests/support/actor_rig.hpp"

#include <asio/executor_work_guard.hpp>

#include <atomic>
#include <climits>
#include <fstream>
#include <iterator>
#include <linux/futex.h>
#include <sys/mman.h>

// A slot on CAF's testing scheduler, before a real worker whose kernels misbehave on order. What
// its Asio thread would do is done by the test, which so waits for the worker and for nothing else.
namespace tessera::rig {

// Shut, it holds up the worker's "gated" leaves. Lies in memory that zygote and workers share.
class Gate {
public:
  void shut() { *open_ = 0; }
  void open() {
    *open_ = 1;
    ::syscall(SYS_futex, open_, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }
  void pass() const {
    while (!*open_)
      ::syscall(SYS_futex, open_, FUTEX_WAIT, 0, nullptr, nullptr, 0);
  }

private:
  using Word = std::atomic<std::uint32_t>;
  static_assert(sizeof(Word) == 4);
  Word* const open_ =
      new (::mmap(nullptr, sizeof(Word), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
          Word{1};
};
inline Gate gate;

// To its node, by a worker's kernel, past the worker's own code: nobody there knows the socket's
// number, but nothing else takes packets.
inline void send_node(const OutPacket& packet) {
  for (int fd = 3; fd < 64; ++fd)
    send_packet(fd, packet);
}

inline Status write_range(std::uint64_t begin, std::uint64_t end, Bytes& out) {
  const auto text = std::to_string(begin) + "-" + std::to_string(end) + " ";
  out.insert(out.end(), text.begin(), text.end());
  return Nothing{};
}
inline Status write_much(std::uint64_t begin, std::uint64_t, Bytes& out) {
  out.assign(partial_inline_bytes_max + 1, std::uint8_t('a' + begin));
  return Nothing{};
}
inline Status write_past_gate(std::uint64_t begin, std::uint64_t end, Bytes& out) {
  gate.pass();
  return write_range(begin, end, out);
}
inline Status fail_leaf(std::uint64_t, std::uint64_t, Bytes&) {
  return Error{"E799", "this leaf fails", "so it was told", "ask for another"};
}
inline Status find_no_memory(std::uint64_t, std::uint64_t, Bytes&) {
  return Error{"E712", "there is no memory", "so it was told", "give it some"};
}
inline Status crash(std::uint64_t, std::uint64_t, Bytes&) {
  ::getppid(); // Not on the list.
  return Nothing{};
}
inline Status spin_for_ever(std::uint64_t, std::uint64_t, Bytes& out) {
  for (volatile bool go_on = true; go_on;)
    ;
  out.clear();
  return Nothing{};
}
inline Status talk_nonsense(std::uint64_t begin, std::uint64_t end, Bytes& out) {
  OutPacket packet;
  packet.bytes = to_bytes(view("nonsense"));
  send_node(packet);
  return write_range(begin, end, out);
}
inline Status answer_unasked(std::uint64_t begin, std::uint64_t end, Bytes& out) {
  OutPacket packet;
  encode(WorkerReply{CallFailed{4711, {"E799", "a call nobody made", "a lie", "none"}}}, packet);
  send_node(packet);
  return write_range(begin, end, out);
}

// Its prepare does as the input says.
class Preparing : public TestKernel {
public:
  Preparing() : TestKernel("preparing", write_range) {}
  Status prepare(const Params&, ByteView input, Bytes& out) const override {
    if (text_of(input) == "unreadable")
      return Error{"E422", "the input is unreadable", "so it says", "send another"};
    if (text_of(input) == "deadly")
      return crash(0, 0, out);
    out = to_bytes(input);
    out.push_back('!');
    return Nothing{};
  }
  bool is_prepared(const Params&, ByteView input) const override {
    return text_of(input).starts_with("ready");
  }
};

inline const Kernel* find_slot_kernel(const std::string& name) {
  static const Preparing preparing;
  static const std::vector<TestKernel> all{
      {"range", write_range},      {"much", write_much},      {"gated", write_past_gate},
      {"failing", fail_leaf},      {"crashing", crash},       {"endless", spin_for_ever},
      {"nonsense", talk_nonsense}, {"lying", answer_unasked}, {"greedy", find_no_memory}};
  for (const auto& kernel : all)
    if (kernel.info().name == name)
      return &kernel;
  return name == "preparing" ? &preparing : nullptr;
}

inline Zygote new_zygote() {
  auto zygote = Zygote::start(find_slot_kernel);
  REQUIRE(zygote);
  return std::move(*zygote);
}

// What the store has, what it was given to keep, and what it says.
struct Shelf {
  std::map<BlobId, Bytes> files;
  std::vector<std::vector<BlobId>> asked;
  std::vector<std::pair<BlobId, Bytes>> kept;
  Kept answer{true, {}};
};

inline caf::behavior fake_store(caf::event_based_actor*, Shelf* shelf) {
  return {[](const UsedFor&) {},
          [=](const FilesAsk& ask) -> FilesAnswer {
            shelf->asked.push_back(ask.blobs);
            FilesAnswer answer;
            for (const auto& blob : ask.blobs) {
              const auto file = shelf->files.find(blob);
              if (file == shelf->files.end())
                return {{}, {"E112", "a blob is not here", "so the test has it", "put it there"}};
              answer.files.push_back(std::make_shared<Fd>(std::move(*memfd_of(file->second))));
            }
            return answer;
          },
          [=](const KeepBlob& blob) -> Kept {
            CHECK_FALSE(blob.check); // The worker hashed it.
            const auto contents = Contents::of(std::move(*blob.bytes));
            shelf->kept.emplace_back(blob.id, to_bytes(contents->bytes()));
            return shelf->answer;
          }};
}

struct SlotConfig : TestingConfig {
  SlotConfig() { add_message_types<caf::id_block::tessera_node>(); }
};

inline constexpr std::uint32_t slot_number = 3;

class SlotRig {
public:
  explicit SlotRig(Zygote with = new_zygote()) : zygote(std::move(with)) {
    gate.open();
    wiring_.scheduler = scheduler.actor();
    wiring_.store = stage.spawn(fake_store, &shelf);
    SlotSetup setup;
    setup.number = slot_number;
    setup.zygote = &zygote;
    setup.io = &io_;
    setup.limits.modules = true; // Where the zygote has any.
    slot = stage.spawn(slot_actor, setup, std::make_shared<const Wiring>(wiring_));
    slot->attach_functor([this] { ended = true; });
    stage.run();
  }
  SlotRig(const SlotRig&) = delete;
  ~SlotRig() { gate.open(); }

  // --- Jobs
  SpecPtr job_of(const std::string& kernel, std::optional<Bytes> input = {}) {
    SignedSpec job;
    job.id = digest_of("a slot test's job", {view(std::to_string(++jobs_))});
    job.spec.kernel = kernel;
    job.spec.params = encode_params({});
    job.spec.items = 8;
    if (input) {
      job.spec.inputs = {{blob_id(*input), input->size()}};
      shelf.files[blob_id(*input)] = *input;
    }
    return std::make_shared<const SignedSpec>(std::move(job));
  }
  WorkId start(const SpecPtr& spec, Work work = RunWork{{0, 0}}, bool scheduled = true) {
    const auto id = ++works_;
    stage.tell(slot, StartFor{job.actor(), spec, id, std::move(work), scheduled});
    return id;
  }
  // The job's answer to this; it, and the word that the slot is free, are all that comes.
  WorkDone done(WorkId id) {
    until([&] { return job.size() > 0; });
    auto news = job.take<WorkDone>();
    REQUIRE(news.size() == 1);
    CHECK(news[0].id == id);
    CHECK(job.size() == 0);
    CHECK(frees() == 1);
    return news[0];
  }
  std::string text_done(WorkId id) {
    const auto news = done(id);
    CHECK(news.partial.digest == blob_id(news.partial.bytes));
    CHECK(news.partial.size == news.partial.bytes.size());
    return std::string{text_of(news.partial.bytes)};
  }
  std::vector<WorkFailed> failures(std::size_t count) {
    until([&] { return job.size() >= count; });
    auto news = job.take<WorkFailed>();
    REQUIRE(news.size() == count);
    CHECK(job.size() == 0);
    return news;
  }
  std::string failed(WorkId id) {
    const auto news = failures(1);
    CHECK(news[0].id == id);
    CHECK(frees() == 1);
    return news[0].why.code;
  }
  std::size_t frees() {
    const auto free = scheduler.take<SlotFree>();
    for (const auto& f : free)
      CHECK(f.slot == slot_number);
    return free.size();
  }

  // A large partial, which lies in the store.
  Partial stored(char fill) {
    const Bytes bytes(partial_inline_bytes_max + 1, std::uint8_t(fill));
    shelf.files[blob_id(bytes)] = bytes;
    return {blob_id(bytes), bytes.size(), {}};
  }
  static Partial inlined(std::string_view text) {
    return {blob_id(view(text)), text.size(), to_bytes(view(text))};
  }

  // --- The world around
  void until(const std::function<bool()>& claim) {
    while (!claim()) {
      io_.restart();
      REQUIRE(io_.run_one_for(std::chrono::milliseconds(patience_ms)) > 0);
      stage.run();
    }
  }
  void new_store(const caf::actor& store) {
    wiring_.store = store;
    rewire();
  }
  void pause(bool on = true) {
    wiring_.pause = on ? std::optional<Pause>{{0, {}}} : std::nullopt;
    rewire();
  }
  void rewire() { stage.tell(slot, std::make_shared<const Wiring>(wiring_)); }
  caf::actor store() const { return wiring_.store; }

  // The slot's worker: the zygote's latest child.
  pid_t worker() const {
    const auto id = std::to_string(zygote.pid());
    std::ifstream in{"/proc/" + id + "/task/" + id + "/children"};
    const std::vector<pid_t> all{std::istream_iterator<pid_t>{in}, {}};
    REQUIRE_FALSE(all.empty());
    return all.back();
  }

private:
  asio::io_context io_; // The slot's watch leaves its last words here.
  asio::executor_work_guard<asio::io_context::executor_type> busy_{io_.get_executor()};

public:
  Zygote zygote; // Forked before the system has threads.
  Shelf shelf;
  bool ended = false;
  Stage<SlotConfig> stage;
  Ear &scheduler = stage.ear(), &job = stage.ear();
  caf::actor slot;

private:
  Wiring wiring_;
  std::uint64_t jobs_ = 0;
  WorkId works_ = 0;
};

} // namespace tessera::rig
