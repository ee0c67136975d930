#include "tests/support/node_process.hpp"
#include "tests/support/serial.hpp"

using namespace tessera;
using rig::End;
using Json = nlohmann::json;

namespace {

const auto killed = caf::exit_reason::kill, shut_down = caf::exit_reason::user_shutdown;

StartOptions node(const std::string& name, const std::string& invite = "") {
  StartOptions options;
  options.name = name;
  options.slots = 1;
  options.invite = invite;
  return options;
}

// A picture: its partials are blobs, and any error of order or cut shows.
const std::map<std::string, std::string> view{{"size", "1024"}, {"iterations", "40000"}};

const Bytes& undisturbed() {
  static const auto bytes = serial_job(*find_kernel("mandelbrot"), view);
  REQUIRE(bytes.ok());
  return *bytes;
}

std::string submit(rig::NodeProcess& node) {
  const Json job{{"kernel", "mandelbrot"}, {"params", view}};
  return node.api().post("/v1/jobs", job).at("job");
}

Json state_of(rig::NodeProcess& node, const std::string& job) {
  return node.api().get("/v1/jobs/" + job);
}

std::string actor_of(const std::string& job) {
  return "job " + job.substr(0, 12);
}

// Once the job is done.
Bytes result_of(rig::NodeProcess& node, const std::string& job) {
  for (std::string state; state != "done";) {
    state = node.api().get("/v1/jobs/" + job + "?wait=1").at("state");
    REQUIRE((state == "queued" || state == "running" || state == "done"));
  }
  Bytes bytes;
  node.api().download(
      "/v1/jobs/" + job + "/result", [](const std::string&) {},
      [&](std::string_view chunk) { bytes.insert(bytes.end(), chunk.begin(), chunk.end()); });
  return bytes;
}

// What the first of these nodes was given to do. Each job begins when the one before was faster
// than the test.
struct Jobs {
  explicit Jobs(std::vector<rig::NodeProcess*> all)
      : nodes(std::move(all)), begun{submit(*nodes.front())} {}

  Json state() const { return state_of(*nodes.front(), begun.back()); }

  // The workers, frozen in the middle of the last job, in a state of it that meets the claim. As
  // long as they are, the job cannot end: a leaf of it is not done, nor is what comes after.
  template<class Claim>
  rig::Frozen freeze(Claim claim) {
    std::optional<rig::Frozen> frozen;
    REQUIRE(rig::eventually([&] {
      frozen.reset();
      const auto before = state();
      if (before.at("state") == "done")
        begun.push_back(submit(*nodes.front()));
      if (!claim(before))
        return false;
      frozen.emplace(workers());
      const auto now = state();
      return claim(now) && now.at("state") == "running" && now.at("done") < now.at("microtasks");
    }));
    return std::move(*frozen);
  }

  std::vector<pid_t> workers() const {
    std::vector<pid_t> all;
    for (const auto* node : nodes)
      for (const auto pid : node->workers())
        all.push_back(pid);
    return all;
  }

  void check_results() const {
    for (const auto& job : begun)
      CHECK(result_of(*nodes.front(), job) == undisturbed());
  }

  std::vector<rig::NodeProcess*> nodes;
  std::vector<std::string> begun;
};

// Two nodes, each in the middle of its share of one job, which the first roots.
struct TwoNodes {
  TwoNodes() : b{node("b", a.api().get("/v1/invite").at("invite"))} {
    REQUIRE(rig::eventually([&] { return a.api().get("/v1/peers").at("peers").size() == 2; }));
  }

  static bool both_at_work(const Json& state) {
    return state.at("done") > 16 && state.at("shares").size() == 2 && state.at("peers") == 2;
  }

  rig::NodeProcess a{node("a")}, b;
};

std::size_t times(const std::string& words, const std::string& text) {
  std::size_t n = 0;
  for (auto at = text.find(words); at != text.npos; at = text.find(words, at + 1))
    ++n;
  return n;
}

void ends_alike(const std::string& name, rig::NodeProcess TwoNodes::*where, End end) {
  undisturbed(); // Before the clock of any node ticks.
  for (const auto reason : {killed, shut_down}) {
    CAPTURE(name);
    CAPTURE(to_string(reason));
    TwoNodes nodes;
    Jobs jobs{{&nodes.a, &nodes.b}};
    std::optional frozen{jobs.freeze(TwoNodes::both_at_work)};
    const auto what = name == "job" ? actor_of(jobs.begun.back()) : name;
    const auto root_worker = nodes.a.workers();
    (nodes.*where).strike(what, reason, end);
    if (nodes.a.workers() == root_worker) // Else its successor runs, and may be quick.
      CHECK(jobs.state().at("state") == "running");
    frozen.reset();
    jobs.check_results();
    CHECK(times(what + " died", (nodes.*where).said()) == 1);
    CHECK(nodes.b.stop() == 0);
    CHECK(nodes.a.stop() == 0);
  }
}

} // namespace

