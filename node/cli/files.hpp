#pragma once

#include "crypto/bytes.hpp"

#include <string>

// Files that are read as a whole; "-" is standard input. E424: it cannot be read; E425: it is
// larger than the API takes.
namespace tessera::cli {

Bytes read_file(const std::string& name);

} // namespace tessera::cli
