#include "tests/node/slot_rig.hpp"

using namespace tessera;
using rig::Ear, rig::SlotRig, rig::gate;

namespace {

void prepare(SlotRig& rig, Ear& api, const std::string& kernel, const BlobId& input) {
  rig.stage.tell_as(api.actor(), rig.slot, PrepareFor{kernel, encode_params({}), input});
}

Prepared prepared(SlotRig& rig, Ear& api) {
  rig.until([&] { return api.size() > 0; });
  const auto answers = api.take<Prepared>();
  REQUIRE(answers.size() == 1);
  CHECK(rig.scheduler.size() == 0); // It never counted this.
  return answers[0];
}

Prepared prepared(SlotRig& rig, const std::string& kernel, std::string_view input) {
  const auto blob = blob_id(view(input));
  rig.shelf.files[blob] = to_bytes(view(input));
  auto& api = rig.stage.ear();
  prepare(rig, api, kernel, blob);
  return prepared(rig, api);
}

} // namespace

TEST_CASE(
    "a block goes to the worker, its partial to the job, and the scheduler hears of its end") {
  SlotRig rig;
  const auto news = rig.done(rig.start(rig.job_of("range"), RunWork{{1, 0}}));
  CHECK(text_of(news.partial.bytes) == "(0-1 1-2 )");
  CHECK(news.partial.size == 10);
  CHECK(news.partial.digest == blob_id(news.partial.bytes));
  CHECK(news.leaves == Digest{}); // Nobody checks them.
  CHECK(news.cpu_ns > 0);
}

TEST_CASE("where leaves may be checked the worker commits itself to them") {
  SlotRig rig;
  auto spec = *rig.job_of("range");
  spec.spec.trust = Trust::spot;
  CHECK(rig.done(rig.start(std::make_shared<const SignedSpec>(spec))).leaves != Digest{});
}

TEST_CASE("merges and finishes go as blocks do") {
  SlotRig rig;
  const auto spec = rig.job_of("range", to_bytes(view(" input")));
  const auto left = SlotRig::inlined("left "), right = SlotRig::inlined("right");
  CHECK(rig.text_done(rig.start(spec, MergeWork{{1, 0}, left, right})) == "(left right)");
  CHECK(rig.text_done(rig.start(spec, FinishWork{left})) == "left  input");
}

TEST_CASE("what a kernel says of its failure reaches the job") {
  SlotRig rig;
  const auto id = rig.start(rig.job_of("failing"));
  CHECK(rig.failed(id) == "E799");
  CHECK(rig.text_done(rig.start(rig.job_of("range"))) == "0-1 ");
}

TEST_CASE("what the scheduler does not count it does not hear of") {
  SlotRig rig;
  const auto spec = rig.job_of("range");
  rig.start(spec, RunWork{{0, 0}}, false);
  rig.until([&] { return rig.job.size() > 0; });
  rig.start(spec, FinishWork{{digest_of(view("nowhere")), 1 << 20, {}}}, false);
  CHECK(rig.job.take<WorkFailed>().size() == 1);
  CHECK(rig.scheduler.size() == 0);
}

TEST_CASE("large partials come from the store, in their order, and go there before the job hears") {
  SlotRig rig;
  const auto spec = rig.job_of("range", to_bytes(view("input")));
  const auto left = rig.stored('l'), right = rig.stored('r');
  const auto news = rig.done(rig.start(spec, MergeWork{{1, 0}, left, right}));
  CHECK(rig.shelf.asked.back() ==
        std::vector{spec->spec.inputs[0].blob, left.digest, right.digest});
  REQUIRE(rig.shelf.kept.size() == 1);
  const auto& [id, bytes] = rig.shelf.kept[0];
  CHECK(id == blob_id(bytes));
  REQUIRE(bytes.size() == left.size + right.size + 2);
  CHECK(bytes[1] == 'l');
  CHECK(bytes[bytes.size() - 2] == 'r');
  CHECK(news.partial == Partial{id, bytes.size(), {}});
  CHECK(rig.done(rig.start(spec, FinishWork{left})).partial.size == left.size + 5);
  CHECK(rig.shelf.asked.back() == std::vector{left.digest});
}

TEST_CASE("one of two partials may be small") {
  for (const bool small_left : {false, true}) {
    SlotRig rig;
    auto left = rig.stored('l'), right = SlotRig::inlined("small");
    if (small_left)
      std::swap(left, right);
    const auto news = rig.done(rig.start(rig.job_of("range"), MergeWork{{1, 0}, left, right}));
    CHECK(news.partial.size == left.size + right.size + 2);
    CHECK(rig.shelf.kept.at(0).second[1] == (small_left ? 's' : 'l'));
  }
}

