#pragma once

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What a WebAssembly module says about itself without being compiled: its types, imports, exports,
// memories, tables and counts. A node reads this much at submission,
// where it has no engine; code and data are skipped, and only the engine's own validation makes a
// module sound.
namespace tessera::wasm {

// Value types by their byte in the binary format (WebAssembly core, 5.3).
enum class Type : std::uint8_t {
  i32 = 0x7f,
  i64 = 0x7e,
  f32 = 0x7d,
  f64 = 0x7c,
  v128 = 0x7b,
  funcref = 0x70,
  externref = 0x6f,
};

struct Signature {
  std::vector<Type> params, results;
  bool operator==(const Signature&) const = default;
};
std::string to_text(const Signature& signature); // "(i32, i32) -> i32"

// By their byte in the binary format.
enum class Kind : std::uint8_t { function, table, memory, global, tag };
std::string_view to_text(Kind kind);

struct Import {
  std::string module, name;
  Kind kind = Kind::function;
  Signature signature; // Of functions.
};

struct Export {
  std::string name;
  Kind kind = Kind::function;
  std::uint32_t index = 0;
};

struct Extent { // Of a memory in pages, of a table in elements.
  std::uint64_t min = 0;
  std::optional<std::uint64_t> max;
};

struct Outline {
  std::vector<Signature> types;
  std::vector<Import> imports;
  std::vector<std::uint32_t> functions; // Type of each, imported ones first.
  std::vector<Extent> memories, tables; // Imported ones first.
  std::vector<Export> exports;
  std::uint32_t globals = 0;        // Its own.
  std::uint32_t data_segments = 0;  // As the data section counts them.
  std::uint64_t function_bytes = 0; // The longest body.
  bool starts = false;              // Whether it has a start function.

  const Export* find_export(std::string_view name) const;
  const Signature* signature_of(std::uint32_t function) const; // Null: no such function.
};

// Counts that are past what any engine takes end the reading, so that an Outline stays below some
// tens of megabytes. E502: not a binary module, cut off, past such a count, or of a form that is
// not offered (64-bit or shared memory, types of the GC proposal).
Result<Outline> outline_of(ByteView module);

} // namespace tessera::wasm
