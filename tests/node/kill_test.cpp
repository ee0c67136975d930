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
  for (std::string state = "running"; state != "done";) {
    state = node.api().get("/v1/jobs/" + job + "?wait=1").at("state");
    REQUIRE((state == "running" || state == "done"));
  }
  Bytes bytes;
  node.api().download(
      "/v1/jobs/" + job + "/result", [](const std::string&) {},
      [&](std::string_view chunk) { bytes.insert(bytes.end(), chunk.begin(), chunk.end()); });
  return bytes;
}

// Two nodes in the middle of one job, which the first roots.
struct TwoNodes {
  TwoNodes() : b{node("b", a.api().get("/v1/invite").at("invite"))} {
    REQUIRE(rig::eventually([&] { return a.api().get("/v1/peers").at("peers").size() == 2; }));
    job = submit(a);
    REQUIRE(rig::eventually([&] {
      const auto state = state_of(a, job);
      return state.at("done") > 16 && state.at("shares").size() == 2;
    }));
  }

  rig::NodeProcess a{node("a")}, b;
  std::string job;
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
    // On a busy machine a job may be over before both nodes are known to share it.
    std::optional<TwoNodes> made;
    for (int tries = 0; tries < 5 && (!made || state_of(made->a, made->job).at("state") == "done");
         ++tries)
      made.emplace();
    auto& nodes = *made;
    const auto what = name == "job" ? actor_of(nodes.job) : name;
    (nodes.*where).strike(what, reason, end);
    CHECK(state_of(nodes.a, nodes.job).at("state") == "running");
    CHECK(result_of(nodes.a, nodes.job) == undisturbed());
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
  const auto job = submit(alone);
  std::uint64_t done = 0;
  for (const std::string name : {"slot 0", "scheduler", "store", "mesh", "api", "job"}) {
    CAPTURE(name);
    REQUIRE(rig::eventually([&] { return state_of(alone, job).at("done") > done; }));
    REQUIRE(state_of(alone, job).at("state") == "running");
    alone.strike(name == "job" ? actor_of(job) : name, killed);
    done = state_of(alone, job).at("done");
  }
  CHECK(result_of(alone, job) == undisturbed());
  CHECK(alone.stop() == 0);
}

TEST_CASE("a slot takes its worker along, and its successor has one") {
  rig::NodeProcess alone{node("alone")};
  const auto zygote = rig::children_of(alone.pid());
  REQUIRE(zygote.size() == 1);
  const auto before = rig::children_of(zygote.front());
  REQUIRE(before.size() == 1);
  alone.strike("slot 0", killed);
  CHECK(rig::eventually([&] {
    const auto now = rig::children_of(zygote.front());
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
