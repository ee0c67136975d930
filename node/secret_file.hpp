#pragma once

#include "crypto/result.hpp"

#include <filesystem>
#include <string_view>

namespace tessera {

// Replaces a file, mode 0600, whole or not at all; makes its folder, mode 0700. E313: it cannot be
// written.
Status write_secret_file(const std::filesystem::path& file, std::string_view text);

} // namespace tessera
