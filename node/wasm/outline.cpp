#include "node/wasm/outline.hpp"

#include "node/wasm/reader.hpp"

#include <algorithm>
#include <map>

namespace tessera::wasm {

namespace {

enum class Section : std::uint8_t {
  custom,
  type,
  import,
  function,
  table,
  memory,
  global,
  exports,
  start,
  element,
  code,
  data,
  data_count,
  tag,
};

bool is_type(std::uint8_t byte) {
  return (byte >= 0x7b && byte <= 0x7f) || byte == 0x70 || byte == 0x6f;
}

Type type(Reader& in) {
  const auto byte = in.byte();
  if (!is_type(byte))
    in.spoil();
  return Type(byte);
}

// A count, at most `most`, then as many items.
template<class Item>
void each(Reader& in, std::uint32_t most, Item item) {
  auto n = in.u32();
  if (n > most)
    in.spoil();
  for (; n && in.good(); --n)
    item();
}

// What the engine's own validator takes at most, or less where less is plenty.
constexpr std::uint32_t types_max = 20'000, values_max = 1'000, imports_max = 1'000,
                        functions_max = 1'000'000, tables_max = 100, memories_max = 100,
                        exports_max = 20'000;

std::vector<Type> types(Reader& in) {
  std::vector<Type> all;
  each(in, values_max, [&] { all.push_back(type(in)); });
  return all;
}

Signature signature(Reader& in) {
  if (in.byte() != 0x60)
    in.spoil();
  Signature s;
  s.params = types(in);
  s.results = types(in);
  return s;
}

// Flags 0 and 1 say whether there is a maximum; others are shared, 64-bit, or of odd pages.
Extent extent(Reader& in) {
  const auto flags = in.byte();
  if (flags > 1)
    in.spoil();
  Extent e;
  e.min = in.u32();
  if (flags == 1)
    e.max = in.u32();
  return e;
}

Extent table(Reader& in) {
  if (const auto t = type(in); t != Type::funcref && t != Type::externref)
    in.spoil();
  return extent(in);
}

Kind kind(Reader& in) {
  const auto byte = in.byte();
  if (byte > std::uint8_t(Kind::tag))
    in.spoil();
  return Kind(byte);
}

class Scan {
public:
  Outline out;

  // Sections in their order; nothing of `body` may be left when it is read.
  void section(Section id, Reader& body) {
    switch (id) {
    case Section::type:
      return each(body, types_max, [&] { out.types.push_back(signature(body)); });
    case Section::import:
      return each(body, imports_max, [&] { import(body); });
    case Section::function:
      return each(body, functions_max, [&] { function(body); });
    case Section::table:
      return each(body, tables_max, [&] { out.tables.push_back(table(body)); });
    case Section::memory:
      return each(body, memories_max, [&] { out.memories.push_back(extent(body)); });
    case Section::exports:
      return each(body, exports_max, [&] { exported(body); });
    case Section::global:
      out.globals = body.u32();
      return skip(body);
    case Section::start:
      out.starts = true;
      return skip(body);
    case Section::data:
      out.data_segments = body.u32();
      return skip(body);
    case Section::code:
      return each(body, functions_max, [&] {
        const auto size = body.u32();
        body.take(size);
        out.function_bytes = std::max<std::uint64_t>(out.function_bytes, size);
      });
    default:
      return skip(body);
    }
  }

private:
  static void skip(Reader& in) { in.take(in.left()); }

  void function(Reader& in) {
    const auto index = in.u32();
    if (index >= out.types.size())
      return in.spoil();
    out.functions.push_back(index);
  }

  void import(Reader& in) {
    Import i;
    i.module = in.name();
    i.name = in.name();
    i.kind = kind(in);
    switch (i.kind) {
    case Kind::function:
      function(in);
      if (in.good())
        i.signature = out.types[out.functions.back()];
      break;
    case Kind::table:
      out.tables.push_back(table(in));
      break;
    case Kind::memory:
      out.memories.push_back(extent(in));
      break;
    case Kind::global:
      type(in);
      in.byte();
      break;
    case Kind::tag:
      in.byte();
      in.u32();
    }
    if (in.good())
      out.imports.push_back(std::move(i));
  }

  void exported(Reader& in) {
    Export e;
    e.name = in.name();
    e.kind = kind(in);
    e.index = in.u32();
    if (in.good())
      out.exports.push_back(std::move(e));
  }
};

Error not_a_module(const std::string& why) {
  return {"E502", "this is no WebAssembly module that can be run here", why,
          "build it as a 32-bit wasm binary (see tessera new task); wasm-validate names the place"};
}

constexpr std::uint8_t preamble[] = {0, 'a', 's', 'm', 1, 0, 0, 0};

// Where a section stands among the others; the binary format's ids are not in order.
int place(std::uint8_t id) {
  static constexpr int places[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11, 6};
  return places[id];
}

} // namespace

std::string to_text(const Signature& signature) {
  static const std::map<Type, std::string> names{{Type::i32, "i32"},
                                                 {Type::i64, "i64"},
                                                 {Type::f32, "f32"},
                                                 {Type::f64, "f64"},
                                                 {Type::v128, "v128"},
                                                 {Type::funcref, "funcref"},
                                                 {Type::externref, "externref"}};
  const auto list = [](const std::vector<Type>& types) {
    std::string text;
    for (const auto t : types)
      text += (text.empty() ? "" : ", ") + names.at(t);
    return text;
  };
  const auto results = list(signature.results);
  return "(" + list(signature.params) + ")" + (results.empty() ? "" : " -> " + results);
}

std::string_view to_text(Kind kind) {
  static constexpr std::string_view names[] = {"function", "table", "memory", "global", "tag"};
  return names[std::size_t(kind)];
}

const Export* Outline::find_export(std::string_view name) const {
  const auto at = std::ranges::find(exports, name, &Export::name);
  return at == exports.end() ? nullptr : &*at;
}

const Signature* Outline::signature_of(std::uint32_t function) const {
  return function < functions.size() ? &types[functions[function]] : nullptr;
}

Result<Outline> outline_of(ByteView module) {
  Reader in{module};
  if (!std::ranges::equal(in.take(sizeof preamble), preamble))
    return not_a_module("it does not begin as one of version 1 does");
  Scan scan;
  for (int last = 0; !in.at_end();) {
    const auto id = in.byte();
    Reader body{in.take(in.u32())};
    const auto section = "its section " + std::to_string(id);
    if (!in.good() || id > std::uint8_t(Section::tag))
      return not_a_module(section + " is cut off or unknown");
    if (id != 0 && place(id) <= last)
      return not_a_module(section + " is out of order");
    last = id == 0 ? last : place(id);
    scan.section(Section(id), body);
    if (id != 0 && (!body.good() || !body.at_end()))
      return not_a_module(section + " is malformed, or uses a proposal that is not offered here");
  }
  return std::move(scan.out);
}

} // namespace tessera::wasm
