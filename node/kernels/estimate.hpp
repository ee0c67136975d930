#pragma once

#include <nlohmann/json.hpp>

#include <optional>

// How the kernels that sample tell what they found.
namespace tessera {

using OrderedJson = nlohmann::ordered_json;

// Adds the estimate, its standard error, and the interval that holds the truth 95 times in 100;
// null where one sample tells no error.
inline void put_estimate(OrderedJson& json, const char* name, double estimate,
                         std::optional<double> error) {
  constexpr double z95 = 1.959963984540054;
  const auto or_null = [](std::optional<double> x) { return x ? OrderedJson(*x) : OrderedJson(); };
  json[name] = estimate;
  json["standard_error"] = or_null(error);
  json["low_95"] = or_null(error ? std::optional(estimate - z95 * *error) : std::nullopt);
  json["high_95"] = or_null(error ? std::optional(estimate + z95 * *error) : std::nullopt);
}

} // namespace tessera
