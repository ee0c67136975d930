#include "node/cli/task_lines.hpp"

#include "node/cli/failed.hpp"
#include "node/cli/terminal.hpp"

#include <nlohmann/json.hpp>

namespace tessera::cli {

namespace {

using Json = nlohmann::json;

constexpr std::size_t line_bytes_kept = 4096; // Errors are shorter.
constexpr std::string_view error_begins = R"({"error":{"code":)";

} // namespace

void TaskLines::pass(std::string_view piece) {
  while (!piece.empty()) {
    const auto end = piece.find('\n');
    const auto part = piece.substr(0, end);
    line_ += part.substr(0, line_bytes_kept - std::min(line_bytes_kept, line_.size()));
    if (end == piece.npos)
      return;
    end_line();
    piece.remove_prefix(end + 1);
  }
}

void TaskLines::end_line() {
  ++lines_;
  if (line_.starts_with(error_begins) && failed_++ == 0) {
    first_failed_ = lines_;
    first_ = line_;
  }
  line_.clear();
}

void TaskLines::check() const {
  if (failed_ == 0)
    return;
  const auto json = Json::parse(first_, nullptr, false);
  const auto error = json.is_object() ? json.value("error", Json::object()) : Json::object();
  throw Failed{Exit::partial,
               {"E603",
                std::to_string(failed_) + " of " + std::to_string(lines_) +
                    (lines_ == 1 ? " task failed" : " tasks failed"),
                "the first is task " + std::to_string(first_failed_) + ": " +
                    shown(text_at(error, "code")) + " " + shown(text_at(error, "what")) + "; " +
                    shown(text_at(error, "why")),
                "the lines of the others are their results; those of these begin with {\"error\""}};
}

} // namespace tessera::cli
