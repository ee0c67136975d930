#pragma once

#include "node/api_actor.hpp"

#include <doctest/doctest.h>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <sys/mman.h>
#include <unistd.h>

// The api's actor between stubs that keep what they are told and answer as the test scripts them,
// on a clock that only the test turns.
namespace tessera::rig {

using namespace std::chrono_literals;

// What the api told the other actors.
struct Told {
  std::vector<OpenRoot> opened;
  int leaves = 0;
  std::vector<PauseFor> pauses;
  PauseSet pause_set; // What the node says to that.
  std::vector<ToPeer> letters;
  std::vector<FromPeer> cancels; // To the scheduler.
  std::vector<SpecPtr> accepted;
  std::vector<Submission> submissions; // Of those with a key.
  std::vector<std::pair<BlobId, Bytes>> kept;
  std::vector<PullFor> pulls;
  std::vector<StartFor> started;
  std::vector<JobId> dropped;
  std::vector<PrepareFor> prepared;
  std::vector<ViewAsk> views;
  std::vector<JobId> forgotten;
  std::vector<bool> followed; // Whether work is to be told of.
  int frontiers = 0;
};

// What store and slot say.
struct Script {
  Kept accept{true, {}};
  Kept keep{true, {}};
  std::map<BlobId, Bytes> files;
  bool pulls_arrive = true;
  std::set<BlobId> gone; // These do not.
  Prepared input;
  std::function<std::uint64_t(std::uint64_t leaf)> leaf_ns; // None: no answer.
  Error leaf_fails;
  JobView view; // Without a spec: the job has no actor any more.
  LogAnswer log;
  Kept forget{true, {}};
  std::vector<BlockResult> frontier; // Of every job.
  BlobCount blobs{3, 3000, 9000};
};

inline FdPtr file_of(const Bytes& bytes) {
  auto fd = std::make_shared<Fd>(::memfd_create("blob", MFD_CLOEXEC));
  REQUIRE(::write(fd->get(), bytes.data(), bytes.size()) == ssize_t(bytes.size()));
  return fd;
}

inline caf::behavior node_stub(caf::event_based_actor*, Told* told, const Script* script) {
  return {[=](const FollowWork& follow) { told->followed.push_back(follow.followed); },
          [=](const FrontierAsk&) {
            ++told->frontiers;
            return Frontier{script->frontier};
          },
          [=](ChildrenAsk) { return Children{}; },
          [=](const OpenRoot& open) { told->opened.push_back(open); },
          [=](const ViewAsk& ask) -> JobView {
            told->views.push_back(ask);
            return script->view;
          },
          [=](const PauseFor& pause) -> PauseSet {
            told->pauses.push_back(pause);
            return told->pause_set;
          },
          [=](leave_atom) { ++told->leaves; }};
}
inline caf::behavior mesh_stub(caf::event_based_actor*, Told* told) {
  return {[=](const ToPeer& letter) { told->letters.push_back(letter); }};
}
inline caf::behavior scheduler_stub(caf::event_based_actor*, Told* told) {
  return {[=](const FromPeer& letter) { told->cancels.push_back(letter); }};
}
inline caf::behavior store_stub(caf::event_based_actor* self, Told* told, const Script* script) {
  return {
      [=](const AcceptJob& job) -> Kept {
        told->accepted.push_back(job.spec);
        if (job.submission)
          told->submissions.push_back(*job.submission);
        return script->accept;
      },
      [=](const KeepBlob& blob) -> Kept {
        const auto contents = Contents::of(std::move(*blob.bytes));
        CHECK(blob.check);
        told->kept.emplace_back(blob.id, to_bytes(contents->bytes()));
        return script->keep;
      },
      [](UsageAsk) { return UsageTold{}; },
      [=](const FilesAsk& ask) -> FilesAnswer {
        FilesAnswer answer;
        for (const auto& blob : ask.blobs) {
          const auto file = script->files.find(blob);
          if (file == script->files.end())
            return {{}, {"E112", "blob is not here", "why", "fix"}};
          answer.files.push_back(file_of(file->second));
        }
        return answer;
      },
      [=](const LogAsk&) -> LogAnswer { return script->log; },
      [=](const ForgetJob& what) -> Kept {
        told->forgotten.push_back(what.job);
        return script->forget;
      },
      [=](BlobCountAsk) { return script->blobs; },
      [=](const PullFor& pull) {
        told->pulls.push_back(pull);
        const auto to = caf::actor_cast<caf::actor>(self->current_sender());
        if (script->pulls_arrive && !script->gone.contains(pull.blob))
          self->send(to, BlobHere{pull.blob});
        else
          self->send(to, BlobGone{pull.blob});
      },
  };
}
inline caf::behavior slot_stub(caf::event_based_actor* self, Told* told, const Script* script) {
  return {
      [=](const PrepareFor& what) -> Prepared {
        told->prepared.push_back(what);
        return script->input;
      },
      [=](const StartFor& start) {
        told->started.push_back(start);
        if (!script->leaf_fails.code.empty())
          self->send(start.job, WorkFailed{start.id, script->leaf_fails});
        else if (script->leaf_ns)
          self->send(start.job,
                     WorkDone{start.id, {}, {}, script->leaf_ns(start.spec->spec.leaf_items)});
      },
      [=](const DropJob& drop) { told->dropped.push_back(drop.job); },
  };
}

inline std::string id_of(const JobStatus& status) {
  return to_hex(status.spec->id);
}
inline std::string path_of(const JobStatus& status) {
  return "/v1/jobs/" + id_of(status);
}

inline JobStatus in(JobStatus status, JobState state, std::uint64_t done = 0) {
  status.state = state;
  status.leaves_done = done;
  return status;
}

struct Answer {
  bool there = false;
  HttpReply reply;

