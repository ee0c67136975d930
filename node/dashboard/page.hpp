#pragma once

#include "node/http/server.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

// The dashboard: one page with its styles and scripts, carried in the program. They are the same
// for everybody and hold no secret, so no token is wanted for them; what they show is asked of the
// API, with one.
namespace tessera::dashboard {

struct PageFile {
  std::string_view path; // "index.html"
  std::string_view text;
};

std::span<const PageFile> page_files(); // Made by cmake/Embed.cmake.

// "/" and "/NAME" of each file; nothing for any other path. The page may load from this server
// only, runs no inline script, and stands in nobody's frame.
std::optional<HttpReply> page(const std::string& path);

} // namespace tessera::dashboard
