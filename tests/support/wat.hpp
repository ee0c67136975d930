#pragma once

#include "crypto/bytes.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <unistd.h>

// Modules for tests, from their text, by wabt's wat2wasm.
namespace tessera::rig {

inline Bytes wat(const std::string& text, const std::string& flags = "--debug-names") {
  char folder[] = "/tmp/tessera-wat-XXXXXX";
  if (!::mkdtemp(folder))
    throw std::runtime_error("no folder for wat2wasm");
  const std::string from = std::string{folder} + "/m.wat", to = std::string{folder} + "/m.wasm";
  std::ofstream{from} << text;
  const auto status = std::system(("wat2wasm " + flags + " " + from + " -o " + to).c_str());
  std::ifstream in{to, std::ios::binary};
  Bytes module{std::istreambuf_iterator<char>{in}, {}};
  std::remove(from.c_str());
  std::remove(to.c_str());
  ::rmdir(folder);
  if (status != 0)
    throw std::runtime_error("wat2wasm refuses: " + text);
  return module;
}

// A kernel around `body`: the imports, a page of memory, and what is given.
inline Bytes kernel(const std::string& body, const std::string& flags = "--debug-names") {
  return wat(R"((module
    (import "tessera0" "len" (func $len (param i32) (result i32)))
    (import "tessera0" "read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "tessera0" "write" (func $write (param i32 i32)))
    (import "tessera0" "spawn" (func $spawn (param i32 i32)))
    (import "tessera0" "fail" (func $fail (param i32 i32)))
    (memory (export "memory") 1)
    )" + body + ")",
             flags);
}

} // namespace tessera::rig
