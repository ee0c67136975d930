#pragma once

#include "crypto/result.hpp"

#include <filesystem>
#include <string_view>

namespace tessera {

// Replaces a file, mode 0600, whole or not at all; makes its folder, mode 0700, where there is
// none. E313: it cannot be written; E111: the disk is full.
Status write_secret_file(const std::filesystem::path& file, std::string_view text);

} // namespace tessera
