#pragma once

#include "actors/job_actor.hpp"
#include "tests/support/actor_rig.hpp"

#include <doctest/doctest.h>

// A job's shell between actors that only listen.
namespace tessera::rig {

inline NodeId node_id(std::uint8_t n) {
  NodeId id;
  id.key.fill(n);
  return id;
}
inline const auto us = node_id(1), peer = node_id(2), stranger = node_id(3);
inline const auto input = digest_of(view("an input"));

inline SpecPtr job_of(std::uint64_t leaves, bool with_input = false) {
  SignedSpec spec;
  spec.id = digest_of(view("a job"));
  spec.spec.submitter = us;
  spec.spec.kernel = "shape";
  spec.spec.items = leaves;
  spec.spec.retries = 3;
  if (with_input)
    spec.spec.inputs = {{input, 5}};
  return std::make_shared<const SignedSpec>(std::move(spec));
}

template<class Change>
SpecPtr changed(const SpecPtr& spec, Change change) {
  auto another = *spec;
  change(another.spec);
  return std::make_shared<const SignedSpec>(std::move(another));
}

inline Partial partial_of(std::string_view text) {
  return {blob_id(view(text)), text.size(), to_bytes(view(text))};
}

inline Lease lease_from(const NodeId& lessor, LeaseId id, std::vector<Block> blocks) {
  return {job_of(1)->id, id, 0, std::move(blocks), {lessor}};
}

// With two slots.
class JobRig {
public:
  explicit JobRig(SpecPtr spec, bool root = true, std::vector<BlockResult> frontier = {})
      : spec(std::move(spec)) {
    JobOpening opening;
    opening.config.self = us;
    opening.config.slots = 2;
    opening.spec = this->spec;
    opening.root = root;
    opening.frontier = std::move(frontier);
    job = stage.spawn(job_actor, std::move(opening), std::make_shared<const Wiring>(wiring()));
    stage.run();
  }
  JobRig(const JobRig&) = delete;

  Wiring wiring() const {
    Wiring w;
    w.node = node.actor();
    w.mesh = mesh.actor();
    w.scheduler = scheduler.actor();
    w.store = store.actor();
    w.api = api.actor();
    w.slots = {slots[0]->actor(), slots[1]->actor()};
    return w;
  }
  void rewire(const Wiring& w) { tell(std::make_shared<const Wiring>(w)); }

  template<class What>
  void tell(What what) {
    stage.tell(job, std::move(what));
  }
  void say(Message message) { tell(FromPeer{peer, letter(std::move(message))}); }

  // The slot is asked to do something.
  StartFor take(std::uint32_t slot = 0) {
    tell(TakeWork{spec->id, slot});
    const auto starts = slots[slot]->take<StartFor>();
    REQUIRE(starts.size() == 1);
    CHECK(starts[0].job == job);
    CHECK(starts[0].spec == spec);
    CHECK(starts[0].scheduled);
    const auto answers = scheduler.take<Took>();
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].job == spec->id);
    CHECK(answers[0].slot == slot);
    CHECK(answers[0].got);
    return starts[0];
  }
  bool gets_nothing(std::uint32_t slot = 0) {
    tell(TakeWork{spec->id, slot});
    const auto answers = scheduler.take<Took>();
    REQUIRE(answers.size() == 1);
    return !answers[0].got && slots[slot]->size() == 0;
  }
  void done(const StartFor& work, std::string_view bytes) {
    tell(WorkDone{work.id, partial_of(bytes), {}, 1000});
  }

  // The peer steals half, and brings it back with this partial.
  LeaseResult result_of_thief(Partial partial) {
    tell(GiveWork{spec->id, peer, {5, 1, 1, {"shape@1"}}, 0.5});
    const auto lease = sent<Grant>().at(0).leases.at(0);
    LeaseResult result;
    result.job = spec->id;
    result.lease = lease.id;
    result.sequence = 1;
    result.last = true;
    result.holder = stranger;
    result.done = {{lease.blocks.at(0), std::move(partial)}};
    return result;
  }

  // What went to the peer, of one kind; the rest is forgotten.
  template<class M>
  std::vector<M> sent() {
    std::vector<M> out;
    for (const auto& letter : mesh.take<ToPeer>())
      if (const auto* m = std::get_if<M>(letter.message.get()); m && letter.to == peer)
        out.push_back(*m);
    return out;
  }
  // The last word to the scheduler.
  QueueReport queue() {
    const auto changes = scheduler.take<QueueChanged>();
    REQUIRE_FALSE(changes.empty());
    CHECK(changes.back().job == spec->id);
    return changes.back().report;
  }
  // The whole of a job of one leaf.
  void run_through() {
    done(take(), "partial");
    const auto finish = take();
    REQUIRE(std::holds_alternative<FinishWork>(finish.work));
    done(finish, "result");
  }

  const SpecPtr spec;
  Stage<> stage;
  Ear &node = stage.ear(), &mesh = stage.ear(), &scheduler = stage.ear(), &store = stage.ear(),
      &api = stage.ear();
  Ear* slots[2]{&stage.ear(), &stage.ear()};
  caf::actor job;
};

} // namespace tessera::rig
