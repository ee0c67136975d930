#include "node/wasm/abi.hpp"
#include "tests/fuzz/input.hpp"

// Modules from strangers, as a node reads them at submission. Input: 0 or 1 (a module behind its
// preamble; sections of any content, each with a byte for its size).
namespace {

using namespace tessera;
using namespace tessera::wasm;
using fuzz::must;

const Bytes preamble{0, 'a', 's', 'm', 1, 0, 0, 0};

// (import "tessera0" "len" (func (param i32) (result i32))) (memory (export "memory") 1)
// (table 2 funcref) (func (export "run") (result i32) (i32.const 0))
const Bytes good{0,    'a', 's', 'm',  1,   0,  0,  0,  1,   10,  2,   0x60, 1,    0x7f, 1,   0x7f,
                 0x60, 0,   1,   0x7f, 2,   16, 1,  8,  't', 'e', 's', 's',  'e',  'r',  'a', '0',
                 3,    'l', 'e', 'n',  0,   0,  3,  2,  1,   1,   4,   4,    1,    0x70, 0,   2,
                 5,    3,   1,   0,    1,   7,  16, 2,  3,   'r', 'u', 'n',  0,    1,    6,   'm',
                 'e',  'm', 'o', 'r',  'y', 2,  0,  10, 6,   1,   4,   0,    0x41, 0,    0x0b};

Bytes sections(fuzz::Input input) {
  auto module = preamble;
  for (std::uint8_t id = 0; id != 14 && !input.rest.empty(); ++id) {
    const auto body = input.take(input.byte() % 64);
    module.push_back(id);
    module.push_back(std::uint8_t(body.size()));
    module.insert(module.end(), body.begin(), body.end());
  }
  return module;
}

// Whatever an outline names is there, and an error has its three lines.
void check(const Bytes& module) {
  if (const auto outline = outline_of(module)) {
    for (const auto& e : outline->exports)
      if (e.kind == Kind::function && outline->signature_of(e.index))
        must(!to_text(*outline->signature_of(e.index)).empty());
    for (const auto& i : outline->imports)
      must(!to_text(i.kind).empty());
  }
  const auto abi = check_module("fuzz.wasm", module, {});
  must(abi.ok() || (!abi.error().code.empty() && !abi.error().why.empty() &&
                    !abi.error().fix.empty() && to_text(abi.error()).size() < 2000));
}

} // namespace

std::vector<Bytes> tessera::fuzz::seeds() {
  must(check_module("fuzz.wasm", good, {}).ok());
  return {seed({0}, ByteView{good}.subspan(preamble.size())),
          seed({1, 0, 5, 1, 0x60, 0, 1, 0x7f, 0, 2, 1, 0})};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{{data, size}};
  if (input.byte() % 2)
    return check(sections(input)), 0;
  auto module = preamble;
  module.insert(module.end(), input.rest.begin(), input.rest.end());
  check(module);
  return 0;
}
