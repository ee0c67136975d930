#include "node/store/needed.hpp"
#include "tests/node/store_rig.hpp"

#include <fstream>

using namespace tessera;
using namespace tessera::rig;

// Jobs: what a store keeps of them, over its own death and on a full disk.
namespace {

BlockResult small_block(std::uint64_t index) {
  const auto bytes = to_bytes(view("partial " + std::to_string(index)));
  return {{0, index}, {blob_id(bytes), bytes.size(), bytes}};
}

// Of its one job.
Roots::Root only_root(StoreRig& rig) {
  const auto roots = rig.roots();
  REQUIRE(roots.size() == 1);
  return roots[0];
}

// Keeps it, and only for as long as something pins it.
BlobId kept(StoreRig& rig, const Bytes& bytes) {
  REQUIRE(rig.keep(bytes).ok);
  return blob_id(bytes);
}
bool outlasts_pressure(StoreRig& rig, const BlobId& blob) {
  rig.press();
  return rig.has(blob);
}

constexpr std::uint64_t tight = 64 * 1024; // A quota that a few blobs fill.

} // namespace

TEST_CASE("what was accepted and done is there after a restart") {
  StoreRig rig;
  const auto spec = rig.accepted(), other = rig.accepted();
  rig.journaled(spec, 1, {small_block(0)});
  rig.journaled(spec, 2, {small_block(3), small_block(5)});
  rig.restart();
  const auto roots = rig.roots();
  REQUIRE(roots.size() == 2);
  for (const auto& root : roots) {
    CHECK(root.status.state == JobState::running);
    CHECK(root.status.root == StoreRig::us.id());
  }
  CHECK(roots[0].status.spec->spec == spec->spec);
  CHECK(roots[0].status.spec->id == spec->id);
  CHECK(roots[0].frontier == std::vector{small_block(0), small_block(3), small_block(5)});
  CHECK(roots[1].status.spec->id == other->id);
  CHECK(roots[1].frontier.empty());
}

TEST_CASE("what a running job needs stays, over a restart too, until it has ended") {
  StoreRig rig{tight};
  const auto input = kept(rig, pattern(1000));
  const auto large = large_partial('a');
  kept(rig, bytes_of(large, 'a'));
  const auto spec = rig.accepted(input);
  rig.journaled(spec, 1, {{{0, 0}, large}});
  for (const bool restarted : {false, true}) {
    CAPTURE(restarted);
    CHECK(outlasts_pressure(rig, input));
    CHECK(outlasts_pressure(rig, large.digest));
    if (!restarted) {
      rig.restart();
      CHECK(only_root(rig).frontier == std::vector<BlockResult>{{{0, 0}, large}});
    }
  }
  SUBCASE("done") {
    rig.stage.tell(rig.store, StoreRig::end_of(spec, JobState::done, view("result")));
  }
  SUBCASE("failed") {
    rig.stage.tell(rig.store, StoreRig::end_of(spec, JobState::failed));
  }
  CHECK_FALSE(outlasts_pressure(rig, input));
  CHECK_FALSE(rig.has(large.digest));
}

TEST_CASE("an input that two jobs need stays until the second has ended") {
  StoreRig rig{tight};
  const auto input = kept(rig, pattern(1000));
  const auto first = rig.accepted(input), second = rig.accepted(input);
  rig.stage.tell(rig.store, StoreRig::end_of(first, JobState::cancelled));
  CHECK(outlasts_pressure(rig, input));
  rig.stage.tell(rig.store, StoreRig::end_of(second, JobState::cancelled));
  CHECK_FALSE(outlasts_pressure(rig, input));
}

TEST_CASE("a done block whose bytes are damaged or gone is not done after a restart") {
  StoreRig rig;
  const auto whole = large_partial('w'), damaged = large_partial('d'), gone = large_partial('g');
  kept(rig, bytes_of(whole, 'w'));
  kept(rig, bytes_of(damaged, 'd'));
  const auto spec = rig.accepted();
  rig.journaled(spec, 1, {{{0, 0}, whole}, {{0, 1}, damaged}, {{0, 2}, gone}, small_block(3)});
  rig.close();
  std::fstream{rig.blobs_folder() / to_hex(damaged.digest), std::ios::in | std::ios::out}.put('!');
  rig.restart();
  CHECK(only_root(rig).frontier == std::vector<BlockResult>{{{0, 0}, whole}, small_block(3)});
  CHECK_FALSE(rig.has(damaged.digest));
}

