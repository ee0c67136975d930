#include "node/cli/event_frames.hpp"
#include "node/cli/watch_model.hpp"
#include "tests/fuzz/input.hpp"

#include <algorithm>

// An event stream of any bytes, as `watch` hears it. Its frames are the same however it is cut,
// stay within their bound, and a screen can be drawn of what they say.
namespace {

using namespace tessera;
using namespace tessera::cli;
using fuzz::must;

constexpr std::size_t bytes_max = 4096;
using Frames = std::vector<EventFrame>;

// Cut into pieces of so many bytes. Nothing: refused.
std::optional<Frames> in_pieces(std::string_view text, std::size_t size) {
  EventFrames cut{bytes_max};
  Frames all;
  for (std::size_t at = 0; at < text.size(); at += size) {
    const auto some = cut.push(text.substr(at, size));
    if (!some)
      return std::nullopt;
    all.insert(all.end(), some->begin(), some->end());
  }
  return all;
}

void hear(const Frames& frames, const std::string& job) {
  WatchModel model{job};
  std::uint64_t now = 0;
  for (const auto& frame : frames)
    model.take(frame, now += 100);
  WatchView view;
  model.show(view, now);
  must(view.one == !job.empty());
  must(!model.over() || (model.began() && view.one));
  for (const auto& each : view.jobs)
    must(each.is_object());
}

} // namespace

std::vector<Bytes> tessera::fuzz::seeds() {
  const auto file = [](std::string_view text) { return to_bytes(view(text)); };
  return {
      file("id: 1\nevent: snapshot\ndata: {\"schema\":1,\"status\":{\"name\":\"a\",\"slots\":2},"
           "\"peers\":[{\"id\":\"A\",\"self\":true}],\"jobs\":[{\"job\":\"7f\",\"state\":"
           "\"running\","
           "\"done\":1,\"microtasks\":9,\"shares\":[{\"node\":\"A\",\"microtasks\":1}]}]}\n\n"),
      file("event: job\ndata: {\"job\":\"7f\",\"round\":2,\"priority\":3}\n\n: beat\n\n"),
      file("event: load\rdata: {\"running\":1}\r\revent: job_gone\r\ndata: "
           "{\"job\":\"7f\"}\r\n\r\n"),
      file("event: peer\ndata: {\"id\":\"B\"}\n\nevent: peer_gone\ndata: {\"id\":\"B\"}\n\n"),
      file("data: two\ndata: lines\n\nevent: resync\ndata: {\"why\":\"slow\"}\n\n")};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = text_of({data, size});
  const auto whole = in_pieces(text, std::max<std::size_t>(1, size));
  must(in_pieces(text, 1) == whole && in_pieces(text, 7) == whole);
  if (!whole)
    return 0;
  for (const auto& frame : *whole)
    must(frame.data.size() <= bytes_max && frame.id.size() <= bytes_max);
  hear(*whole, "");
  hear(*whole, "7f");
  return 0;
}
