#include "node/owner/policy.hpp"

#include <algorithm>

namespace tessera {

namespace {

std::int64_t ms(Duration d) {
  return std::chrono::ceil<std::chrono::milliseconds>(d).count();
}

} // namespace

Verdict Policy::judge(const Readings& readings, std::int64_t unix_ms, Time now) {
  // All are asked: each remembers.
  const auto use = by_use(readings, unix_ms, now);
  const auto mains = by_mains(readings, now);
  const auto hours = by_hours(unix_ms);
  for (const auto& no : {hours, mains, use})
    if (no)
      return *no;
  return {};
}

std::optional<Verdict> Policy::by_hours(std::int64_t unix_ms) const {
  const auto at = std::time_t(unix_ms / 1000);
  if (settings_.hours.empty() || within(settings_.hours, at))
    return {};
  Verdict no{false, "outside of its hours", {}};
  if (const auto next = next_change(settings_.hours, at))
    no.until_ms = std::int64_t(*next) * 1000;
  return no;
}

// A machine that does not tell has no battery.
std::optional<Verdict> Policy::by_mains(const Readings& readings, Time now) {
  if (!settings_.mains)
    return {};
  if (!readings.on_mains.value_or(true))
    battery_at_ = now;
  if (!battery_at_ || *battery_at_ + mains_settle <= now)
    return {};
  return Verdict{false, "on battery", {}};
}

std::optional<Verdict> Policy::by_use(const Readings& readings, std::int64_t unix_ms, Time now) {
  if (settings_.idle == Duration::zero())
    return {};
  const auto used = [&](Time at) { used_at_ = used_at_ ? std::max(*used_at_, at) : at; };
  if (readings.since_input)
    used(now - *readings.since_input);
  if (readings.cores_used.value_or(0) > cores_used_max)
    used(now);
  if (!used_at_ || *used_at_ + settings_.idle <= now)
    return {};
  return Verdict{false, "somebody uses this machine",
                 unix_ms + ms(*used_at_ + settings_.idle - now)};
}

std::string Policy::sources(const Readings& readings) const {
  std::string text;
  const auto add = [&](const std::string& what) { text += (text.empty() ? "" : "; ") + what; };
  if (settings_.idle > Duration::zero()) {
    std::string by;
    for (const auto& source : readings.input_heard)
      by += source + ", ";
    add("idle by " + by + "processor use");
    if (readings.input_heard.empty())
      add("nothing here tells of keys and mouse");
  }
  if (settings_.mains)
    add(readings.on_mains ? "mains by the power supply" : "no power supply listed: on mains");
  if (!settings_.hours.empty())
    add("hours by the local clock");
  return text;
}

} // namespace tessera