TEST_CASE("a job that ended is told as it was told last, and its result stays") {
  StoreRig rig{tight};
  const auto spec = rig.accepted();
  rig.journaled(spec, 1, {small_block(0)});
  auto end = StoreRig::end_of(spec, JobState::done, view("the result"));
  end.status.reruns.peer_gone = 3;
  end.status.shares.push_back({StoreRig::us.id(), 8, 1, 2});
  rig.stage.tell(rig.store, end);
  CHECK(outlasts_pressure(rig, end.status.result));
  rig.restart();
  const auto root = only_root(rig);
  CHECK(root.frontier.empty());
  CHECK(root.status.state == JobState::done);
  CHECK(root.status.spec->id == spec->id);
  CHECK(root.status.leaves_done == 8);
  CHECK(root.status.reruns.peer_gone == 3);
  CHECK(root.status.shares.size() == 1);
  CHECK(root.status.result == end.status.result);
  CHECK(root.status.result_size == end.status.result_size);
  CHECK(outlasts_pressure(rig, end.status.result));
  CHECK(rig.content(end.status.result) == to_bytes(view("the result")));
}

TEST_CASE("an ended job is forgotten with its result and its log, a running one is not") {
  for (const bool restarted : {false, true}) {
    CAPTURE(restarted);
    StoreRig rig{tight};
    const auto spec = rig.accepted();
    CHECK(rig.ask<Kept>(ForgetJob{spec->id}).why.code == "E464");
    auto end = StoreRig::end_of(spec, JobState::done, view("the result"));
    end.log = {{1, 1000, "accepted"}, {2, 2000, "done"}};
    rig.stage.tell(rig.store, end);
    if (restarted) {
      rig.restart();
      CHECK(only_root(rig).log.empty()); // And what its jobs need is pinned.
    }
    CHECK(rig.ask<LogAnswer>(LogAsk{spec->id}).log == end.log);
    CHECK(outlasts_pressure(rig, end.status.result));
    CHECK(rig.ask<Kept>(ForgetJob{spec->id}).ok);
    CHECK(rig.ask<LogAnswer>(LogAsk{spec->id}).log.empty());
    CHECK_FALSE(outlasts_pressure(rig, end.status.result));
    CHECK(rig.ask<Roots>(RootsAsk{}).roots.empty());
  }
}

TEST_CASE("a running job's log is there after a restart, as far as it went with its blocks") {
  StoreRig rig;
  const auto spec = rig.accepted();
  JournalFor what{spec->id, {1, {small_block(0)}}};
  what.blocks.log = {{1, 1000, "accepted"}};
  rig.stage.tell(rig.store, what);
  rig.restart();
  CHECK(only_root(rig).log == what.blocks.log);
}

TEST_CASE("a large result is here already, and stays") {
  StoreRig rig{tight};
  const auto bytes = pattern(partial_inline_bytes_max + 1);
  kept(rig, bytes);
  const auto spec = rig.accepted();
  rig.stage.tell(rig.store, StoreRig::end_of(spec, JobState::done, bytes));
  CHECK(outlasts_pressure(rig, blob_id(bytes)));
  CHECK(rig.content(blob_id(bytes)) == bytes);
}

TEST_CASE("a job that failed tells why after a restart") {
  StoreRig rig;
  auto end = StoreRig::end_of(rig.accepted(), JobState::failed);
  end.status.error = {"E799", "it failed", "so it was told", "try another"};
  rig.stage.tell(rig.store, end);
  rig.restart();
  const auto root = only_root(rig);
  CHECK(root.status.state == JobState::failed);
  CHECK(root.status.error == end.status.error);
}

