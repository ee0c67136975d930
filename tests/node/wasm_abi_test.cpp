#include "node/wasm/abi.hpp"
#include "tests/support/wat.hpp"

#include <doctest/doctest.h>

using namespace tessera;
using namespace tessera::wasm;
using rig::kernel;
using rig::wat;

namespace {

const std::string run = "(func (export \"run\") (result i32) (i32.const 0))";
const std::string memory = "(memory (export \"memory\") 1)";

Error refusal(const Bytes& module, const Limits& limits = {}) {
  const auto abi = check_module("task.wasm", module, limits);
  REQUIRE_FALSE(abi.ok());
  return abi.error();
}

Error refusal(const std::string& body, const std::string& flags = "") {
  return refusal(wat("(module " + body + ")", flags));
}

Bytes leb(std::uint32_t n) {
  Bytes bytes;
  for (; n >= 0x80; n >>= 7)
    bytes.push_back(std::uint8_t(n | 0x80));
  bytes.push_back(std::uint8_t(n));
  return bytes;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const Bytes preamble{0, 'a', 's', 'm', 1, 0, 0, 0};

Bytes section(std::uint8_t id, const Bytes& body) {
  return Bytes{id} + leb(std::uint32_t(body.size())) + body;
}

} // namespace

TEST_CASE("a kernel's outline says what it imports, exports and asks for") {
  const auto abi = check_module("task.wasm", wat(R"((module
    (import "tessera0" "read" (func (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2 5) (table 7 funcref) (global i32 (i32.const 1))
    (func (export "run") (result i32) (i32.const 0))
    (func (export "merge") (result i32) (i32.const 0))
    (func (export "step") (result i32) (i32.const 0))
    (func (export "_initialize"))
    (func (export "helper") (param v128 f32 f64 i64))
    (func $s) (start $s) (data (i32.const 0) "abc")))"),
                                {});
  REQUIRE(abi.ok());
  CHECK(abi->form == Form::kernel);
  CHECK(abi->merges);
  CHECK(abi->steps);
  CHECK(abi->initializes);
  const auto& o = abi->outline;
  CHECK(o.imports.size() == 1);
  CHECK(o.functions.size() == 7);
  CHECK(o.memories[0].min == 2);
  CHECK(o.memories[0].max == 5);
  CHECK(o.tables[0].min == 7);
  CHECK_FALSE(o.tables[0].max.has_value());
  CHECK(o.globals == 1);
  CHECK(o.data_segments == 1);
  CHECK(o.starts);
  CHECK(to_text(*o.signature_of(o.find_export("helper")->index)) == "(v128, f32, f64, i64)");
  const auto small = check_module("task.wasm", wat("(module " + memory + run + ")"), {});
  REQUIRE(small.ok());
  CHECK_FALSE((small->merges || small->steps || small->initializes));
}

TEST_CASE("an import that is not offered is refused by name, with how to build it instead") {
  const auto as =
      refusal(R"((import "env" "abort" (func (param i32 i32 i32 i32))))" + memory + run);
  CHECK(to_text(as) ==
        "E501 task.wasm imports env.abort\n"
        "     only tessera0 is offered to kernels, and it has no such function\n"
        "     AssemblyScript: asc --use abort=...  (see tessera new task --lang as)");
  const struct {
    const char *import, *what, *fix;
  } others[] = {
      {R"((import "env" "table" (table 1 funcref)))", "env.table", "define table"},
      {R"((import "env" "sin" (func (param f64) (result f64))))", "env.sin", "define sin"},
      {R"((import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))))",
       "wasi_snapshot_preview1.fd_write", "-mexec-model=reactor"},
      {R"((import "tessera0" "clock" (func (result i64))))", "tessera0.clock", "one ABI version"},
      {R"((import "tessera1" "len" (func (param i32) (result i32))))", "tessera1.len",
       "tessera new"},
      {R"((import "tessera0" "len" (global i32)))", "tessera0.len", "one ABI version"},
      {R"((import "wbg" "__wbindgen_throw" (func (param i32 i32))))", "wbg.__wbindgen_throw",
       "bindgen"},
      {R"((import "env" "t\1b[31m" (func)))", "env.t [31m", "define t [31m in"},
  };
  for (const auto& o : others) {
    CAPTURE(o.what);
    const auto error = refusal(o.import + memory + run);
    CHECK(error.code == "E501");
    CHECK(error.what == std::string{"task.wasm imports "} + o.what);
    CHECK(error.fix.find(o.fix) != std::string::npos);
  }
}

TEST_CASE("an import under its name but of another type is refused with both types") {
  const auto error =
      refusal(R"((import "tessera0" "len" (func (param i64) (result i32))))" + memory + run);
  CHECK(error.code == "E501");
  CHECK(error.what == "task.wasm imports tessera0.len as (i64) -> i32");
  CHECK(error.why == "its type is (i32) -> i32");
}

TEST_CASE("a WASI command may use the ten functions and no other") {
  std::string imports;
  for (const auto& f : host_functions(Form::command)) {
    imports += "(import \"wasi_snapshot_preview1\" \"" + std::string{f.name} + "\" (func";
    for (const auto p : f.signature.params)
      imports += p == Type::i64 ? " (param i64)" : " (param i32)";
    imports += f.signature.results.empty() ? "))" : " (result i32)))";
  }
  CHECK(host_functions(Form::command).size() == 10);
  const std::string start = "(func (export \"_start\"))";
  const auto abi = check_module("task.wasm", wat("(module " + imports + memory + start + ")"), {});
  REQUIRE(abi.ok());
  CHECK(abi->form == Form::command);
  const auto random = refusal(
      R"((import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32))))" +
      memory + start);
  CHECK(random.code == "E501");
  CHECK(random.fix.find("take out files, clocks, randomness") != std::string::npos);
  CHECK(refusal(R"((import "tessera0" "write" (func (param i32 i32))))" + memory + start).code ==
        "E501");
}

TEST_CASE("exports that are missing or of a wrong type are named") {
  const auto what = [](const std::string& body) {
    const auto error = refusal(body);
    CHECK(error.code == "E503");
    return error.what;
  };
  CHECK(what(memory) == "task.wasm exports no run");
  CHECK(what(run) == "task.wasm exports no memory");
  CHECK(what(memory + "(func (export \"run\"))") == "task.wasm exports run as ()");
  CHECK(what(memory + "(global (export \"run\") i32 (i32.const 0))") ==
        "task.wasm exports run as a global");
  CHECK(what(memory + run + "(func (export \"merge\") (param i32) (result i32) (i32.const 0))") ==
        "task.wasm exports merge as (i32) -> i32");
  CHECK(what(memory + run + "(func (export \"step\"))") == "task.wasm exports step as ()");
  CHECK(what(memory + run + "(func (export \"_initialize\") (result i32) (i32.const 0))") ==
        "task.wasm exports _initialize as () -> i32");
  CHECK(what(memory + "(func (export \"_start\") (param i32))") ==
        "task.wasm exports _start as (i32)");
  CHECK(what("(func (export \"memory\"))" + run) == "task.wasm exports no memory");
}

TEST_CASE("each limit has its refusal, and its edge passes") {
  const auto module = wat("(module (memory (export \"memory\") 3) (table 5 funcref)" + run +
                          "(func $long (drop (i64.const 0x7fffffffffffffff))))");
  Limits exact;
  exact.module_bytes = module.size();
  exact.functions = 2;
  exact.function_bytes = 14;
  exact.memory_bytes = 3 * page_bytes;
  exact.table_elements = 5;
  const auto fits = check_module("task.wasm", module, exact);
  INFO((fits ? "" : to_text(fits.error())));
  CHECK(fits.ok());
  for (const auto& [less, what] :
       {std::pair<void (*)(Limits&), const char*>{[](Limits& l) { --l.module_bytes; }, " bytes"},
        {[](Limits& l) { --l.functions; }, "2 functions"},
        {[](Limits& l) { --l.function_bytes; }, "14 bytes in one function"},
        {[](Limits& l) { --l.memory_bytes; }, "196608 bytes of memory"},
        {[](Limits& l) { --l.table_elements; }, "5 table elements"}}) {
    auto limits = exact;
    less(limits);
    const auto error = refusal(module, limits);
    CHECK(error.code == "E512");
    CHECK(error.what.find(what) != std::string::npos);
  }
}

TEST_CASE("a module that is cut off anywhere is refused, and never read past its end") {
  const auto whole =
      kernel(run + "(table 3 funcref) (global i32 (i32.const 4)) (data (i32.const 0) \"x\")");
  REQUIRE(check_module("task.wasm", whole, {}).ok());
  for (std::size_t size = 0; size != whole.size(); ++size) {
    CAPTURE(size);
    const Bytes cut(whole.begin(), whole.begin() + long(size)); // Of its own: sanitizers watch it.
    const auto abi = check_module("task.wasm", cut, {});
    // Cut between two sections it may be a module still, yet one that lacks its body or names.
    if (abi.ok())
      CHECK(size > 100);
    else
      CHECK((abi.error().code == "E502" || abi.error().code == "E503"));
  }
}

TEST_CASE("malformed sections are refused") {
  const auto types = section(1, {1, 0x60, 0, 0});
  const struct {
    const char* name;
    Bytes module;
  } bad[] = {
      {"nothing", {}},
      {"text", to_bytes(view("(module)"))},
      {"version 2", {0, 'a', 's', 'm', 2, 0, 0, 0}},
      {"a component", {0, 'a', 's', 'm', 0x0d, 0, 1, 0}},
      {"an unknown section", preamble + section(14, {0})},
      {"two type sections", preamble + types + types},
      {"imports before types", preamble + section(2, {0}) + types},
      {"a section past the end", preamble + Bytes{1, 100, 0}},
      {"bytes left over", preamble + section(1, {0, 0})},
      {"a count that is a lie", preamble + section(1, leb(1000) + Bytes{0x60, 0, 0})},
      {"2^32 types", preamble + section(1, leb(0xffffffff))},
      {"a LEB128 of six bytes", preamble + section(1, {0x80, 0x80, 0x80, 0x80, 0x80, 0})},
      {"a LEB128 of 33 bits", preamble + section(1, {0x80, 0x80, 0x80, 0x80, 0x10})},
      {"a function of a type that is none", preamble + types + section(3, {1, 1})},
      {"a struct type", preamble + section(1, {1, 0x5f, 0})},
      {"a value type that is none", preamble + section(1, {1, 0x60, 1, 0x10, 0})},
      {"shared memory", preamble + section(5, {1, 3, 1, 1})},
      {"64-bit memory", preamble + section(5, {1, 4, 1})},
      {"a table of numbers", preamble + section(4, {1, 0x7f, 0, 1})},
      {"an import of no kind", preamble + section(2, {1, 1, 'a', 1, 'b', 9})},
  };
  for (const auto& b : bad) {
    CAPTURE(b.name);
    const auto outline = outline_of(b.module);
    REQUIRE_FALSE(outline.ok());
    CHECK(outline.error().code == "E502");
  }
  CHECK(outline_of(preamble).ok());
  CHECK(outline_of(preamble + section(0, {4, 'n', 'a', 'm', 'e', 0xff})).ok());
}
