#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// A text/event-stream, cut into frames, however the bytes come. Source: the HTML standard, 9.2.6.
// Comments (": beat") make no frame. Pure: bytes in, frames out.
namespace tessera::cli {

// A line, or the data of a frame: a snapshot of all jobs is the largest. The dashboard's, too.
inline constexpr std::size_t event_frame_bytes_max = std::size_t{64} << 20;

struct EventFrame {
  std::string id; // The last that was said, here or before.
  std::string kind = "message";
  std::string data;
  bool operator==(const EventFrame&) const = default;
};

class EventFrames {
public:
  explicit EventFrames(std::size_t bytes_max = event_frame_bytes_max) : bytes_max_(bytes_max) {}

  // Those that are whole now. Nothing: one is too long, and the stream of no use any more.
  std::optional<std::vector<EventFrame>> push(std::string_view bytes);

private:
  void line_over(std::vector<EventFrame>& found);
  void field(std::string_view name, std::string_view value);

  std::size_t bytes_max_;
  std::string line_, id_, kind_;
  std::optional<std::string> data_;
  bool after_return_ = false; // A '\n' that follows belongs to it.
};

} // namespace tessera::cli
