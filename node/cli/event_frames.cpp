#include "node/cli/event_frames.hpp"

#include <utility>

namespace tessera::cli {

std::optional<std::vector<EventFrame>> EventFrames::push(std::string_view bytes) {
  std::vector<EventFrame> found;
  while (!bytes.empty()) {
    if (std::exchange(after_return_, false) && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      continue;
    }
    const auto end = bytes.find_first_of("\r\n");
    const auto part = bytes.substr(0, end);
    if (part.size() > bytes_max_ - line_.size())
      return std::nullopt;
    line_ += part;
    if (end == bytes.npos)
      break;
    after_return_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    if (data_ && data_->size() + line_.size() > bytes_max_)
      return std::nullopt;
    line_over(found);
  }
  return found;
}

void EventFrames::line_over(std::vector<EventFrame>& found) {
  const auto line = std::exchange(line_, {});
  if (!line.empty()) {
    const auto colon = line.find(':'); // At 0: a comment, which is a field without a name.
    auto value = colon == line.npos ? std::string_view{} : std::string_view{line}.substr(colon + 1);
    if (value.starts_with(' '))
      value.remove_prefix(1);
    return field(std::string_view{line}.substr(0, colon), value);
  }
  auto kind = std::exchange(kind_, {});
  if (const auto data = std::exchange(data_, {}))
    found.push_back({id_, kind.empty() ? "message" : std::move(kind), *data});
}

void EventFrames::field(std::string_view name, std::string_view value) {
  if (name == "data")
    data_ = data_ ? std::move(*data_) + '\n' + std::string{value} : std::string{value};
  else if (name == "event")
    kind_ = value;
  else if (name == "id" && value.find('\0') == value.npos)
    id_ = value;
}

} // namespace tessera::cli
