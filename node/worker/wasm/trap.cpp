#include "node/worker/wasm/trap.hpp"

#include "node/wasm/text.hpp"

#include <algorithm>

namespace tessera::wasm {

namespace {

constexpr std::size_t frames_max = 8, function_name_max = 60, words_max = 300;

std::string function_name(const wasm_frame_t* frame, const Outline& outline) {
  if (const auto* name = wasmtime_frame_func_name(frame))
    return plain_text(view({name->data, name->size}), function_name_max);
  const auto index = wasm_frame_func_index(frame);
  const auto e = std::ranges::find_if(outline.exports, [&](const Export& e) {
    return e.kind == Kind::function && e.index == index;
  });
  return e == outline.exports.end() ? "function " + std::to_string(index)
                                    : plain_text(view(e->name), function_name_max);
}

// "divide (at 0x5a) < middle (at 0x34) < run (at 0x12)": offsets are the module's own, as tools
// print them.
std::string backtrace(const Fall& fall, const Outline& outline) {
  wasm_frame_vec_t frames{0, nullptr};
  if (fall.trap)
    wasm_trap_trace(fall.trap.get(), &frames);
  else
    wasmtime_error_wasm_trace(fall.error.get(), &frames);
  std::string text;
  for (std::size_t i = 0; i != std::min(frames.size, frames_max); ++i) {
    char at[32];
    std::snprintf(at, sizeof at, " (at 0x%zx)", wasm_frame_module_offset(frames.data[i]));
    text += (i ? " < " : "") + function_name(frames.data[i], outline) + at;
  }
  if (frames.size > frames_max)
    text += " < ...";
  wasm_frame_vec_delete(&frames);
  return text;
}

std::string_view words_for(wasmtime_trap_code_t code) {
  switch (code) {
  case WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS:
    return "an access outside of its memory";
  case WASMTIME_TRAP_CODE_TABLE_OUT_OF_BOUNDS:
    return "an access outside of a table";
  case WASMTIME_TRAP_CODE_INDIRECT_CALL_TO_NULL:
    return "a call through a null function pointer";
  case WASMTIME_TRAP_CODE_BAD_SIGNATURE:
    return "a call through a function pointer of another type";
  case WASMTIME_TRAP_CODE_INTEGER_OVERFLOW:
    return "an integer overflow";
  case WASMTIME_TRAP_CODE_INTEGER_DIVISION_BY_ZERO:
    return "an integer division by zero";
  case WASMTIME_TRAP_CODE_BAD_CONVERSION_TO_INTEGER:
    return "a conversion to integer of a number that is none or too large";
  case WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED:
    return "an unreachable instruction (abort, panic or a failed assertion)";
  default:
    return "a trap";
  }
}

Error trapped(wasmtime_trap_code_t code, const std::string& entry, const std::string& calls,
              const Limits& limits) {
  if (code == WASMTIME_TRAP_CODE_STACK_OVERFLOW)
    return {"E721", "the module's stack is full in " + entry, "it recurses too deep: " + calls,
            "use a loop, or smaller recursion; the stack cannot be made larger"};
  if (code == WASMTIME_TRAP_CODE_OUT_OF_FUEL)
    return {"E722", "the module used up its fuel in " + entry,
            "one call may take " + std::to_string(limits.fuel) + " instructions; it was in " +
                calls,
            "use smaller leaves (--leaf N), or raise the limit in the spec"};
  return {"E720", "the module trapped in " + entry + ": " + std::string{words_for(code)},
          calls.empty() ? "it was being made" : "in " + calls,
          "run it alone to look closer: tessera run --local"};
}

} // namespace

Error explain(const Fall& fall, const Host& host, const Outline& outline,
              const std::string& entry) {
  const auto calls = backtrace(fall, outline);
  if (host.failure) {
    auto error = *host.failure;
    if (!calls.empty())
      error.why += "; in " + calls;
    return error;
  }
  wasmtime_trap_code_t code = 0;
  if (fall.trap && wasmtime_trap_code(fall.trap.get(), &code))
    return trapped(code, entry, calls, host.limits);
  const auto words = fall.error ? message_of(*fall.error) : "it gave no reason";
  return {"E723", "the module needs more than its limits", plain_text(view(words), words_max),
          "build it with less initial memory, or raise the memory limit in the spec"};
}

} // namespace tessera::wasm