TEST_CASE("a mesh that dies in mid-job does not change the result") {
  ends_alike("mesh", &TwoNodes::a, End::replaced);
}
TEST_CASE("a scheduler that dies in mid-job does not change the result") {
  ends_alike("scheduler", &TwoNodes::a, End::replaced);
}
TEST_CASE("a store that dies in mid-job does not change the result") {
  ends_alike("store", &TwoNodes::a, End::replaced);
}
TEST_CASE("an api that dies in mid-job does not change the result") {
  ends_alike("api", &TwoNodes::a, End::replaced);
}
TEST_CASE("a slot that dies in mid-job does not change the result") {
  ends_alike("slot 0", &TwoNodes::a, End::replaced);
}
TEST_CASE("a root job that dies in mid-job goes on from the journal") {
  ends_alike("job", &TwoNodes::a, End::replaced);
}
TEST_CASE("a leased job that dies in mid-job goes back to its lessor") {
  ends_alike("job", &TwoNodes::b, End::gone);
}
TEST_CASE("a session that dies in mid-job does not change the result") {
  ends_alike("session", &TwoNodes::a, End::gone);
}

TEST_CASE("a node alone outlives each of its actors, and ends what it began") {
  undisturbed();
  rig::NodeProcess alone{node("alone")};
  Jobs jobs{{&alone}};
  Json struck{{"job", ""}, {"done", 0}};
  for (const std::string name : {"slot 0", "scheduler", "store", "mesh", "api", "job"}) {
    CAPTURE(name);
    // Since the last death the job went on.
    const auto frozen = jobs.freeze([&](const Json& now) {
      return now.at("done") > (now.at("job") == struck.at("job") ? struck.at("done") : Json(0));
    });
    alone.strike(name == "job" ? actor_of(jobs.begun.back()) : name, killed);
    struck = jobs.state();
  }
  jobs.check_results();
  CHECK(alone.stop() == 0);
}

TEST_CASE("a slot takes its worker along, and its successor has one") {
  rig::NodeProcess alone{node("alone")};
  REQUIRE(rig::eventually([&] { return alone.workers().size() == 1; }));
  const auto before = alone.workers();
  alone.strike("slot 0", killed);
  CHECK(rig::eventually([&] {
    const auto now = alone.workers();
    return now.size() == 1 && now != before;
  }));
}

TEST_CASE("what ended is told by an api, a job and a store that came after it") {
  rig::NodeProcess alone{node("alone")};
  const auto job = alone.api().post("/v1/jobs", Json{{"kernel", "shape"}, {"items", 3}}).at("job");
  const auto result = result_of(alone, job);
  for (const auto& name : {actor_of(job), std::string{"store"}, std::string{"api"}}) {
    CAPTURE(name);
    alone.strike(name, killed, name == actor_of(job) ? End::gone : End::replaced);
    CHECK(state_of(alone, job).at("state") == "done");
    CHECK(result_of(alone, job) == result);
  }
}

TEST_CASE("an actor that dies three times within a minute ends the process, with the reason") {
  rig::NodeProcess alone{node("alone")};
  alone.strike("mesh", killed);
  alone.strike("mesh", killed);
  alone.strike("scheduler", killed);
  CHECK_NOTHROW(submit(alone)); // Three of all do not count.
  alone.strike("mesh", killed, End::of_all);
  CHECK(alone.ended() == 1);
  CHECK(times("E390 mesh died three times within a minute", alone.said()) == 1);
}

TEST_CASE("a node whose own actor dies ends, with the reason") {
  rig::NodeProcess alone{node("alone")};
  alone.strike("node", killed, End::of_all);
  CHECK(alone.ended() == 1);
  CHECK(times("E390 the node's own actor died", alone.said()) == 1);
}