TEST_CASE("where the last word on a job cannot be read, the journal's own columns tell") {
  StoreRig rig;
  const auto spec = rig.accepted();
  rig.close();
  {
    auto journal = Journal::open(rig.journal_file());
    REQUIRE(journal);
    JournaledJob job;
    job.id = spec->id;
    job.state = JobState::done;
    job.ended_ms = 1;
    job.error = {"E799", "what", "why", "fix"};
    job.result = blob_id(view("result"));
    job.result_size = 6;
    SUBCASE("no message") {
      job.summary = to_bytes(view("what?"));
    }
    SUBCASE("another message") {
      job.summary = rig.codec->encode(JobOver{spec->id});
    }
    SUBCASE("on another number of jobs") {
      job.summary = rig.codec->encode(JobAnswer{});
    }
    REQUIRE(journal->job_ended(job));
  }
  rig.restart();
  const auto status = only_root(rig).status;
  CHECK(status.spec->id == spec->id);
  CHECK(status.root == StoreRig::us.id());
  CHECK(status.state == JobState::done);
  CHECK(status.error.code == "E799");
  CHECK(status.result == blob_id(view("result")));
  CHECK(status.result_size == 6);
}

TEST_CASE("jobs of another mesh, and what is no job, are left out") {
  StoreRig rig;
  const auto ours = rig.accepted();
  rig.close();
  {
    const Codec elsewhere{StoreRig::us, digest_of(view("another mesh"))};
    auto spec = ours->spec;
    spec.nonce[1] = 1;
    const auto theirs = elsewhere.seal_spec(spec);
    auto journal = Journal::open(rig.journal_file());
    REQUIRE(journal);
    REQUIRE(journal->job_accepted(theirs->id, Codec::envelope_bytes(theirs->seal)));
    REQUIRE(journal->job_accepted(digest_of(view("x")), to_bytes(view("no envelope"))));
  }
  rig.restart();
  CHECK(only_root(rig).status.spec->id == ours->id);
}

TEST_CASE("peers are remembered, the latest word of them") {
  StoreRig rig;
  for (const auto* host : {"10.0.0.1", "10.0.0.2"})
    rig.stage.tell(rig.store, SavePeers{{{StoreRig::us.id(), {{host, 7700}}}}});
  rig.close();
  auto journal = Journal::open(rig.journal_file());
  REQUIRE(journal);
  const auto peers = journal->peers();
  REQUIRE(peers);
  REQUIRE(peers->size() == 1);
  CHECK((*peers)[0].addresses == std::vector<Address>{{"10.0.0.2", 7700}});
}

TEST_CASE("before a start on a full disk all may go but what jobs need") {
  StoreRig rig;
  const auto input = kept(rig, pattern(1000)), old_input = kept(rig, pattern(1000, 2));
  const auto large = large_partial('a'), old_large = large_partial('b');
  kept(rig, bytes_of(large, 'a'));
  kept(rig, bytes_of(old_large, 'b'));
  const auto running = rig.accepted(input), over = rig.accepted(old_input);
  rig.journaled(running, 1, {{{0, 0}, large}});
  rig.journaled(over, 1, {{{0, 0}, old_large}});
  const auto end = StoreRig::end_of(over, JobState::done, view("result"));
  rig.stage.tell(rig.store, end);
  rig.close();
  {
    auto journal = Journal::open(rig.journal_file());
    auto blobs = Blobs::open(rig.blobs_folder(), 1 << 20);
    REQUIRE(journal);
    REQUIRE(blobs);
    REQUIRE(forget_unneeded(*journal, *blobs, *rig.codec, 1 << 20));
  }
  rig.restart();
  for (const auto& needed : {input, large.digest, end.status.result})
    CHECK(rig.has(needed));
  for (const auto& gone : {old_input, old_large.digest})
    CHECK_FALSE(rig.has(gone));
}

TEST_CASE("a store whose journal or blobs cannot be used dies") {
  StoreRig rig;
  CHECK_FALSE(rig.ended());
  rig.close();
  SUBCASE("another has the journal") {
    const auto journal = Journal::open(rig.journal_file());
    REQUIRE(journal);
    rig.restart();
    CHECK(rig.ended());
  }
  SUBCASE("a file lies where the blobs belong") {
    fs::remove_all(rig.blobs_folder());
    std::ofstream{rig.blobs_folder()} << "no folder";
    rig.restart();
    CHECK(rig.ended());
  }
}

TEST_CASE("on a full disk no job is accepted, and what it needed may go") {
  StoreRig rig{tight};
  rig.restart(); // The journal's pages are in its file, none in the log.
  const auto input = kept(rig, pattern(1000));
  const auto needed = kept(rig, pattern(1000, 9));
  rig.accepted(needed);
  rig.restart();
  CHECK(rig.roots().size() == 1);
  {
    const FullDisk full{"journal.db-wal"};
    const auto answer = rig.ask<Kept>(AcceptJob{rig.job_of(input)});
    CHECK_FALSE(answer.ok);
    CHECK(answer.why.code == "E111");
    CHECK(rig.has(needed));
  }
  CHECK_FALSE(outlasts_pressure(rig, input));
  CHECK(rig.has(needed));
  CHECK(rig.ask<Kept>(AcceptJob{rig.job_of()}).ok);
  CHECK(rig.roots().size() == 2);
}

