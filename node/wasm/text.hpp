#pragma once

#include "crypto/bytes.hpp"

// Words of strangers in our errors: one line of valid UTF-8 without control characters, of at most
// `bytes_max` bytes; what does not fit or parse shows as "..." or "?".
namespace tessera::wasm {

std::string plain_text(ByteView bytes, std::size_t bytes_max);

} // namespace tessera::wasm
