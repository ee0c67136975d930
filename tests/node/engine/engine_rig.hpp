#pragma once

#include "node/worker/wasm/module_run.hpp"
#include "tests/support/wat.hpp"

#include <doctest/doctest.h>

// Modules in this process, for tests.
namespace tessera::rig {

inline wasm::Engine& engine() {
  static wasm::Engine one;
  return one;
}

inline std::shared_ptr<wasm::Module> compiled(const Bytes& bytes, const wasm::Limits& limits = {}) {
  auto module = wasm::Module::compile(engine(), "task.wasm", bytes, limits);
  INFO((module ? "" : to_text(module.error())));
  REQUIRE(module.ok());
  return *module;
}

} // namespace tessera::rig