TEST_CASE("on a full disk what can be had again goes first") {
  StoreRig rig{tight};
  rig.restart();
  const auto cached = kept(rig, pattern(1000));
  {
    const FullDisk full{"journal.db-wal"};
    CHECK_FALSE(rig.ask<Kept>(AcceptJob{rig.job_of()}).ok);
  }
  CHECK_FALSE(rig.has(cached));
}

TEST_CASE("a full disk is waited out: blocks are journaled when there is room") {
  StoreRig rig;
  const auto spec = rig.accepted();
  rig.restart();
  {
    const FullDisk full{"journal.db-wal"};
    rig.journal(spec, 7, {small_block(0)});
    CHECK(rig.asker.size() == 0);
  }
  rig.stage.pass(4900ms);
  CHECK(rig.asker.size() == 0);
  rig.stage.pass(200ms);
  const auto answers = rig.asker.take<Journaled>();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].sequence == 7);
  rig.restart();
  CHECK(only_root(rig).frontier == std::vector{small_block(0)});
}

TEST_CASE("a full disk is waited out: that a job ended is written when there is room") {
  StoreRig rig{tight};
  const auto input = kept(rig, pattern(1000));
  const auto spec = rig.accepted(input);
  rig.restart();
  CHECK(rig.roots().size() == 1);
  const auto end = StoreRig::end_of(spec, JobState::done, view("result"));
  {
    const FullDisk full{"journal.db-wal"};
    rig.stage.tell(rig.store, end);
    rig.stage.pass(5s);
  }
  CHECK(rig.api.size() == 0); // Nobody is told before.
  CHECK(outlasts_pressure(rig, end.status.result));
  CHECK(rig.has(input)); // It may still have to be run again.
  rig.stage.pass(5s);
  const auto told = rig.api.take<JobNews>();
  REQUIRE(told.size() == 1);
  CHECK(told[0].status.state == JobState::done);
  CHECK(told[0].rooted);
  CHECK_FALSE(outlasts_pressure(rig, input));
  rig.restart();
  CHECK(only_root(rig).status.state == JobState::done);
  CHECK(outlasts_pressure(rig, end.status.result));
}

TEST_CASE("blocks that waited for room while their job's end was written leave nothing behind") {
  StoreRig rig{tight};
  const auto large = large_partial('a');
  kept(rig, bytes_of(large, 'a'));
  const auto spec = rig.accepted();
  rig.restart();
  CHECK(only_root(rig).status.state == JobState::running);
  {
    const FullDisk full{"journal.db-wal"};
    rig.journal(spec, 7, {small_block(0), {{0, 1}, large}});
  }
  rig.stage.tell(rig.store, StoreRig::end_of(spec, JobState::failed));
  rig.stage.pass(5s);
  CHECK(rig.asker.take<Journaled>().size() == 1);
  CHECK(only_root(rig).status.state == JobState::failed);
  CHECK(only_root(rig).frontier.empty());
  CHECK_FALSE(outlasts_pressure(rig, large.digest));
}

TEST_CASE("a result that finds no room is waited for, and the job is not over before") {
  StoreRig rig{tight};
  const auto large = kept(rig, pattern(tight - 2));
  const auto other = rig.accepted(large);
  const auto spec = rig.accepted();
  const auto end = StoreRig::end_of(spec, JobState::done, view("result"));
  rig.stage.tell(rig.store, end);
  CHECK_FALSE(rig.has(end.status.result));
  CHECK(rig.roots()[1].status.state == JobState::running);
  rig.stage.tell(rig.store, StoreRig::end_of(other, JobState::cancelled));
  rig.stage.pass(5s);
  CHECK(rig.has(end.status.result));
  CHECK(rig.roots()[1].status.state == JobState::done);
}

// --- Rounds

