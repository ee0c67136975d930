#include "node/wasm/abi.hpp"

#include "node/wasm/text.hpp"

#include <algorithm>
#include <tuple>

namespace tessera::wasm {

namespace {

constexpr std::size_t name_bytes_max = 128; // Of names from a module, in errors.

std::string quoted(std::string_view name) {
  return plain_text(view(name), name_bytes_max);
}

std::string form_hint(const Import& i, Form form) {
  if (i.module == host_module)
    return "use the functions of one ABI version: tessera new task writes the header for it";
  if (i.module == wasi_module && form == Form::command)
    return "a command reads stdin and writes stdout: take out files, clocks, randomness and "
           "threads";
  if (i.module == wasi_module)
    return "C: take out printf, files and clocks, and build with -mexec-model=reactor -Wl,-s";
  if (i.module == "env" && i.name == "abort")
    return "AssemblyScript: asc --use abort=...  (see tessera new task --lang as)";
  if (i.module.starts_with("wbg") || i.module.starts_with("__wbindgen"))
    return "Rust: build for wasm32-unknown-unknown without wasm-bindgen";
  if (i.module == "env")
    return "define " + quoted(i.name) + " in the module, or link the library that does";
  return "take it out, or see: tessera new task";
}

Error not_offered(std::string_view name, const Import& i, Form form) {
  const auto offered = form == Form::kernel ? host_module : wasi_module;
  return {"E501", std::string{name} + " imports " + quoted(i.module) + "." + quoted(i.name),
          "only " + std::string{offered} + " is offered to " +
              (form == Form::kernel ? "kernels" : "commands") + ", and it has no such " +
              std::string{to_text(i.kind)},
          form_hint(i, form)};
}

Status check_import(std::string_view name, const Import& i, Form form) {
  const auto& offered = host_functions(form);
  const auto at = std::ranges::find(offered, i.name, &HostFunction::name);
  const auto module = form == Form::kernel ? host_module : wasi_module;
  if (i.module != module || i.kind != Kind::function || at == offered.end())
    return not_offered(name, i, form);
  if (i.signature == at->signature)
    return Nothing{};
  return Error{"E501",
               std::string{name} + " imports " + i.module + "." + i.name + " as " +
                   to_text(i.signature),
               "its type is " + to_text(at->signature),
               "declare it so: tessera new task writes the header for it"};
}

Error bad_export(std::string_view name, const std::string& what, const std::string& why) {
  return {"E503", std::string{name} + " " + what, why,
          "C: clang --target=wasm32-wasi -mexec-model=reactor -O3 -Wl,-s  (see tessera new task)"};
}

// Whether `wanted` is exported; an error when it is, as something else than a function of this
// type.
Result<bool> exports(std::string_view name, const Outline& outline, std::string_view wanted,
                     const Signature& signature) {
  const auto* e = outline.find_export(wanted);
  if (!e)
    return false;
  const auto* is = e->kind == Kind::function ? outline.signature_of(e->index) : nullptr;
  if (is && *is == signature)
    return true;
  return bad_export(name,
                    "exports " + std::string{wanted} + " as " +
                        (is ? to_text(*is) : "a " + std::string{to_text(e->kind)}),
                    "it must be a function " + to_text(signature));
}

const Signature answers{{}, {Type::i32}}, silent{{}, {}};

// Its form and entries.
Result<Abi> entries(std::string_view name, Outline outline) {
  Abi abi;
  const auto run = exports(name, outline, "run", answers);
  if (!run)
    return run.error();
  abi.form = *run ? Form::kernel : Form::command;
  const auto start = *run ? Result<bool>{true} : exports(name, outline, "_start", silent);
  if (!start)
    return start.error();
  if (!*start)
    return bad_export(name, "exports no run", "a kernel exports run, and a WASI command _start");
  if (*run) {
    for (const auto& [entry, has, type] : {std::tuple{"merge", &abi.merges, &answers},
                                           {"step", &abi.steps, &answers},
                                           {"_initialize", &abi.initializes, &silent}}) {
      const auto found = exports(name, outline, entry, *type);
      if (!found)
        return found.error();
      *has = *found;
    }
  }
  const auto* memory = outline.find_export("memory");
  if (!memory || memory->kind != Kind::memory || outline.memories.size() != 1)
    return bad_export(name, "exports no memory", "it must have one memory, exported as memory");
  abi.outline = std::move(outline);
  return abi;
}

Error past(std::string_view name, const std::string& what, std::uint64_t is, std::uint64_t limit) {
  return {"E512", std::string{name} + " has " + std::to_string(is) + " " + what,
          "at most " + std::to_string(limit) + " are allowed here",
          "make it smaller (strip it: -Wl,-s, and build with -Oz), or raise the limit in the spec"};
}

Status check_limits(std::string_view name, const Outline& o, const Limits& limits) {
  std::uint64_t elements = 0;
  for (const auto& table : o.tables)
    elements += table.min;
  if (o.functions.size() > limits.functions)
    return past(name, "functions", o.functions.size(), limits.functions);
  if (o.function_bytes > limits.function_bytes)
    return past(name, "bytes in one function", o.function_bytes, limits.function_bytes);
  if (elements > limits.table_elements)
    return past(name, "table elements", elements, limits.table_elements);
  for (const auto& memory : o.memories)
    if (memory.min * page_bytes > limits.memory_bytes)
      return past(name, "bytes of memory at its start", memory.min * page_bytes,
                  limits.memory_bytes);
  return Nothing{};
}

} // namespace

const std::vector<HostFunction>& host_functions(Form form) {
  using enum Type;
  static const std::vector<HostFunction> kernel{
      {"len", {{i32}, {i32}}},     {"read", {{i32, i32, i32, i32}, {i32}}},
      {"write", {{i32, i32}, {}}}, {"spawn", {{i32, i32}, {}}},
      {"fail", {{i32, i32}, {}}},
  };
  static const std::vector<HostFunction> command{
      {"args_get", {{i32, i32}, {i32}}},
      {"args_sizes_get", {{i32, i32}, {i32}}},
      {"environ_get", {{i32, i32}, {i32}}},
      {"environ_sizes_get", {{i32, i32}, {i32}}},
      {"fd_close", {{i32}, {i32}}},
      {"fd_fdstat_get", {{i32, i32}, {i32}}},
      {"fd_read", {{i32, i32, i32, i32}, {i32}}},
      {"fd_seek", {{i32, i64, i32, i32}, {i32}}},
      {"fd_write", {{i32, i32, i32, i32}, {i32}}},
      {"proc_exit", {{i32}, {}}},
  };
  return form == Form::kernel ? kernel : command;
}

Result<Abi> check_module(std::string_view name, ByteView module, const Limits& limits) {
  if (module.size() > limits.module_bytes)
    return past(name, "bytes", module.size(), limits.module_bytes);
  auto outline = outline_of(module);
  if (!outline)
    return outline.error();
  if (auto within = check_limits(name, *outline, limits); !within)
    return within.error();
  // Imports come first: what a module wants tells more than what it lacks.
  const auto form =
      outline->find_export("run") || !outline->find_export("_start") ? Form::kernel : Form::command;
  for (const auto& i : outline->imports)
    if (auto offered = check_import(name, i, form); !offered)
      return offered.error();
  return entries(name, std::move(*outline));
}

} // namespace tessera::wasm
