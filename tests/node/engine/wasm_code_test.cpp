#include "crypto/digest.hpp"
#include "tests/node/engine/engine_rig.hpp"

#include <algorithm>

using namespace tessera;
using namespace tessera::wasm;
using rig::compiled;
using rig::kernel;

namespace {

// Operations for which newer CPUs have other instructions: counts and shifts of bits, rounding,
// three-operand and wide arithmetic, a product and a sum.
const char* const tempting = R"((func (export "run") (result i32) (local $x i64) (local $v v128)
  (local.set $x (i64.load (i32.const 0)))
  (local.set $x (i64.add (i64.popcnt (local.get $x)) (i64.clz (i64.mul (local.get $x) (i64.const 77)))))
  (local.set $x (i64.xor (i64.ctz (local.get $x)) (i64.shr_u (local.get $x) (i64.load (i32.const 8)))))
  (local.set $v (f32x4.add (f32x4.mul (v128.load (i32.const 16)) (v128.load (i32.const 32)))
                           (f32x4.floor (v128.load (i32.const 48)))))
  (local.set $v (i8x16.swizzle (i64x2.mul (local.get $v) (local.get $v)) (v128.load (i32.const 64))))
  (f64.store (i32.const 80) (f64.nearest (f64.add (f64.const 1) (f64.mul
    (f64.load (i32.const 80)) (f64.load (i32.const 88))))))
  (v128.store (i32.const 0) (i32x4.add (local.get $v) (i64x2.splat (local.get $x))))
  (call $write (i32.const 0) (i32.const 96))
  (i32.const 0)))";

Bytes code_of(Module& module, Mode mode) {
  const auto code = module.code(mode);
  REQUIRE(code.ok());
  wasm_byte_vec_t image;
  const ErrorHandle error{wasmtime_module_serialize((*code)->module.get(), &image)};
  REQUIRE_FALSE(error);
  Bytes bytes(image.data, image.data + image.size);
  wasm_byte_vec_delete(&image);
  return bytes;
}

} // namespace

TEST_CASE("the same module gives the same code on every machine of one architecture") {
  const auto module = compiled(kernel(tempting));
  Engine other;
  const auto again = *Module::compile(other, "task.wasm", kernel(tempting), {});
  const auto plain = code_of(*module, {}), canonical = code_of(*module, {true, false});
  CHECK(plain == code_of(*again, {}));
  CHECK(plain != canonical);
#if defined(__x86_64__)
  // As made by wasmtime 48.0.8 elsewhere; another version makes other code, of which all nodes must
  // be.
  CHECK(to_hex(digest_of("code", {plain}).view()) ==
        "eee1dd9b9d902ca88f57a1b90219bf6c61c634d34b00dc994e38e6ee2a654b17");
  CHECK(to_hex(digest_of("code", {canonical}).view()) ==
        "2c0cbe527f5e784857486aa9c6d8fa5d3cb61f47df5e36032d1ff2310ac05024");
#endif
}
