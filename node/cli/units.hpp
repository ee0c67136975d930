#pragma once

#include "net/message.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What people type for numbers, sizes, times and addresses. Nothing: it is none.
namespace tessera::cli {

std::optional<std::uint64_t> parse_number(std::string_view text);      // Digits, below 2^64.
std::optional<std::uint64_t> parse_size(std::string_view text);        // "512M", "2GiB", "4096".
std::optional<std::uint64_t> parse_rate(std::string_view text);        // The same, or "512K/s".
std::optional<std::uint32_t> parse_percent(std::string_view text);     // "50%" or "50".
std::optional<std::chrono::seconds> parse_time(std::string_view text); // "90s", "30m", "2h", "1d".
// "10.0.0.5:7700", "attic", "[fe80::1]:7700", ":7700".
std::optional<Address> parse_address(std::string_view text, const std::string& default_host);

} // namespace tessera::cli
