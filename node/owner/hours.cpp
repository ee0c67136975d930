#include "node/owner/hours.hpp"

#include <algorithm>
#include <array>

namespace tessera {

namespace {

constexpr int day_minutes = 24 * 60;
constexpr int days_ahead = 8; // In a week all repeats; one more for hours past midnight.
constexpr std::array<std::string_view, 7> names{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

std::optional<int> parse_day(std::string_view text) {
  const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
  for (std::size_t i = 0; i != names.size(); ++i)
    if (std::ranges::equal(text, names[i], same))
      return int(i);
  return {};
}

// "Mon" or "Fri-Mon".
std::optional<std::uint8_t> parse_days(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = parse_day(text.substr(0, dash));
  const auto last = dash == text.npos ? first : parse_day(text.substr(dash + 1));
  if (!first || !last)
    return {};
  std::uint8_t days = 0;
  for (int day = *first;; day = (day + 1) % 7) {
    days |= std::uint8_t(1 << day);
    if (day == *last)
      return days;
  }
}

std::optional<std::uint8_t> parse_day_list(std::string_view text) {
  std::uint8_t days = 0;
  for (;;) {
    const auto comma = text.find(',');
    const auto some = parse_days(text.substr(0, comma));
    if (!some)
      return {};
    days |= *some;
    if (comma == text.npos)
      return days;
    text.remove_prefix(comma + 1);
  }
}

std::optional<int> parse_minute(std::string_view text) { // "HH:MM", up to 24:00.
  if (text.size() != 5 || text[2] != ':')
    return {};
  for (const auto i : {0u, 1u, 3u, 4u})
    if (text[i] < '0' || text[i] > '9')
      return {};
  const auto two = [&](std::size_t i) { return (text[i] - '0') * 10 + text[i + 1] - '0'; };
  const int minute = two(0) * 60 + two(3);
  return two(3) < 60 && minute <= day_minutes ? std::optional{minute} : std::nullopt;
}

std::string clock_text(int minute) {
  std::string text = "00:00";
  text[0] = char('0' + minute / 600), text[1] = char('0' + minute / 60 % 10);
  text[3] = char('0' + minute % 60 / 10), text[4] = char('0' + minute % 10);
  return text;
}

bool begins_on(const Hours& hours, int day) {
  return (hours.days >> ((day + 7) % 7)) & 1;
}

bool lies_within(const Hours& hours, const std::tm& local) {
  const int minute = local.tm_hour * 60 + local.tm_min;
  if (hours.from < hours.until)
    return begins_on(hours, local.tm_wday) && hours.from <= minute && minute < hours.until;
  return (begins_on(hours, local.tm_wday) && hours.from <= minute) ||
         (begins_on(hours, local.tm_wday - 1) && minute < hours.until);
}

std::tm local_time(std::time_t at) {
  std::tm local{};
  ::localtime_r(&at, &local);
  return local;
}

} // namespace

std::optional<Hours> parse_hours(std::string_view text) {
  Hours hours;
  const auto space = text.find(' ');
  const auto first = text.substr(0, space);
  if (!first.empty() && (first[0] < '0' || first[0] > '9')) {
    const auto days = parse_day_list(first);
    if (!days)
      return {};
    hours.days = *days;
    if (space == text.npos)
      return hours;
    text.remove_prefix(space + 1);
  }
  const auto dash = text.find('-');
  const auto from = parse_minute(text.substr(0, dash));
  const auto until = dash == text.npos ? std::nullopt : parse_minute(text.substr(dash + 1));
  if (!from || !until || *from == day_minutes)
    return {};
  hours.from = *from, hours.until = *until % day_minutes;
  return hours;
}

std::string to_text(const Hours& hours) {
  std::string days;
  for (int day = 1; day <= 7; ++day) // A week begins on Monday here.
    if (begins_on(hours, day))
      days += (days.empty() ? "" : ",") + std::string{names[std::size_t(day % 7)]};
  const auto time = clock_text(hours.from) + "-" + clock_text(hours.until);
  return hours.days == 0x7f ? time : days + " " + time;
}

bool within(const std::vector<Hours>& hours, std::time_t at) {
  const auto local = local_time(at);
  return std::ranges::any_of(hours, [&](const Hours& h) { return lies_within(h, local); });
}

std::optional<std::time_t> next_change(const std::vector<Hours>& hours, std::time_t at) {
  const bool now = within(hours, at);
  const auto today = local_time(at);
  std::optional<std::time_t> next;
  const auto look = [&](int day, int minute) {
    auto local = today;
    local.tm_mday += day;
    local.tm_hour = minute / 60, local.tm_min = minute % 60, local.tm_sec = 0, local.tm_isdst = -1;
    const auto then = std::mktime(&local);
    if (then > at && (!next || then < *next) && within(hours, then) != now)
      next = then;
  };
  for (int day = 0; day <= days_ahead; ++day)
    for (const auto& h : hours)
      look(day, h.from), look(day, h.until);
  return next;
}

} // namespace tessera
