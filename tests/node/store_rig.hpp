#pragma once

#include "node/store_actor.hpp"
#include "tests/support/actor_rig.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

// A store on CAF's testing scheduler, over a real journal and real blobs in a folder of its own.
namespace tessera::rig {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

struct StoreConfig : TestingConfig {
  StoreConfig() { add_message_types<caf::id_block::tessera_node>(); }
};

inline Bytes pattern(std::size_t size, std::uint8_t first = 1) {
  Bytes bytes(size);
  for (std::size_t i = 0; i != size; ++i)
    bytes[i] = std::uint8_t(first + i * 7 + i / 251);
  return bytes;
}
inline Partial large_partial(std::uint8_t fill) {
  return {blob_id(Bytes(partial_inline_bytes_max + 1, fill)), partial_inline_bytes_max + 1, {}};
}
inline Bytes bytes_of(const Partial& large, std::uint8_t fill) {
  return Bytes(large.size, fill);
}

struct StoreFolder {
  fs::path path;
  StoreFolder() {
    auto name = (fs::temp_directory_path() / "tessera-store-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  StoreFolder(const StoreFolder&) = delete;
  ~StoreFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

class StoreRig {
public:
  explicit StoreRig(std::uint64_t quota_bytes = 64 << 20) : quota_(quota_bytes) { open(); }
  StoreRig(const StoreRig&) = delete;

  void close() { stage.end(store); }
  // Another store over the same folder.
  void restart() {
    close();
    open();
  }
  bool ended() const { return *ended_; }

  // --- Questions
  template<class Answer, class Ask>
  Answer ask(Ask what) {
    stage.tell_as(asker.actor(), store, std::move(what));
    auto answers = asker.take<Answer>();
    REQUIRE(answers.size() == 1);
    return std::move(answers[0]);
  }
  Kept keep(ByteView bytes) { return ask<Kept>(KeepBlob{blob_id(bytes), payload(bytes), false}); }
  static PayloadPtr payload(ByteView bytes) {
    return std::make_shared<Payload>(std::move(*Payload::of(bytes)));
  }
  bool has(const BlobId& id) { return ask<FilesAnswer>(FilesAsk{{id}}).why.code == ""; }
  Bytes content(const BlobId& id) {
    const auto answer = ask<FilesAnswer>(FilesAsk{{id}});
    REQUIRE(answer.files.size() == 1);
    return content(answer.files[0]);
  }
  static Bytes content(const FdPtr& file) { return to_bytes(Mapping::of(*file)->bytes()); }
  // Whatever may go, goes.
  void press() {
    for (std::uint64_t i = 0; i < 4; ++i)
      keep(pattern(quota_ / 4, std::uint8_t(100 + i)));
  }

  // --- Jobs
  SpecPtr job_of(std::optional<BlobId> input = {}) {
    JobSpec spec;
    spec.submitter = us.id();
    spec.nonce[0] = std::uint8_t(++jobs_);
    spec.kernel = "shape";
    spec.items = 8;
    if (input)
      spec.inputs = {{*input, 5}};
    return codec->seal_spec(spec);
  }
  SpecPtr accepted_rounds() {
    auto spec = job_of()->spec;
    spec.shape = Shape::rounds;
    spec.rounds = 9;
    const auto sealed = codec->seal_spec(spec);
    CHECK(ask<Kept>(AcceptJob{sealed}).ok);
    return sealed;
  }
  // Of a round that begins with these bytes, the job's status as it was told then.
  BeginRound round_of(const SpecPtr& job, std::uint32_t round, ByteView state,
                      const JobId& before = {}) {
    BeginRound begin;
    begin.state = {blob_id(state), state.size(), to_bytes(state)};
    begin.round = codec->seal_spec(round_spec(*job, round, begin.state.digest, begin.state.size));
    begin.told.spec = job;
    begin.told.root = us.id();
    begin.told.state = JobState::running;
    begin.told.round = round;
    begin.told.result = begin.state.digest;
    begin.told.result_size = begin.state.size;
    begin.before = before;
    return begin;
  }
  bool begun(const BeginRound& begin) {
    stage.tell_as(asker.actor(), store, begin);
    const auto answers = asker.take<RoundBegun>();
    return answers.size() == 1 && answers[0].round == begin.round->id;
  }
  SpecPtr accepted(std::optional<BlobId> input = {}) {
    const auto spec = job_of(input);
    CHECK(ask<Kept>(AcceptJob{spec}).ok);
    return spec;
  }
  void journal(const SpecPtr& spec, std::uint64_t sequence, std::vector<BlockResult> done,
               Holders holders = {}) {
    stage.tell_as(asker.actor(), store,
                  JournalFor{spec->id, {sequence, std::move(done), std::move(holders)}});
  }
  void journaled(const SpecPtr& spec, std::uint64_t sequence, std::vector<BlockResult> done,
                 Holders holders = {}) {
    journal(spec, sequence, std::move(done), std::move(holders));
    const auto answers = asker.take<Journaled>();
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].sequence == sequence);
  }
  static JournalEnd end_of(const SpecPtr& spec, JobState state, ByteView result = {}) {
    JournalEnd end;
    end.status.spec = spec;
    end.status.root = us.id();
    end.status.state = state;
    end.status.leaves_done = 8;
    if (state == JobState::done) {
      end.status.result = blob_id(result);
      end.status.result_size = result.size();
      end.result = {blob_id(result), result.size(), {}};
      if (result.size() <= partial_inline_bytes_max)
        end.result.bytes = to_bytes(result);
    }
    return end;
  }
  std::vector<Roots::Root> roots() { return ask<Roots>(RootsAsk{}).roots; }

  // --- Peers
  template<class M>
  void hear(const NodeId& from, M message) {
    stage.tell(store, FromPeer{from, letter(std::move(message))});
  }
  template<class M>
  std::vector<M> sent(const NodeId& to) {
    std::vector<M> out;
    for (const auto& l : mesh.take<ToPeer>()) {
      CHECK(l.to == to);
      REQUIRE(std::holds_alternative<M>(*l.message));
      out.push_back(std::get<M>(*l.message));
    }
    return out;
  }

  void rewire(const caf::actor& new_mesh) {
    Wiring wiring;
    wiring.mesh = new_mesh;
    wiring.api = api.actor();
    stage.tell(store, std::make_shared<const Wiring>(wiring));
  }

  fs::path journal_file() const { return folder_.path / "journal.db"; }
  fs::path blobs_folder() const { return folder_.path / "blobs"; }

  static inline const Identity us = Identity::from_seed(Secret<32>{{1}});
  const std::shared_ptr<const Codec> codec =
      std::make_shared<const Codec>(us, digest_of(view("the store's mesh")));

private:
  void open() {
    Wiring wiring;
    wiring.mesh = mesh.actor();
    wiring.api = api.actor();
    StoreSetup setup{us.id(), journal_file(), blobs_folder(), quota_, codec};
    store = stage.spawn(store_actor, setup, std::make_shared<const Wiring>(wiring));
    *ended_ = false;
    store->attach_functor([ended = ended_] { *ended = true; });
    stage.run();
  }

  StoreFolder folder_; // Outlives the store.
  const std::uint64_t quota_;
  int jobs_ = 0;
  const std::shared_ptr<bool> ended_ = std::make_shared<bool>();

public:
  Stage<StoreConfig> stage;
  Ear &mesh = stage.ear(), &asker = stage.ear(), &api = stage.ear();
  caf::actor store;
};

// While it lives, what is written to this process's open files of that name meets a full disk.
class FullDisk {
public:
  explicit FullDisk(const std::string& name_end) {
    const Fd full{::open("/dev/full", O_RDWR | O_CLOEXEC)};
    REQUIRE(full);
    std::vector<int> all;
    for (const auto& open : fs::directory_iterator("/proc/self/fd")) {
      std::error_code gone; // The iterator's own.
      if (fs::read_symlink(open.path(), gone).string().ends_with(name_end))
        all.push_back(std::stoi(open.path().filename()));
    }
    REQUIRE_FALSE(all.empty());
    for (const int fd : all) {
      kept_.emplace_back(fd, Fd{::dup(fd)});
      ::dup2(full.get(), fd);
    }
  }
  FullDisk(const FullDisk&) = delete;
  ~FullDisk() {
    for (const auto& [fd, file] : kept_)
      ::dup2(file.get(), fd);
  }

private:
  std::vector<std::pair<int, Fd>> kept_;
};

} // namespace tessera::rig