  int status() const {
    CHECK(there);
    return reply.status;
  }
  std::string text() const { return reply.body ? std::string{text_of(*reply.body)} : ""; }
  Json json() const { return Json::parse(text(), nullptr, false); }
  std::string code() const { // Of a problem.
    const auto body = json();
    return body.is_object() ? body.value("code", "") : "";
  }
};
using AnswerPtr = std::shared_ptr<Answer>;

class Api {
public:
  explicit Api(const MeshMembership& mesh = found_mesh(), bool resumed = true,
               std::vector<std::string> kernels = {}) {
    auto wiring = std::make_shared<Wiring>();
    wiring->node = system_.spawn(node_stub, &told, &script);
    wiring->mesh = system_.spawn(mesh_stub, &told);
    wiring->scheduler = system_.spawn(scheduler_stub, &told);
    wiring->store = system_.spawn(store_stub, &told, &script);
    wiring->slots = {system_.spawn(slot_stub, &told, &script)};
    stubs_ = {wiring->node, wiring->mesh, wiring->scheduler, wiring->store, wiring->slots[0]};
    ApiSetup setup;
    setup.codec = codec;
    setup.own.subject = self.id();
    setup.own.name = "desk";
    setup.own.version = "tessera 0";
    setup.own.slots = 2;
    setup.own.kernels = std::move(kernels);
    setup.mesh = mesh;
    setup.listen = "10.0.0.5:7700";
    setup.seed = 7;
    setup.painter_apart = false;
    setup.unix_ms_at_zero = 1'700'000'000'000;
    setup.started = clock().now();
    wiring->api = api_ = system_.spawn(api_actor, setup, wiring);
    wiring_ = wiring;
    if (resumed)
      tell(Roots{});
  }
  ~Api() {
    for (const auto& actor : stubs_)
      caf::anon_send_exit(actor, caf::exit_reason::kill);
    caf::anon_send_exit(api_, caf::exit_reason::kill);
    run();
  }

  AnswerPtr call(const std::string& method, const std::string& path, const std::string& body = "",
                 std::map<std::string, std::string> query = {},
                 std::map<std::string, std::string> more_headers = {}) {
    auto answer = std::make_shared<Answer>();
    auto request = std::make_shared<HttpRequest>();
    request->method = method;
    request->path = path;
    request->query = std::move(query);
    request->headers = std::move(more_headers);
    request->headers.insert(headers.begin(), headers.end());
    request->body = to_bytes(view(body));
    tell(HttpCall{request, [answer](HttpReply reply) {
                    CHECK(!answer->there); // Once.
                    *answer = {true, std::move(reply)};
                  }});
    return answer;
  }
  AnswerPtr get(const std::string& path, std::map<std::string, std::string> query = {}) {
    return call("GET", path, "", std::move(query));
  }
  AnswerPtr post(const std::string& path, const std::string& body = "") {
    return call("POST", path, body);
  }
  // The status and the code of a problem, which is as API.md says it is.
  void refused(const AnswerPtr& answer, int status, const std::string& code,
               const std::string& path) {
    CHECK(answer->status() == status);
    CHECK(answer->reply.content_type == "application/problem+json");
    const auto json = answer->json();
    REQUIRE(json.is_object());
    CHECK(json.at("code") == code);
    CHECK(json.at("status") == status);
    CHECK(json.at("type") == "urn:tessera:error:" + code);
    CHECK(json.at("instance") == path);
    for (const auto* line : {"title", "detail", "fix"})
      CHECK(json.at(line) != "");
  }

