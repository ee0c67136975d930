#pragma once

#include "node/cli/command.hpp"

#include <CLI/App.hpp>
#include <nlohmann/json.hpp>

// Flags of `submit` and `run` that say what a submitter wishes beside the work itself.
namespace tessera::cli {

struct WishFlags { // As typed.
  std::string priority, require, ttl;

  void add(CLI::App& verb, Wishing& to);
  void take(Wishing& to) const; // Throws Failed with E400.
};

// As the body of POST /v1/jobs has them.
void wishes_into(const Wishing& wishing, nlohmann::json& body);

} // namespace tessera::cli