TEST_CASE("a round that began is there after a restart, with its state and what its job had told") {
  StoreRig rig{tight};
  const auto job = rig.accepted_rounds();
  auto begin = rig.round_of(job, 1, view("first"));
  begin.told.fuel = 77;
  CHECK(rig.begun(begin));
  rig.journaled(begin.round, 1, {small_block(0)});
  CHECK(outlasts_pressure(rig, begin.state.digest));
  rig.restart();
  const auto roots = rig.roots();
  REQUIRE(roots.size() == 2);
  CHECK(roots[0].status.spec->id == job->id);
  CHECK(roots[0].status.state == JobState::running);
  CHECK(roots[0].status.round == 1);
  CHECK(roots[0].status.result == begin.state.digest);
  CHECK(roots[0].status.fuel == 77);
  CHECK(roots[1].status.spec->id == begin.round->id);
  CHECK(roots[1].status.spec->spec.parent == job->id);
  CHECK(roots[1].frontier == std::vector{small_block(0)});
  CHECK(outlasts_pressure(rig, begin.state.digest));
}

TEST_CASE("of the rounds before nothing is left") {
  StoreRig rig;
  const auto job = rig.accepted_rounds();
  const auto one = rig.round_of(job, 1, view("first"));
  CHECK(rig.begun(one));
  const auto large = large_partial('a');
  kept(rig, bytes_of(large, 'a'));
  rig.journaled(one.round, 1, {small_block(0), {{0, 1}, large}});
  const auto two = rig.round_of(job, 2, view("second"), one.round->id);
  CHECK(rig.begun(two));
  CHECK_FALSE(rig.has(one.state.digest));
  CHECK_FALSE(rig.has(large.digest));
  CHECK(rig.has(two.state.digest));
  rig.journaled(one.round, 2, {small_block(3)}); // A late word: it is answered, and not kept.
  CHECK(rig.begun(two));                         // Twice is once.
  rig.restart();
  const auto roots = rig.roots();
  REQUIRE(roots.size() == 2);
  CHECK(roots[1].status.spec->id == two.round->id);
  CHECK(roots[1].frontier.empty());
}

TEST_CASE("with a job of rounds its last round is forgotten, and none begins any more") {
  StoreRig rig;
  const auto module = kept(rig, pattern(100));
  auto spec = rig.job_of(module)->spec;
  spec.shape = Shape::rounds;
  spec.rounds = 9;
  const auto job = rig.codec->seal_spec(spec);
  CHECK(rig.ask<Kept>(AcceptJob{job}).ok);
  const auto one = rig.round_of(job, 1, view("first"));
  CHECK(rig.begun(one));
  auto end = StoreRig::end_of(job, JobState::done, view("the result"));
  end.round = one.round->id;
  rig.stage.tell(rig.store, end);
  CHECK_FALSE(rig.has(one.state.digest));
  CHECK(rig.has(end.status.result));
  CHECK(rig.has(module)); // It was the job's, and may be needed again.
  CHECK_FALSE(rig.begun(rig.round_of(job, 2, view("second"), one.round->id)));
  rig.restart();
  CHECK(only_root(rig).status.spec->id == job->id);
}

TEST_CASE("a round waits for a full disk, and then begins") {
  StoreRig rig;
  const auto job = rig.accepted_rounds();
  const auto begin = rig.round_of(job, 1, view("first"));
  {
    const FullDisk full{"journal.db-wal"};
    CHECK_FALSE(rig.begun(begin));
  }
  rig.stage.pass(6s);
  CHECK(rig.asker.take<RoundBegun>().size() == 1);
  CHECK(rig.roots().size() == 2);
}

TEST_CASE("keys of accepted jobs are told with the roots, after a restart too") {
  StoreRig rig;
  const Submission submission{"k", digest_of(view("body")), "the answer", 1'700'000'000'000};
  CHECK(rig.ask<Kept>(AcceptJob{rig.job_of(), submission}).ok);
  CHECK(rig.ask<Kept>(AcceptJob{rig.job_of()}).ok);
  rig.restart();
  const auto roots = rig.ask<Roots>(RootsAsk{});
  CHECK(roots.roots.size() == 2);
  REQUIRE(roots.submissions.size() == 1);
  CHECK(roots.submissions[0].key == "k");
  CHECK(roots.submissions[0].body == submission.body);
  CHECK(roots.submissions[0].answer == "the answer");
  CHECK(roots.submissions[0].since_ms == submission.since_ms);
}
