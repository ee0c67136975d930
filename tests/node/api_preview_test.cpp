#include "tests/node/api_rig.hpp"

#include "actors/block.hpp"
#include "node/kernels/picture.hpp"

using namespace tessera;
using namespace tessera::rig;

namespace {

// A picture of 4 x 4 tiles of 128 x 128, each of one colour.
constexpr std::uint32_t side = 512, tiles = 16, tile_bytes = 128 * 128 * 3;

Bytes tiles_of(std::uint64_t first, std::uint64_t end) {
  Bytes all;
  for (auto item = first; item < end; ++item)
    all.insert(all.end(), tile_bytes, std::uint8_t(10 * item));
  return all;
}
Bytes picture_file() {
  Bytes file;
  REQUIRE(write_png({side, side, 128}, 3, tiles_of(0, tiles), file).ok());
  return file;
}

JobStatus picture_job(Api& api, JobState state) {
  const auto* kernel = find_kernel("mandelbrot");
  const auto params = check_params(kernel->info(), {{"size", std::to_string(side)}});
  JobSpec spec;
  spec.submitter = api.self.id();
  spec.kernel = "mandelbrot";
  spec.params = encode_params(*params);
  spec.items = tiles;
  JobStatus status;
  status.spec = api.codec->seal_spec(spec);
  status.root = api.self.id();
  status.state = state;
  if (state == JobState::done)
    status.result = blob_id(picture_file());
  api.tell(JobNews{status, true});
  return status;
}

void done(Api& api, Block block) {
  const BlockTree tree{tiles};
  const auto bytes = tiles_of(tree.begin(block), tree.end(block));
  Partial partial;
  partial.digest = blob_id(bytes);
  partial.size = bytes.size();
  api.script.files[partial.digest] = bytes;
  std::erase_if(api.script.frontier,
                [&](const BlockResult& r) { return tree.contains(block, r.block); });
  api.script.frontier.push_back({block, partial});
}

// The first colour of a tile's middle, 255 where it is transparent.
int seen(const AnswerPtr& answer, std::uint64_t tile) {
  Bytes raw;
  REQUIRE(answer->status() == 200);
  REQUIRE(read_picture(*answer->reply.body, raw).ok());
  const auto head = *get_head(raw);
  const auto t = head.width / 4;
  const auto x = tile % 4 * t + t / 2, y = tile / 4 * t + t / 2;
  return raw[picture_head_bytes + (y * head.width + x) * 3];
}

std::string preview_of(const JobStatus& job) {
  return path_of(job) + "/preview";
}

} // namespace

TEST_CASE("a picture is seen to grow as its blocks are merged, and whole in the end") {
  Api api;
  const auto job = picture_job(api, JobState::running);
  const auto look = [&] {
    api.pass(1s);
    return api.get(preview_of(job), {{"width", "64"}});
  };
  CHECK(seen(look(), 0) == 255);
  done(api, {0, 3});
  api.tell(JobNews{in(job, JobState::running, 1), true});
  auto now = look();
  CHECK(seen(now, 3) == 30);
  CHECK(seen(now, 2) == 255);
  done(api, {1, 1}); // Tiles 2 and 3: one of them is painted already.
  done(api, {2, 3});
  api.tell(JobNews{in(job, JobState::running, 6), true});
  now = look();
  CHECK(seen(now, 2) == 20);
  CHECK(seen(now, 3) == 30);
  CHECK(seen(now, 15) == 150);
  CHECK(seen(now, 5) == 255);
  auto over = in(job, JobState::done, tiles);
  over.result = blob_id(picture_file());
  api.script.files[over.result] = picture_file();
  api.tell(JobNews{over, true});
  now = look();
  for (std::uint64_t tile = 0; tile < tiles; ++tile)
    CHECK(seen(now, tile) == int(10 * tile));
}

TEST_CASE("a preview is painted at most twice a second, and not at all when nothing is new") {
  Api api;
  const auto job = picture_job(api, JobState::running);
  api.get(preview_of(job));
  CHECK(api.told.frontiers == 1);
  api.tell(JobNews{in(job, JobState::running, 1), true});
  api.get(preview_of(job));
  CHECK(api.told.frontiers == 1);
  api.pass(600ms);
  api.get(preview_of(job));
  CHECK(api.told.frontiers == 2);
  api.pass(5s);
  api.get(preview_of(job));
  CHECK(api.told.frontiers == 2);
}

TEST_CASE("who has a preview already gets 304") {
  Api api;
  const auto job = picture_job(api, JobState::running);
  const auto first = api.get(preview_of(job));
  const auto tag = first->reply.headers.at("ETag");
  api.headers = {{"if-none-match", tag}};
  CHECK(api.get(preview_of(job))->status() == 304);
  done(api, {0, 0});
  api.tell(JobNews{in(job, JobState::running, 1), true});
  api.pass(1s);
  const auto second = api.get(preview_of(job));
  CHECK(second->status() == 200);
  CHECK(second->reply.headers.at("ETag") != tag);
}

TEST_CASE("what makes no picture, is rooted elsewhere, or has no such width has no preview") {
  Api api;
  const auto plain = api.rooted(JobState::running);
  api.refused(api.get(preview_of(plain)), 404, "E415", preview_of(plain));
  const auto job = picture_job(api, JobState::running);
  for (const auto* width : {"15", "2049", "", "x", "64px", "-64", "99999999999"})
    api.refused(api.get(preview_of(job), {{"width", width}}), 400, "E400", preview_of(job));
  const auto theirs = Api::job_of(api.other, JobState::running);
  api.up(api.other.id());
  const auto asked = api.get(preview_of(theirs));
  api.answers(api.other.id(), {theirs});
  api.refused(asked, 404, "E416", preview_of(theirs));
}

TEST_CASE("a result that is gone, or another picture, is an error and is asked for anew") {
  Api api;
  const auto job = picture_job(api, JobState::done);
  api.refused(api.get(preview_of(job)), 404, "E112", preview_of(job));
  api.script.files[job.result] = to_bytes(view("no picture"));
  api.refused(api.get(preview_of(job)), 422, "E422", preview_of(job));
  api.script.files[job.result] = picture_file();
  CHECK(seen(api.get(preview_of(job)), 7) == 70);
}

TEST_CASE("sketches are few: the oldest makes room") {
  Api api;
  const auto job = picture_job(api, JobState::running);
  for (int width = 16; width < 40; ++width) {
    CHECK(api.get(preview_of(job), {{"width", std::to_string(width)}})->status() == 200);
    api.pass(100ms);
  }
  CHECK(api.told.frontiers == 24);
  api.get(preview_of(job), {{"width", "39"}});
  CHECK(api.told.frontiers == 24); // Kept.
  api.get(preview_of(job), {{"width", "16"}});
  CHECK(api.told.frontiers == 25);
}
