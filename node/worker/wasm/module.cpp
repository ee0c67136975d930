#include "node/worker/wasm/module.hpp"

#include "node/wasm/text.hpp"
#include "node/worker/wasm/host.hpp"

namespace tessera::wasm {

namespace {

constexpr std::size_t words_max = 300; // Of the engine, in an error.

Error invalid(const std::string& name, const wasmtime_error_t& error) {
  return {
      "E502", name + " does not compile",
      "the engine says: " + plain_text(view(message_of(error)), words_max),
      "build it for baseline WebAssembly with SIMD: no threads, relaxed SIMD, tail calls or GC"};
}

} // namespace

Result<std::shared_ptr<Module>> Module::compile(Engine& engine, std::string name, ByteView bytes,
                                                const Limits& limits, Mode mode) {
  auto abi = check_module(name, bytes, limits);
  if (!abi)
    return abi.error();
  const std::shared_ptr<Module> module{
      new Module{engine, std::move(name), to_bytes(bytes), limits, std::move(*abi)}};
  if (auto code = module->code(mode); !code)
    return code.error();
  return module;
}

Result<const Module::Code*> Module::code(Mode mode) {
  auto& code = codes_[std::size_t(mode.canonical_nans) + 2 * std::size_t(mode.fuel)];
  if (code)
    return code.get();
  const auto engine = engine_.get(mode);
  if (!engine)
    return engine.error();
  auto made = std::make_unique<Code>();
  made->engine = *engine;
  wasmtime_module_t* module = nullptr;
  if (const ErrorHandle error{
          wasmtime_module_new(made->engine, bytes_.data(), bytes_.size(), &module)})
    return invalid(name_, *error);
  made->module.reset(module);
  const LinkerHandle linker{wasmtime_linker_new(made->engine)};
  define_host(linker.get(), abi_.form);
  wasmtime_instance_pre_t* ready = nullptr;
  if (const ErrorHandle error{wasmtime_linker_instantiate_pre(linker.get(), module, &ready)})
    return invalid(name_, *error);
  made->ready.reset(ready);
  code = std::move(made);
  return code.get();
}

} // namespace tessera::wasm
