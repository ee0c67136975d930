#pragma once

#include <span>
#include <string_view>

// What lies in examples/sdk, carried in the program so that it writes projects on machines that
// have no copy of our sources. Made by cmake/Embed.cmake.
namespace tessera::cli {

struct SdkFile {
  std::string_view path; // Below examples/sdk: "c/tessera.h".
  std::string_view text;
};

std::span<const SdkFile> sdk_files();

} // namespace tessera::cli
