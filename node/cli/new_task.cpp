#include "node/cli/new_task.hpp"

#include "node/cli/failed.hpp"
#include "node/cli/sdk_files.hpp"
#include "node/cli/verbs.hpp"
#include "node/kernels/nearest.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>

namespace tessera::cli {

namespace fs = std::filesystem;

namespace {

// What of the SDK goes into a project beside its language's template, and as what.
using Copies = std::vector<std::pair<std::string_view, std::string_view>>;

const std::map<std::string, Copies> copies_of{
    {"c", {{"c/tessera.h", "tessera.h"}, {"c/sum.c", "task.c"}}},
    {"cpp", {{"cpp/tessera.hpp", "tessera.hpp"}, {"cpp/sum.cpp", "task.cpp"}}},
    {"rust",
     {{"rust/Cargo.toml", "tessera/Cargo.toml"},
      {"rust/src/lib.rs", "tessera/src/lib.rs"},
      {"rust/sum.rs", "src/lib.rs"}}},
    {"as", {{"as/tessera.ts", "tessera.ts"}, {"as/sum.ts", "task.ts"}}},
};

const std::map<std::string, std::string> other_names{
    {"c++", "cpp"}, {"cxx", "cpp"},           {"cc", "cpp"},       {"rs", "rust"},
    {"ts", "as"},   {"assemblyscript", "as"}, {"typescript", "as"}};

Failed unknown_language(const std::string& typed) {
  const auto other = other_names.find(typed);
  const auto near = other != other_names.end() ? other->second : nearest(typed, task_languages());
  return {Exit::usage,
          {"E402", "there is no language \"" + typed + "\"", "tasks begin in c, cpp, rust or as",
           near.empty() ? "for instance: --lang c" : "did you mean: --lang " + near}};
}

Failed cannot_make(const fs::path& path, const std::string& why) {
  return {Exit::failed,
          {"E442", "cannot write " + path.string(), why, "choose a folder that you may write"}};
}

void make_empty_folder(const fs::path& folder) {
  std::error_code bad;
  const bool there = fs::exists(fs::symlink_status(folder, bad));
  const bool empty = there && fs::is_directory(folder, bad) && fs::is_empty(folder, bad);
  if (!bad && there && !empty)
    throw Failed{Exit::usage,
                 {"E441", "there is something at " + folder.string() + " already",
                  "a new task wants a folder that is absent or empty",
                  "name another: tessera new task --lang c DIR"}};
  if (!there)
    fs::create_directories(folder, bad);
  if (bad)
    throw cannot_make(folder, bad.message());
}

void write_file(const fs::path& path, std::string_view text) {
  std::error_code bad;
  fs::create_directories(path.parent_path(), bad);
  errno = 0;
  std::ofstream out{path, std::ios::binary};
  out << text << std::flush;
  if (bad || !out)
    throw cannot_make(path, bad ? bad.message() : std::strerror(errno));
}

// Path below the folder to text.
std::map<std::string, std::string_view> project(const std::string& language) {
  const auto prefix = "templates/" + language + "/";
  std::map<std::string, std::string_view> files;
  for (const auto& [path, text] : sdk_files()) {
    if (path.starts_with(prefix))
      files[std::string{path.substr(prefix.size())}] = text;
    for (const auto& [from, to] : copies_of.at(language))
      if (path == from)
        files[std::string{to}] = text;
  }
  return files;
}

} // namespace

const std::vector<std::string>& task_languages() {
  static const std::vector<std::string> names{"c", "cpp", "rust", "as"};
  return names;
}

std::vector<std::string> write_task(const std::string& language, const fs::path& folder) {
  if (!copies_of.contains(language))
    throw unknown_language(language);
  make_empty_folder(folder);
  std::vector<std::string> written;
  for (const auto& [path, text] : project(language)) {
    write_file(folder / path, text);
    written.push_back(path);
  }
  return written;
}

void new_thing(const Command& c, Terminal& terminal) {
  const auto written = write_task(c.creation.language, c.creation.folder);
  if (c.common.json)
    return terminal.json({{"language", c.creation.language},
                          {"folder", fs::absolute(c.creation.folder).lexically_normal().string()},
                          {"files", written}});
  for (const auto& path : written)
    terminal.data((fs::path{c.creation.folder} / path).string());
  terminal.note(" next  cd " + c.creation.folder + " && make && make test");
}

} // namespace tessera::cli
