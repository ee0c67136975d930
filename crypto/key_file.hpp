#pragma once

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"

#include <filesystem>
#include <functional>

// The file that holds a node's key: 64 bytes, the Ed25519 seed and behind it the public key, whose
// disagreement shows a damaged file. Mode 0600, in a folder that is made 0700.
namespace tessera {

using KeyFileContent = Secret<64>;

// The file's content; where there is no file, made by `make`, and on the disk before this returns.
// It appears whole or not at all, and of two nodes that make it at once both return the same.
// E101: unreadable, not a plain file, of a wrong size, or within reach of other users.
Result<KeyFileContent> read_or_create_key_file(const std::filesystem::path& file,
                                               const std::function<KeyFileContent()>& make);

Error key_file_damaged(const std::filesystem::path& file);

} // namespace tessera
