#include "node/cli/terminal.hpp"

#include "node/cli/failed.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace tessera::cli {

namespace {

bool set(const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value;
}

void write(std::FILE* to, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), to);
}

// Code points, which is width enough for names and digits.
std::size_t width(std::string_view text) {
  return std::size_t(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string one_decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  std::string out = text;
  return out.ends_with(".0") ? out.substr(0, out.size() - 2) : out;
}

} // namespace

Terminal::Terminal(const Common& common)
    : json_(common.json), live_(isatty(STDERR_FILENO) == 1),
      colour_(wants_colour(common.colour, live_)),
      where_(common.data ? " --data " + *common.data : "") {
  if (!common.api.empty())
    where_ += " --api " + common.api + " --token-file " + common.token_file;
}

void Terminal::data(std::string_view text) {
  over("");
  write(stdout, text);
  if (!text.empty() && text.back() != '\n')
    write(stdout, "\n");
}

void Terminal::json(const nlohmann::json& object) {
  auto line = object;
  line["schema"] = 1;
  data(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void Terminal::note(std::string_view text) {
  over("");
  write(stderr, text);
  write(stderr, "\n");
}

void Terminal::next(std::string_view command) {
  if (json_)
    return;
  auto line = std::string{command};
  const auto verb_end = line.find(' ', line.find(' ') + 1); // After "tessera VERB".
  line.insert(std::min(verb_end, line.size()), where_);
  note(painted(" next  ", Paint::dim) + line);
}

void Terminal::error(const Error& error) {
  over("");
  if (json_) {
    const nlohmann::json line{
        {"schema", 1},
        {"error",
         {{"code", error.code}, {"what", error.what}, {"why", error.why}, {"fix", error.fix}}}};
    return note(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }
  note(painted(error.code, Paint::bad) + " " + shown(error.what) + "\n     " + shown(error.why) +
       "\n     " + shown(error.fix));
}

void Terminal::over(std::string_view line) {
  if (!live_ || (line.empty() && !line_open_))
    return;
  write(stderr, "\r\x1b[K");
  write(stderr, line);
  std::fflush(stderr);
  line_open_ = !line.empty();
}

std::string Terminal::painted(std::string_view text, Paint paint) const {
  const char* code = paint == Paint::good ? "32" : paint == Paint::bad ? "31" : "2";
  if (!colour_ || paint == Paint::plain)
    return std::string{text};
  return "\x1b[" + std::string{code} + "m" + std::string{text} + "\x1b[0m";
}

void Terminal::finish() {
  over("");
  if (std::fflush(stdout) == 0 && !std::ferror(stdout))
    return;
  throw Failed{Exit::failed,
               {"E440", "cannot write to standard output", std::strerror(errno),
                "is the disk full, or the pipe closed?"}};
}

bool wants_colour(Colour asked, bool terminal) {
  if (asked != Colour::automatic)
    return asked == Colour::always;
  if (set("NO_COLOR"))
    return false;
  if (set("CLICOLOR_FORCE") && std::strcmp(std::getenv("CLICOLOR_FORCE"), "0") != 0)
    return true;
  const char* term = std::getenv("TERM");
  return terminal && !(term && std::strcmp(term, "dumb") == 0);
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths.resize(std::max(widths.size(), i + 1));
      widths[i] = std::max(widths[i], width(row[i]));
    }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size())
        out.append(widths[i] - width(row[i]) + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

std::string shown(std::string_view text) {
  // dump() replaces what is not UTF-8, and escapes nothing but quotes, backslashes and controls.
  const auto clean =
      nlohmann::json::parse(nlohmann::json(std::string{text})
                                .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
          .get<std::string>();
  std::string out;
  for (std::size_t i = 0; i < clean.size(); ++i) {
    const auto c = static_cast<unsigned char>(clean[i]);
    const bool c1 = c == 0xC2 && i + 1 < clean.size() &&
                    static_cast<unsigned char>(clean[i + 1]) < 0xA0; // U+0080 to U+009F.
    i += c1;
    out += c < 32 || c == 127 || c1 ? '?' : char(c);
  }
  return out;
}

std::string seconds(std::uint64_t milliseconds) {
  if (milliseconds < 60'000)
    return one_decimal(double(milliseconds) / 1000) + " s";
  const auto whole = milliseconds / 1000;
  if (whole < 3600)
    return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  return std::to_string(whole / 3600) + " h " + std::to_string(whole / 60 % 60) + " min";
}

std::string bytes(std::uint64_t count) {
  const char* units[] = {" B", " KiB", " MiB", " GiB", " TiB"};
  double value = double(count);
  std::size_t unit = 0;
  for (; value >= 1024 && unit < 4; ++unit)
    value /= 1024;
  return one_decimal(value) + units[unit];
}

std::string short_job(std::string_view job) {
  return shown(job.substr(0, 6));
}

std::string short_node(std::string_view node) {
  return shown(node.substr(0, node.find('-')));
}

std::string text_at(const nlohmann::json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string{};
}

std::uint64_t number_at(const nlohmann::json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_number())
    return 0;
  if (it->is_number_float())
    return std::uint64_t(std::clamp(it->get<double>(), 0.0, 1e18));
  return it->is_number_unsigned() || it->get<std::int64_t>() > 0 ? it->get<std::uint64_t>() : 0;
}

} // namespace tessera::cli
