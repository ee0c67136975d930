#include "tests/support/node_process.hpp"
#include "tests/support/serial.hpp"

#include "node/cli/failed.hpp"

using namespace tessera;
using rig::End;
using Json = nlohmann::json;

namespace {

const auto kill = caf::exit_reason::kill, shut_down = caf::exit_reason::user_shutdown;

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

// Two nodes in the middle of one job, which the first roots.
class TwoNodes {
public:
  TwoNodes() : b{node("b", a.api().get("/v1/invite").at("invite"))} {
    REQUIRE(rig::eventually([&] { return a.api().get("/v1/peers").at("peers").size() == 2; }));
    job_ = a.api()
               .post("/v1/jobs", Json{{"kernel", "mandelbrot"}, {"params", view}})
               .at("job")
               .get<std::string>();
    REQUIRE(rig::eventually([&] {
      const auto job = state();
      return job.at("done") > 16 && job.at("shares").size() == 2;
    }));
  }

  Json state() { return a.api().get("/v1/jobs/" + job_); }
  std::string job() const { return "job " + job_.substr(0, 12); }

  Bytes result() {
    for (std::string state = "running"; state != "done";) {
      state = a.api().get("/v1/jobs/" + job_ + "?wait=1").at("state");
      REQUIRE((state == "running" || state == "done"));
    }
    Bytes bytes;
    a.api().download(
        "/v1/jobs/" + job_ + "/result", [](const std::string&) {},
        [&](std::string_view chunk) { bytes.insert(bytes.end(), chunk.begin(), chunk.end()); });
    return bytes;
  }

  rig::NodeProcess a{node("a")}, b;

private:
  std::string job_;
};

std::size_t times(const std::string& words, const std::string& text) {
  std::size_t n = 0;
  for (auto at = text.find(words); at != text.npos; at = text.find(words, at + 1))
    ++n;
  return n;
}

void ends_alike(const std::string& name, rig::NodeProcess TwoNodes::*where, End end) {
  undisturbed(); // Before the clock of any node ticks.
  for (const auto reason : {kill, shut_down}) {
    CAPTURE(name);
    CAPTURE(to_string(reason));
    TwoNodes nodes;
    const auto what = name == "job" ? nodes.job() : name;
    (nodes.*where).strike(what, reason, end);
    CHECK(nodes.state().at("state") == "running");
    CHECK(nodes.result() == undisturbed());
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
