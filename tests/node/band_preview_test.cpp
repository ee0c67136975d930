#include "tests/node/api_rig.hpp"

#include "actors/block.hpp"
#include "crypto/little_endian.hpp"
#include "node/kernels/ordered_run.hpp"
#include "node/kernels/picture.hpp"
#include "node/ordered_picture.hpp"

// Previews of a picture in bands whose bytes stay where they were made.
using namespace tessera;
using namespace tessera::rig;

namespace {

// 16 bands of 512 x 32, each of one colour: 48 KiB, so that each is a piece by itself.
constexpr std::uint32_t side = 512, bands = 16, band_bytes = side * side / bands * 3;
const TiledPicture picture{Tiling::of_bands(side, side, bands), 3};

Bytes band(std::uint64_t at) {
  const auto head = at == 0 ? pnm_head(side, side, 3) : std::string{};
  Bytes bytes = to_bytes(view(head));
  bytes.insert(bytes.end(), band_bytes, std::uint8_t(10 * at));
  return bytes;
}

// Bytes of its own for each; merged as workers merge.
class Bands : public KernelRun {
public:
  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override {
    for (; begin < end; ++begin)
      put(out, band(begin));
    return Nothing{};
  }
  Status merge(ByteView, ByteView, Bytes&) override { return Nothing{}; }
};

// The partial of these bands, and what was put aside for it.
Bytes merged(Api& api, std::uint64_t first, std::uint64_t end) {
  OrderedRun run{std::make_unique<Bands>()};
  Bytes all;
  for (auto at = first; at < end; ++at) {
    Bytes one, both;
    REQUIRE(run.run(at, at + 1, one).ok());
    if (all.empty())
      all = one;
    else {
      REQUIRE(run.merge(all, one, both).ok());
      all = both;
    }
    for (std::uint64_t b = at; b <= at; ++b)
      api.script.files[blob_id(band(b))] = band(b);
  }
  return all;
}

BlobId input(Api& api) {
  Bytes raw;
  put_head(raw, {side, side, 3});
  const auto id = blob_id(raw);
  api.script.files[id] = raw;
  return id;
}

JobStatus band_job(Api& api) {
  api.script.pulls_arrive = true;
  const auto* kernel = find_kernel("tiles");
  const auto params = check_params(
      kernel->info(), {{"shape", "band"}, {"format", "ppm"}, {"tiles", std::to_string(bands)}});
  JobSpec spec;
  spec.submitter = api.self.id();
  spec.kernel = "tiles";
  spec.params = encode_params(*params);
  spec.items = bands;
  spec.inputs = {{input(api), 16, Input::Role::data}};
  JobStatus status;
  status.spec = api.codec->seal_spec(spec);
  status.root = api.self.id();
  status.state = JobState::running;
  api.tell(JobNews{status, true});
  return status;
}

void done(Api& api, Block block) {
  const BlockTree tree{bands};
  Partial partial;
  partial.bytes = merged(api, tree.begin(block), tree.end(block));
  partial.digest = blob_id(partial.bytes);
  partial.size = partial.bytes.size();
  partial.manifest = true;
  std::erase_if(api.script.frontier,
                [&](const BlockResult& r) { return tree.contains(block, r.block); });
  api.script.frontier.push_back({block, partial});
}

// Of each band the first colour of its middle; -1 where it is transparent.
std::vector<int> seen(const AnswerPtr& answer) {
  REQUIRE(answer->status() == 200);
  Bytes raw; // As read_picture lays it on white.
  REQUIRE(read_picture(*answer->reply.body, raw).ok());
  const auto head = *get_head(raw);
  std::vector<int> colours;
  for (std::uint32_t at = 0; at < bands; ++at) {
    const auto row = (2 * at + 1) * head.height / (2 * bands);
    const int colour = raw[picture_head_bytes + (row * head.width + head.width / 2) * 3];
    colours.push_back(colour == 255 ? -1 : colour);
  }
  return colours;
}
std::vector<int> only(std::set<std::uint64_t> which) {
  std::vector<int> colours;
  for (std::uint64_t at = 0; at < bands; ++at)
    colours.push_back(which.contains(at) ? int(10 * at) : -1);
  return colours;
}

struct Look {
  Api& api;
  JobStatus job;
  std::vector<int> operator()() {
    api.pass(1s);
    return seen(api.get(path_of(job) + "/preview", {{"width", "128"}}));
  }
};

} // namespace

TEST_CASE("bands are found in ordered output, and only whole ones") {
  const OrderedPicture ordered{picture};
  const auto head = pnm_head(side, side, 3).size();
  CHECK(ordered.size() == head + bands * band_bytes);
  CHECK(ordered.bands_in(0, head + band_bytes) == std::pair<std::uint64_t, std::uint64_t>{0, 1});
  CHECK(ordered.bands_in(head + band_bytes, 3 * band_bytes) ==
        std::pair<std::uint64_t, std::uint64_t>{1, 4});
  CHECK(ordered.bands_in(0, ordered.size()) == std::pair<std::uint64_t, std::uint64_t>{0, bands});
  for (const auto& [at, size] :
       std::vector<std::pair<std::uint64_t, std::uint64_t>>{{0, 0},
                                                            {0, head},
                                                            {0, band_bytes},
                                                            {head, band_bytes},
                                                            {1, band_bytes},
                                                            {head + band_bytes, ordered.size()},
                                                            {ordered.size(), 1},
                                                            {~0ull, 2},
                                                            {2, ~0ull}})
    CHECK(!ordered.bands_in(at, size));
}

TEST_CASE("a picture in bands is seen to grow, wherever its pieces lie") {
  Api api;
  const auto job = band_job(api);
  Look look{api, job};
  CHECK(look() == only({}));
  done(api, {0, 3});
  api.tell(JobNews{in(job, JobState::running, 1), true});
  CHECK(look() == only({3}));
  done(api, {1, 0}); // With the picture's head.
  done(api, {2, 3});
  api.tell(JobNews{in(job, JobState::running, 7), true});
  CHECK(look() == only({0, 1, 3, 12, 13, 14, 15}));
  CHECK(!api.told.pulls.empty()); // They may be elsewhere.
  const auto pulled = api.told.pulls.size();
  done(api, {1, 1}); // One of them is painted already, but it is one row of the manifest each.
  api.tell(JobNews{in(job, JobState::running, 8), true});
  CHECK(look() == only({0, 1, 2, 3, 12, 13, 14, 15}));
  CHECK(api.told.pulls.size() == pulled + 1); // Nothing that is painted.
}

TEST_CASE("when it is done, all of it is seen, by its manifest") {
  Api api;
  const auto job = band_job(api);
  const auto manifest = merged(api, 0, bands);
  auto over = in(job, JobState::done, bands);
  over.manifest = true;
  over.result = blob_id(manifest);
  api.script.files[over.result] = manifest;
  api.tell(JobNews{over, true});
  std::set<std::uint64_t> all;
  for (std::uint64_t at = 0; at < bands; ++at)
    all.insert(at);
  CHECK(Look{api, over}() == only(all));
}

TEST_CASE("a piece that is gone is left out, and asked for again") {
  Api api;
  const auto job = band_job(api);
  Look look{api, job};
  done(api, {2, 0});
  api.script.gone = {blob_id(band(2))};
  api.tell(JobNews{in(job, JobState::running, 4), true});
  CHECK(look() == only({0, 1, 3}));
  api.script.gone.clear();
  CHECK(look() == only({0, 1, 2, 3})); // With no news of the job.
}
