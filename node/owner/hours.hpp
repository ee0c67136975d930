#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Hours of the week, as an owner says them: "22:00-07:00", "Mon-Fri 19:00-08:00", "Sat,Sun". They
// are meant by the clock on the wall, so that a change to or from summer time moves none of them.
namespace tessera {

struct Hours {
  std::uint8_t days = 0x7f; // Bit 0: Sunday. Those on which they begin.
  int from = 0, until = 0;  // Minutes since midnight; until <= from: on the next day.

  bool operator==(const Hours&) const = default;
};

std::optional<Hours> parse_hours(std::string_view text);
std::string to_text(const Hours& hours); // "Mon,Tue 19:00-08:00"

// Whether `at` lies within any of them, by the process's time zone.
bool within(const std::vector<Hours>& hours, std::time_t at);

// When that is next otherwise; nothing: never.
std::optional<std::time_t> next_change(const std::vector<Hours>& hours, std::time_t at);

} // namespace tessera
