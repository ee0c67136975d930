#include "node/why.hpp"

#include <doctest/doctest.h>

#include <algorithm>

// What people are told a job waits for, from how things are.
using namespace tessera;
using namespace std::chrono_literals;

namespace {

SpecPtr spec_of(std::uint8_t n, int priority = 0) {
  auto spec = std::make_shared<SignedSpec>();
  spec->id.bytes[0] = n;
  spec->spec.kernel = "sumsq";
  spec->spec.items = 100;
  spec->spec.priority = std::int8_t(priority);
  return spec;
}

Record node(std::uint8_t n, const std::function<void(Record&)>& change = {}) {
  Record r;
  r.subject.key[0] = n;
  r.slots = 2;
  r.kernels = {"sumsq@1"};
  r.worker = {1 << 30, "x86_64"};
  if (change)
    change(r);
  return r;
}

JobStatus running(std::uint8_t n, int priority) {
  JobStatus s;
  s.spec = spec_of(n, priority);
  s.state = JobState::running;
  return s;
}

// A job of 100 microtasks, all queued, on a mesh of one idle node.
WhyView view(const std::function<void(WhyView&)>& change = {}) {
  WhyView v;
  v.job.status = running(1, 0);
  v.job.queued = 100;
  v.nodes = {node(1)};
  v.now_ms = 1'000'000;
  v.name = [](const NodeId& id) { return id.key[0] == 2 ? "attic" : ""; };
  if (change)
    change(v);
  return v;
}

void require(WhyView& v, Require wanted) {
  auto spec = std::make_shared<SignedSpec>(*v.job.status.spec);
  spec->spec.require = std::move(wanted);
  v.job.status.spec = spec;
}

} // namespace

TEST_CASE("why a job is not done, said from how things are") {
  struct Case {
    const char* name;
    WhyView view;
    std::string line; // One of the lines begins so, and
    std::string fix;  // what is to be done begins so.
  };
  const std::vector<Case> cases{
      {"just taken", view([](WhyView& v) { v.job.queued = 0; }), "it was just accepted", ""},
      {"runs", view([](WhyView& v) {
         v.job.status.leaves_done = 50;
         v.job.status.elapsed_ms = 5000;
         v.job.queued = 50;
       }),
       "it runs: 50 of 100 microtasks done, 10/s, about 5 s to go", ""},
      {"slow", view([](WhyView& v) {
         v.job.status.leaves_done = 1;
         v.job.status.elapsed_ms = 60'000;
         v.job.queued = 99;
       }),
       "it runs: 1 of 100 microtasks done, 1/min, about 1 h 39 min to go", ""},
      {"higher priority ahead", view([](WhyView& v) {
         v.others = {running(2, 5), running(3, 0)};
       }),
       "100 microtasks queued behind 1 job of higher priority: 020000 (priority 5)",
       "it has one turn in eight"},
      {"beside others", view([](WhyView& v) { v.others = {running(3, 0)}; }),
       "it shares slots with 1 job of its own priority", ""},
      {"no slots anywhere", view([](WhyView& v) { v.nodes[0].slots = 0; }),
       "no known node can run it: 1 has no slots", "start a node"},
      {"too small", view([](WhyView& v) {
         require(v, {std::uint64_t{4} << 30, ""});
       }),
       "no known node can run it: 1 has less than 4 GiB for a worker",
       "start a node that can, or cancel it"},
      {"some too small", view([](WhyView& v) {
         require(v, {0, "aarch64"});
         v.nodes.push_back(node(2, [](Record& r) { r.worker.arch = "aarch64"; }));
       }),
       "1 of 2 nodes can run it: 1 is not aarch64", ""},
      {"all paused", view([](WhyView& v) {
         v.nodes[0].paused = true;
         v.root_paused = true;
       }),
       "all that can run it are paused: 1 is paused", "tessera resume"},
      {"root paused, another not", view([](WhyView& v) {
         v.nodes[0].paused = true;
         v.root_paused = true;
         v.nodes.push_back(node(2));
       }),
       "this node, its root, is paused: only others run it", "tessera resume"},
      {"root not able", view([](WhyView& v) { v.job.able = false; }),
       "this node, its root, lacks what it requires", ""},
      {"with a peer", view([](WhyView& v) {
         v.job.leased = 40;
         v.job.out = {{NodeId{{2}}, 40, 3s, 100ms, false}};
       }),
       "40 microtasks with attic since 3 s", ""},
      {"a silent peer", view([](WhyView& v) {
         v.job.leased = 40;
         v.job.out = {{NodeId{{2}}, 40, 9s, 5s, true}};
       }),
       "attic has 40 microtasks and has been silent for 5 s", "nothing needs doing"},
      {"failed once", view([](WhyView& v) {
         v.job.failed = {{7, 1, "E720"}};
       }),
       "microtask 7 failed once (E720) and is tried once more", "tessera logs 010000"},
      {"inputs", view([](WhyView& v) { v.job.inputs_missing = 2; }), "2 inputs still on the way",
       ""},
      {"finishing", view([](WhyView& v) {
         v.job.queued = 0;
         v.job.finishing = true;
       }),
       "all is merged", ""},
      {"stalled by a pause", view([](WhyView& v) {
         v.job.queued = 0;
         v.job.finishing = v.job.stalled = true;
       }),
       "what is left to merge takes this paused node too long", "tessera resume"},
      {"copies", view([](WhyView& v) {
         v.job.queued = 0;
         v.job.copies = 3;
       }),
       "3 outputs on the way to a second node", ""},
      {"a deadline", view([](WhyView& v) {
         auto spec = std::make_shared<SignedSpec>(*v.job.status.spec);
         spec->spec.deadline_ms = v.now_ms + 90'000;
         v.job.status.spec = spec;
       }),
       "it fails unless it is done within 1 min 30 s", ""},
      {"done", view([](WhyView& v) { v.job.status.state = JobState::done; }),
       "it waits for nothing: it is done", ""},
      {"failed", view([](WhyView& v) {
         v.job.status.state = JobState::failed;
         v.job.status.error = {"E701", "it failed", "because", "try less"};
       }),
       "it waits for nothing: it failed (E701 it failed)", "try less"},
      {"cancelled", view([](WhyView& v) { v.job.status.state = JobState::cancelled; }),
       "it waits for nothing: it was cancelled", ""},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    const auto told = why(c.view);
    CAPTURE(why_json(c.view).dump(1));
    CHECK(std::any_of(told.lines.begin(), told.lines.end(),
                      [&](const std::string& line) { return line.starts_with(c.line); }));
    CHECK(told.fix.starts_with(c.fix));
    CHECK((c.fix.empty() ? told.fix.empty() : !told.fix.empty()));
  }
}

TEST_CASE("a job that has ended waits for nothing else") {
  for (const auto state : {JobState::done, JobState::failed, JobState::cancelled}) {
    const auto told = why(view([&](WhyView& v) {
      v.job.status.state = state;
      v.others = {running(2, 9)};
      v.nodes[0].paused = true;
    }));
    CHECK(told.lines.size() == 1);
  }
}