  std::map<std::string, std::string> headers; // Of all calls.

  template<class M>
  void tell(M message) {
    caf::anon_send(api_, std::move(message));
    run();
  }
  void run() { coordinator().run(); }
  void pass(Duration time) {
    for (; time > Duration::zero(); time -= 50ms) {
      coordinator().advance_time(50ms);
      run();
    }
  }
  void up(const NodeId& peer) { tell(PeerNews{PeerNews::Kind::up, peer, 1}); }
  void down(const NodeId& peer) { tell(PeerNews{PeerNews::Kind::down, peer, 1}); }
  template<class M>
  void hear(const NodeId& from, M message) {
    tell(FromPeer{from, std::make_shared<const Message>(std::move(message))});
  }
  void rewire(const std::function<void(Wiring&)>& change) {
    auto wiring = std::make_shared<Wiring>(*wiring_);
    change(*wiring);
    wiring_ = wiring;
    tell(WiringPtr{wiring});
  }
  caf::actor another_store() { return keep(system_.spawn(store_stub, &told, &script)); }
  caf::actor another_slot() { return keep(system_.spawn(slot_stub, &told, &script)); }

  // The last question to this peer, answered.
  const JobQuery& asked(const NodeId& peer) const {
    for (auto it = told.letters.rbegin(); it != told.letters.rend(); ++it)
      if (const auto* query = std::get_if<JobQuery>(it->message.get()); query && it->to == peer)
        return *query;
    throw std::runtime_error("nobody was asked");
  }
  std::size_t questions() const {
    return std::size_t(std::count_if(told.letters.begin(), told.letters.end(), [](const auto& l) {
      return std::holds_alternative<JobQuery>(*l.message);
    }));
  }
  void answers(const NodeId& peer, std::vector<JobStatus> jobs) {
    const auto query = asked(peer);
    hear(peer, JobAnswer{query.query, query.asker, std::move(jobs)});
  }

  // A job of `submitter`'s, rooted there.
  static JobStatus job_of(const Identity& submitter, JobState state, std::uint64_t items = 100) {
    const Codec codec{submitter, mesh_id()};
    JobSpec spec;
    spec.submitter = submitter.id();
    spec.kernel = "sumsq";
    spec.items = items;
    spec.params = to_bytes(view("{}"));
    JobStatus status;
    status.spec = codec.seal_spec(spec);
    status.root = submitter.id();
    status.state = state;
    if (state == JobState::failed)
      status.error = {"E701", "it failed", "because", "try less"};
    if (state == JobState::done)
      status.result = blob_id(view("338350"));
    return status;
  }
  JobStatus rooted(JobState state, std::uint64_t items = 100) {
    const auto status = job_of(self, state, items);
    tell(JobNews{status, true});
    return status;
  }
  static MeshId mesh_id() { return digest_of(view("the api's mesh")); }

  const Identity self = Identity::from_seed(Secret<32>{{1}});
  const Identity other = Identity::from_seed(Secret<32>{{2}});
  const std::shared_ptr<const Codec> codec = std::make_shared<const Codec>(self, mesh_id());
  Told told;
  Script script;

private:
  struct Config : caf::actor_system_config {
    Config() {
      add_message_types<caf::id_block::tessera>();
      add_message_types<caf::id_block::tessera_node>();
      set("scheduler.policy", caf::atom("testing"));
    }
  };

  caf::actor keep(caf::actor actor) {
    stubs_.push_back(actor);
    return actor;
  }
  caf::scheduler::test_coordinator& coordinator() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  }
  caf::actor_clock& clock() { return system_.scheduler().clock(); }

  Config config_;
  caf::actor_system system_{config_};
  std::vector<caf::actor> stubs_;
  caf::actor api_;
  WiringPtr wiring_;
};

} // namespace tessera::rig