TEST_CASE("what the store does not keep has failed") {
  SlotRig rig;
  rig.shelf.answer = {false, {"E111", "the disk is full", "", ""}};
  CHECK(rig.failed(rig.start(rig.job_of("much"))) == "E111");
}

TEST_CASE("work whose blobs the store does not have fails as the store says") {
  SlotRig rig;
  const auto spec = rig.job_of("range", to_bytes(view("input")));
  const auto half = MergeWork{{1, 0}, rig.stored('l'), {digest_of(view("gone")), 1 << 20, {}}};
  CHECK(rig.failed(rig.start(spec, half)) == "E112");
  CHECK(rig.text_done(rig.start(spec)) == "0-1 ");
}

TEST_CASE("a job's input is asked for once, and reaches each of its calls") {
  SlotRig rig;
  const auto spec = rig.job_of("range", to_bytes(view("input")));
  for (int i = 0; i < 3; ++i)
    CHECK(rig.text_done(rig.start(spec, FinishWork{SlotRig::inlined("")})) == "input");
  CHECK(rig.shelf.asked.size() == 1);
}

TEST_CASE("a new store is asked what the old one did not answer, once") {
  SlotRig rig;
  auto& mute = rig.stage.ear();
  const auto answering = rig.store();
  rig.new_store(mute.actor());
  const auto spec = rig.job_of("range", to_bytes(view("input")));
  const auto id = rig.start(spec);
  CHECK(mute.take<FilesAsk>().size() == 1);
  rig.rewire();
  CHECK(mute.size() == 0);
  rig.new_store(answering);
  CHECK(rig.text_done(id) == "0-1 ");
  rig.new_store(rig.stage.ear().actor());
  rig.new_store(answering);
  CHECK(rig.shelf.asked.size() == 1);
}

TEST_CASE("output that the old store did not keep is kept by the new one") {
  SlotRig rig;
  auto& mute = rig.stage.ear();
  const auto answering = rig.store();
  rig.new_store(mute.actor());
  const auto id = rig.start(rig.job_of("much"));
  rig.until([&] { return rig.frees() == 1; });
  CHECK(rig.job.size() == 0);
  CHECK(mute.take<KeepBlob>().size() == 1);
  rig.new_store(answering);
  const auto news = rig.job.take<WorkDone>();
  REQUIRE(news.size() == 1);
  CHECK(news[0].id == id);
  CHECK(rig.shelf.kept.at(0).first == news[0].partial.digest);
}

TEST_CASE("an input is prepared in the worker, kept, and told with its first bytes") {
  SlotRig rig;
  const std::string text(100, 'p');
  const auto answer = prepared(rig, "preparing", text);
  CHECK(answer.why.code == "");
  CHECK(answer.input == blob_id(view(text + "!")));
  CHECK(answer.size == 101);
  CHECK(text_of(answer.head) == std::string(64, 'p'));
  REQUIRE(rig.shelf.kept.size() == 1);
  CHECK(rig.shelf.kept[0] == std::pair{answer.input, to_bytes(view(text + "!"))});
  CHECK(text_of(prepared(rig, "preparing", "short").head) == "short!");
}

TEST_CASE("an input that is its own prepared form is told as it is, and not kept again") {
  SlotRig rig;
  const auto text = "ready" + std::string(100, 'p');
  const auto answer = prepared(rig, "preparing", text);
  CHECK(answer.why.code == "");
  CHECK(answer.input == blob_id(view(text)));
  CHECK(answer.size == 105);
  CHECK(text_of(answer.head) == text.substr(0, 64));
  CHECK(rig.shelf.kept.empty());
}

TEST_CASE("an input that cannot be prepared is refused with the reason") {
  SlotRig rig;
  CHECK(prepared(rig, "preparing", "unreadable").why.code == "E422");
  CHECK(prepared(rig, "preparing", "deadly").why.code == "E710");
  CHECK(prepared(rig, "preparing", "good").why.code == "");
  rig.shelf.answer = {false, {"E111", "the disk is full", "", ""}};
  CHECK(prepared(rig, "preparing", "good").why.code == "E111");
  auto& api = rig.stage.ear();
  prepare(rig, api, "preparing", digest_of(view("nowhere")));
  CHECK(prepared(rig, api).why.code == "E112");
}
