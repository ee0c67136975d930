#pragma once

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"

// What single tasks yield, a line for each (NDJSON): a result that is JSON as it stands, other text
// as a JSON string, other bytes as {"base64": "..."}; a task that failed as {"error": {"code",
// "what", "why", "fix"}}, since the others go on.
namespace tessera {

inline constexpr std::size_t task_result_bytes_max = 1 << 20;

// With the "\n". E735 in the line where the result is too long.
void put_result_line(ByteView result, Bytes& out);
void put_error_line(const Error& why, Bytes& out);

} // namespace tessera
