#pragma once

#include "node/cli/command.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

// How things are said: data on stdout, the rest on stderr, colour where it is wanted. What comes
// from other nodes is shown without its control characters.
namespace tessera::cli {

enum class Paint { plain, good, bad, dim };

class Terminal {
public:
  explicit Terminal(const Common& common);

  void data(std::string_view text); // A whole line, or several.
  void json(const nlohmann::json& object);
  void note(std::string_view text);    // A line on stderr.
  void next(std::string_view command); // The command that a person would type now.
  void error(const Error& error);
  void over(std::string_view line); // Overwrites the line on stderr; "" clears it.

  bool live() const { return live_; }                            // stderr is a terminal.
  std::string painted(std::string_view text, Paint paint) const; // For stderr.
  void finish();                                                 // Throws if stdout took not all.

private:
  bool json_;
  bool live_;
  bool colour_;
  bool line_open_ = false;
  std::string where_; // " --data DIR", for the next command.
};

bool wants_colour(Colour asked, bool terminal);

// Columns as wide as their widest cell, two spaces apart.
std::string table(const std::vector<std::vector<std::string>>& rows);

std::string shown(std::string_view text);        // Control characters and bad UTF-8 as '?'.
std::string seconds(std::uint64_t milliseconds); // "6.3 s", "2 min 5 s".
std::string bytes(std::uint64_t count);          // "2 GiB", "1.5 MiB".
std::string short_job(std::string_view job);     // 6 digits.
std::string short_node(std::string_view node);   // The first group.

// A member of an API object, or the type's zero where it is missing or of another type.
std::string text_at(const nlohmann::json& object, const char* name);
std::uint64_t number_at(const nlohmann::json& object, const char* name);

} // namespace tessera::cli
