#pragma once

#include "node/wasm/abi.hpp"
#include "node/worker/wasm/engine.hpp"

#include <array>
#include <memory>

// A module in a worker: checked, and compiled in each mode on first need. The code stays in memory
// only.
namespace tessera::wasm {

class Module {
public:
  // Checks, and compiles in `mode`. The engine outlives the module. Errors are check_module's, and
  // E502 where the engine finds the code invalid; E729.
  static Result<std::shared_ptr<Module>> compile(Engine& engine, std::string name, ByteView bytes,
                                                 const Limits& limits, Mode mode = {});

  const Engine& engine() const { return engine_; }
  const std::string& name() const { return name_; }
  const Abi& abi() const { return abi_; }
  const Limits& limits() const { return limits_; }

  // Compiled, with its imports resolved. Errors as of compile.
  struct Code {
    wasm_engine_t* engine = nullptr;
    ModuleHandle module;
    ReadyHandle ready;
  };
  Result<const Code*> code(Mode mode);

private:
  Module(Engine& engine, std::string name, Bytes bytes, const Limits& limits, Abi abi)
      : engine_(engine), name_(std::move(name)), bytes_(std::move(bytes)), limits_(limits),
        abi_(std::move(abi)) {}

  Engine& engine_;
  std::string name_;
  Bytes bytes_;
  Limits limits_;
  Abi abi_;
  std::array<std::unique_ptr<Code>, 4> codes_; // By mode.
};

} // namespace tessera::wasm
