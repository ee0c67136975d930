#include "tests/node/worker_rig.hpp"

#include "actors/block.hpp"
#include "tests/support/pictures.hpp"
#include "tests/support/serial.hpp"

using namespace tessera;
using namespace tessera::rig;

// The kernels of this build, inside the walls: a call that the sandbox does not know would kill the
// worker.
namespace {

using Given = std::map<std::string, std::string>;

struct Work {
  std::string kernel;
  Given given;
  std::uint64_t items = 0;
  Bytes file{};
};

Payload payload(ByteView bytes) {
  auto made = Payload::of(bytes);
  REQUIRE(made.ok());
  return std::move(*made);
}

Answer ask(const WorkerProcess& worker, const WorkerRequest& request) {
  REQUIRE(send(worker.socket, request).ok());
  return answer(worker.socket);
}

Answer prepared(const WorkerProcess& worker, const Work& work) {
  PrepareCall call;
  call.kernel = work.kernel;
  call.params = encode_params(*check_params(find_kernel(work.kernel)->info(), work.given));
  call.input = payload(work.file);
  return ask(worker, std::move(call));
}

// From a submitter's file to the result, as a node would do it: the halves of the root run apart.
Bytes result_of(const WorkerProcess& worker, const Work& work) {
  const auto* kernel = find_kernel(work.kernel);
  const auto params = check_params(kernel->info(), work.given);
  REQUIRE(params.ok());
  const auto input = output_of(prepared(worker, work));
  const auto head = ByteView{input}.first(std::min<std::size_t>(input.size(), 64));
  const auto plan = kernel->plan(*params, work.items, head);
  REQUIRE(plan.ok());

  auto open = open_job(1, work.kernel, plan->items, plan->leaf_items);
  open.params = encode_params(*params);
  open.input = payload(input);
  REQUIRE(send(worker.socket, std::move(open)).ok());
  const BlockTree tree{leaves_of(plan->items, plan->leaf_items)};
  REQUIRE(tree.leaves() > 1);
  const auto [left, right] = tree.halves(tree.root());
  const auto a = output_of(ask(worker, RunCall{1, 1, left}));
  const auto b = output_of(ask(worker, RunCall{2, 1, right}));
  const auto both = output_of(ask(worker, MergeCall{3, 1, payload(a), payload(b)}));
  auto result = output_of(ask(worker, FinishCall{4, 1, payload(both)}));
  REQUIRE(send(worker.socket, CloseJob{1}).ok());
  return result;
}

std::vector<Work> all_work() {
  const auto picture = slopes(150, 100, 3);
  const auto png = png_file(picture);
  const auto* words = "to be, or not to be";
  Bytes text;
  while (text.size() < 300'000)
    text.insert(text.end(), words, words + 19);
  return {{"shape", {}, 100},
          {"pi", {}, 1'000'000},
          {"option", {{"type", "put"}}, 100'000},
          {"wordcount", {}, 0, text},
          {"tiles", {{"shape", "band"}, {"tile", "4"}, {"op", "gray"}, {"format", "ppm"}}, 0, png},
          {"tiles", {{"tiles", "100"}, {"op", "sharpen"}}, 0, png},
          {"tiles", {{"tile", "40"}, {"op", "invert"}, {"format", "ppm"}}, 0, png},
          {"sumsq", {}, 100'000'000},
          {"each", {{"kernel", "sumsq"}}, 0, to_bytes(view("10\nitems=20\nno\n30\n"))},
          {"spin", {{"work", "1000"}}, 10},
          {"sleep", {{"ms", "1"}}, 3},
          {"mandelbrot", {{"size", "150"}, {"iterations", "100"}}},
          {"filter", {{"op", "gauss"}}, 0, png},
          {"filter", {{"op", "box"}}, 0, jpeg_file(picture, {})},
          {"filter", {{"op", "edge"}}, 0, jpeg_file(picture, {.progressive = true})},
          {"filter", {{"op", "gray"}}, 0, png}};
}

} // namespace

TEST_CASE("every kernel of this build makes the same bytes inside the walls as outside") {
  auto zygote = Zygote::start();
  REQUIRE(zygote.ok());
  const auto worker = zygote->spawn({});
  REQUIRE(worker.ok());
  std::map<std::string, int> tried;
  for (const auto& work : all_work()) {
    CAPTURE(work.kernel);
    const auto expected =
        serial_job(*find_kernel(work.kernel), work.given, work.items, 0, work.file);
    REQUIRE(expected.ok());
    CHECK(result_of(*worker, work) == *expected);
    ++tried[work.kernel];
  }
  for (const auto* kernel : kernels()) {
    CAPTURE(kernel->info().name);
    CHECK(tried[kernel->info().name] > 0);
  }
}

TEST_CASE("a damaged picture is E422, however it is damaged, and the worker lives") {
  auto zygote = Zygote::start();
  REQUIRE(zygote.ok());
  const auto worker = zygote->spawn({});
  REQUIRE(worker.ok());
  const auto picture = slopes(40, 30, 3);
  for (const auto& whole :
       {png_file(picture), jpeg_file(picture, {}), to_bytes(view("no picture"))})
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{5}, whole.size() / 4, whole.size() / 2}) {
      CAPTURE(size);
      const auto cut = to_bytes(ByteView{whole}.first(std::min(size, whole.size())));
      CHECK(prepared(*worker, {"filter", {}, 0, cut}).error.code == "E422");
    }
}
