#include "node/api_shell.hpp"
#include "node/http/conditions.hpp"
#include "node/painter_actor.hpp"

#include <caf/actor_cast.hpp>

#include <charconv>

namespace tessera::api {

namespace {

constexpr std::size_t pieces_max = 256;     // Painted at a time.
constexpr std::size_t blobs_ahead_max = 64; // Of ordered output, at a time.
constexpr Duration paint_gap = std::chrono::milliseconds(500);
constexpr std::uint32_t width_default = 512;

using Key = ApiShell::SketchKey;
using Sketch = ApiShell::Sketch;

std::string name_of_job(const JobId& id) {
  return to_hex(id).substr(0, 12);
}

// --- Answers

std::string etag_of(const Key& key, const Sketch& sketch) {
  return "W/\"" + name_of_job(key.first) + "-" + std::to_string(key.second) + "-" +
         (sketch.whole ? "whole" : std::to_string(sketch.preview->painted())) + "\"";
}

void answer_one(const Key& key, const Sketch& sketch, const Sketch::Asker& asker) {
  HttpReply reply;
  reply.content_type = "image/png";
  reply.headers["ETag"] = etag_of(key, sketch);
  reply.headers["Cache-Control"] = "no-cache";
  reply.body = sketch.png;
  if (http::names_tag(asker.if_none_match, reply.headers["ETag"]))
    reply.status = 304;
  asker.caller.respond(std::move(reply));
}

void answer_all(Self self, const Key& key) {
  auto& sketch = self->state.sketches.at(key);
  sketch.busy = false;
  for (const auto& asker : std::exchange(sketch.askers, {}))
    answer_one(key, sketch, asker);
}

void give_up(Self self, const Key& key, const Error& why) {
  auto sketch = self->state.sketches.extract(key);
  for (const auto& asker : sketch.mapped().askers)
    refuse(asker.caller, why, why.code == "E712" ? 500 : std::optional<int>{});
}

// --- Painting

void next_batch(Self self, const Key& key);

void paint(Self self, const Key& key) {
  auto& s = self->state;
  if (!s.painter) {
    const auto api = caf::actor_cast<caf::actor>(self);
    s.painter = s.setup.painter_apart ? self->spawn<caf::detached>(painter_actor, api)
                                      : self->spawn(painter_actor, api);
  }
  auto& sketch = s.sketches.at(key);
  auto work = std::exchange(sketch.next, {});
  work.preview = sketch.preview;
  self->request(s.painter, caf::infinite, std::move(work))
      .then(
          [=](const Painted& painted) {
            if (!painted.png)
              return give_up(self, key, painted.why);
            auto& sketch = self->state.sketches.at(key);
            sketch.png = painted.png;
            if (sketch.wanted.empty())
              answer_all(self, key);
            else
              next_batch(self, key);
          },
          [=](const caf::error&) {
            self->state.painter = nullptr;
            give_up(self, key,
                    {"E306", "the preview could not be painted", "its painter died",
                     "try again; if it stays, please report it"});
          });
}

void asked_one(Self self, const Key& key) {
  if (--self->state.sketches.at(key).awaited == 0)
    paint(self, key);
}

// --- Bands whose bytes stay where they were made

// Rows of a manifest, whose output begins there, before what else is wanted.
void want(Sketch& sketch, std::uint64_t at, const Manifest& manifest) {
  at += manifest.size();
  for (auto part = manifest.parts.rbegin(); part != manifest.parts.rend(); ++part) {
    at -= part->size;
    sketch.wanted.push_front({part->blob, at, part->size, part->manifest});
  }
}

// A blob that is here. False: it is not what its manifest said.
bool took(Sketch& sketch, const Sketch::Wanted& what, const FdPtr& file) {
  if (what.manifest) {
    const auto mapped = Mapping::of(*file);
    const auto manifest = mapped ? Manifest::of(mapped->bytes()) : std::nullopt;
    if (!manifest || manifest->size() != what.size)
      return false;
    want(sketch, what.at, *manifest);
    return true;
  }
  const auto [first, end] = *sketch.bands->bands_in(what.at, what.size);
  sketch.painted.add(first, end);
  sketch.next.pieces.push_back({first, end, file, {}, what.skip + sketch.bands->head_in(first)});
  return true;
}

// What is gone is asked for again with the next preview.
void fetch(Self self, const Key& key, const Sketch::Wanted& what) {
  ++self->state.sketches.at(key).awaited;
  const auto over = [=](const FdPtr& file) {
    auto& sketch = self->state.sketches.at(key);
    if (!file || !took(sketch, what, file))
      sketch.done = ~std::uint64_t{0};
    asked_one(self, key);
  };
  pull(self, what.blob, self->state.sketches.at(key).holders, [=](bool here) {
    if (!here)
      return over(nullptr);
    self->state.store_asks.ask<FilesAnswer>(
        self, FilesAsk{{what.blob}}, [=](const FilesAnswer& answer) {
          over(answer.files.empty() ? nullptr : answer.files.front());
        });
  });
}

void next_batch(Self self, const Key& key) {
  auto& sketch = self->state.sketches.at(key);
  sketch.awaited = 1;
  std::vector<Sketch::Wanted> batch;
  while (!sketch.wanted.empty() && batch.size() < blobs_ahead_max) {
    const auto what = sketch.wanted.front();
    sketch.wanted.pop_front();
    const auto bands = sketch.bands->bands_in(what.at, what.size);
    if (bands && !sketch.painted.contains(bands->first, bands->second))
      batch.push_back(what);
  }
  for (const auto& what : batch)
    fetch(self, key, what);
  asked_one(self, key);
}

// Of a block, as it is here or where its manifest says.
void want_block(Sketch& sketch, std::uint64_t first, std::uint64_t end, const Partial& partial) {
  const auto& bands = *sketch.bands;
  const auto at = bands.begin_of(first), size = bands.begin_of(end) - at;
  if (sketch.painted.contains(first, end))
    return;
  if (partial.manifest) {
    const auto manifest = Manifest::of(partial.bytes);
    if (manifest && manifest->size() == size)
      want(sketch, at, *manifest);
  } else if (partial.bytes.size() == partial.size) {
    sketch.painted.add(first, end);
    sketch.next.pieces.push_back(
        {first, end, nullptr, partial.bytes, ordered_head_bytes + bands.head_in(first)});
  } else {
    sketch.wanted.push_back({partial.digest, at, size, false, ordered_head_bytes});
  }
}

void collect_bands(Self self, const Key& key, const JobSpec& spec, const Frontier& frontier) {
  auto& sketch = self->state.sketches.at(key);
  const BlockTree tree{spec.leaves()};
  for (const auto& [block, partial] : frontier.done)
    want_block(sketch, tree.begin(block) * spec.leaf_items,
               std::min(tree.end(block) * spec.leaf_items, spec.items), partial);
  next_batch(self, key);
}

// The finished file, if it is one; else its manifest.
void take_whole_bands(Self self, const Key& key, const JobStatus& status, const FdPtr& file) {
  auto& sketch = self->state.sketches.at(key);
  if (status.manifest)
    sketch.wanted.push_back({status.result, 0, sketch.bands->size(), true});
  else
    sketch.next.pieces.push_back(
        {0, sketch.bands->picture().tiling.tiles(), file, {}, sketch.bands->head_in(0)});
  next_batch(self, key);
}

// --- Tiles

// Blocks of which some is not painted yet. One whose bytes went with a merge comes with its parent.
void collect(Self self, const Key& key, const JobSpec& spec, const Frontier& frontier) {
  auto& sketch = self->state.sketches.at(key);
  const BlockTree tree{spec.leaves()};
  sketch.awaited = 1;
  std::size_t taken = 0;
  for (const auto& [block, partial] : frontier.done) {
    const auto first = tree.begin(block) * spec.leaf_items;
    const auto end = std::min(tree.end(block) * spec.leaf_items, spec.items);
    if (partial.manifest || sketch.painted.contains(first, end) || ++taken > pieces_max)
      continue;
    const auto take = [=](PaintWork::Piece piece) {
      auto& to = self->state.sketches.at(key);
      to.painted.add(first, end);
      to.next.pieces.push_back(std::move(piece));
    };
    if (partial.bytes.size() == partial.size) {
      take({first, end, nullptr, partial.bytes});
      continue;
    }
    ++sketch.awaited;
    self->state.store_asks.ask<FilesAnswer>(self, FilesAsk{{partial.digest}},
                                            [=](const FilesAnswer& answer) {
                                              if (!answer.files.empty())
                                                take({first, end, answer.files.front(), {}});
                                              asked_one(self, key);
                                            });
  }
  asked_one(self, key);
}

void take_whole(Self self, const Key& key, const JobStatus& status) {
  const FilesAsk ask{{status.result}};
  self->state.store_asks.ask<FilesAnswer>(self, ask, [=](const FilesAnswer& answer) {
    if (answer.files.empty())
      return give_up(self, key, answer.why);
    auto& sketch = self->state.sketches.at(key);
    if (sketch.bands)
      return take_whole_bands(self, key, status, answer.files.front());
    sketch.next.whole = answer.files.front();
    sketch.whole = true;
    paint(self, key);
  });
}

void go_on(Self self, const Key& key, const JobStatus& status) {
  auto& sketch = self->state.sketches.at(key);
  sketch.made = now(self);
  sketch.state = status.state;
  sketch.done = status.leaves_done;
  sketch.holders = holders_of(status);
  if (status.state == JobState::done)
    return take_whole(self, key, status);
  const auto spec = status.spec;
  const auto with = sketch.bands ? collect_bands : collect;
  self->request(self->state.wiring->node, caf::infinite, FrontierAsk{spec->id})
      .then([=](const Frontier& frontier) { with(self, key, spec->spec, frontier); },
            [=](const caf::error&) { with(self, key, spec->spec, {}); }); // The job died.
}

// --- What picture it is

bool says(const Params& params, const char* name, const char* value) {
  const auto it = params.find(name);
  const auto* text = it == params.end() ? nullptr : std::get_if<std::string>(&it->second);
  return text && *text == value;
}

// Whose output is in order: its bytes lie where they were made.
bool are_bands(const Params& params) {
  return says(params, "shape", "band") && says(params, "format", "ppm");
}

void begin(Self self, const Key& key, const JobStatus& status, ByteView head) {
  const auto& spec = status.spec->spec;
  const auto* kernel = find_kernel(spec.kernel);
  const auto params = kernel ? decode_params(kernel->info(), spec.params) : Error{};
  const auto picture = params ? kernel->picture(*params, head) : std::nullopt;
  if (!picture || picture->tiling.tiles() != spec.items)
    return give_up(self, key,
                   {"E415",
                    "job " + name_of_job(key.first) + " makes no picture that could be shown",
                    "only results of tiles can be seen before they are done",
                    "see how it goes: tessera jobs"});
  auto& sketch = self->state.sketches.at(key);
  sketch.preview = std::make_shared<Preview>(*picture, key.second);
  if (are_bands(*params))
    sketch.bands.emplace(*picture);
  go_on(self, key, status);
}

void open(Self self, const Key& key, const JobStatus& status) {
  if (self->state.sketches.at(key).preview)
    return go_on(self, key, status);
  const auto* input = status.spec->spec.input(Input::Role::data);
  if (!input)
    return begin(self, key, status, {});
  self->state.store_asks.ask<FilesAnswer>(
      self, FilesAsk{{input->blob}}, [=](const FilesAnswer& answer) {
        if (answer.files.empty())
          return give_up(self, key, answer.why);
        const auto mapped = Mapping::of(*answer.files.front());
        if (!mapped)
          return give_up(self, key, mapped.error());
        const auto head = mapped->bytes();
        begin(self, key, status, head.first(std::min<std::size_t>(head.size(), 64)));
      });
}

bool good(Self self, const Sketch& sketch, const JobStatus& status) {
  if (!sketch.png)
    return false;
  if (sketch.state == status.state && (sketch.done == status.leaves_done || sketch.whole))
    return true;
  return !ended(status.state) && now(self) - sketch.made < paint_gap;
}

// Room for another; false: all are being painted.
bool make_room(ApiShell& s) {
  if (s.sketches.size() < sketches_max)
    return true;
  auto oldest = s.sketches.end();
  for (auto it = s.sketches.begin(); it != s.sketches.end(); ++it)
    if (!it->second.busy && (oldest == s.sketches.end() || it->second.made < oldest->second.made))
      oldest = it;
  if (oldest == s.sketches.end())
    return false;
  s.sketches.erase(oldest);
  return true;
}

std::optional<std::uint32_t> width_of(const HttpRequest& request) {
  const auto given = request.query.find("width");
  if (given == request.query.end())
    return width_default;
  const auto& text = given->second;
  std::uint32_t width = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), width);
  const bool whole = read.ec == std::errc{} && read.ptr == text.data() + text.size();
  if (!whole || width < preview_width_min || width > preview_width_max)
    return std::nullopt;
  return width;
}

} // namespace

void preview(Self self, const JobStatus& status, const HttpRequest& request, const Caller& caller) {
  auto& s = self->state;
  const auto width = width_of(request);
  if (!width)
    return refuse(caller, {"E400", "that width is none", "it is a number from 16 to 2048",
                           "GET " + request.path + "?width=512"});
  if (!s.book->rooted(status.spec->id))
    return refuse(caller,
                  {"E416", "job " + name_of_job(status.spec->id) + " is not rooted here",
                   "only its root can show it before it is done",
                   "ask at node " + to_text(status.root)},
                  404);
  const Key key{status.spec->id, *width};
  if (!s.sketches.contains(key) && !make_room(s))
    return refuse(caller,
                  {"E417", "too many previews are being painted",
                   std::to_string(sketches_max) + " are painted at a time", "ask again"},
                  503);
  auto& sketch = s.sketches[key];
  const auto tag = request.headers.find("if-none-match");
  const Sketch::Asker asker{caller, tag == request.headers.end() ? "" : tag->second};
  if (!sketch.busy && good(self, sketch, status))
    return answer_one(key, sketch, asker);
  sketch.askers.push_back(asker);
  if (!std::exchange(sketch.busy, true))
    open(self, key, status);
}

} // namespace tessera::api
