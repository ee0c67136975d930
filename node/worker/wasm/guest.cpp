#include "node/worker/wasm/guest.hpp"

namespace tessera::wasm {

// While an instance is being made: its start function may call us.
std::span<std::uint8_t> Guest::early_memory() {
  wasmtime_extern_t item;
  if (!wasmtime_caller_export_get(caller_, "memory", 6, &item) ||
      item.kind != WASMTIME_EXTERN_MEMORY)
    return {};
  return {wasmtime_memory_data(context_, &item.of.memory),
          wasmtime_memory_data_size(context_, &item.of.memory)};
}

bool Guest::ended(Error why) {
  if (!host_.failure)
    host_.failure = std::move(why);
  return false;
}

bool Guest::misused(const char* function, const std::string& why) {
  return ended({"E728", std::string{"the module misused "} + function, "it passed " + why,
                "this is a fault of the module: check the pointers that it passes"});
}

bool Guest::put32(const char* function, std::uint32_t at, std::uint32_t value) {
  const auto to = stretch(function, at, 4);
  if (!to)
    return false;
  for (int i = 0; i != 4; ++i)
    (*to)[i] = std::uint8_t(value >> (8 * i));
  return true;
}

std::optional<std::uint32_t> Guest::get32(const char* function, std::uint32_t at) {
  const auto from = stretch(function, at, 4);
  if (!from)
    return std::nullopt;
  return std::uint32_t((*from)[0]) | std::uint32_t((*from)[1]) << 8 |
         std::uint32_t((*from)[2]) << 16 | std::uint32_t((*from)[3]) << 24;
}

bool Guest::append(const char* function, ByteView bytes) {
  if (!host_.out)
    return misused(function, "output before its first call");
  const auto size = host_.out->size() - host_.out_before + bytes.size();
  if (size > host_.limits.output_bytes)
    return ended({"E724", "a microtask's output is too long",
                  "at most " + std::to_string(host_.limits.output_bytes) +
                      " bytes are allowed for one call, and it wrote " + std::to_string(size),
                  "use smaller leaves (--leaf N), or raise the limit in the spec"});
  host_.out->insert(host_.out->end(), bytes.begin(), bytes.end());
  return true;
}

} // namespace tessera::wasm
