;; Makes NaNs four at a time, and writes the bits.
(module (import "tessera0" "write" (func $write (param i32 i32))) (memory (export "memory") 1)
  (func (export "run") (result i32)
    (v128.store (i32.const 0) (f32x4.div (v128.load (i32.const 64)) (v128.load (i32.const 64))))
    (v128.store (i32.const 16) (f64x2.sqrt (f64x2.sub (v128.load (i32.const 64)) (f64x2.splat (f64.const 1)))))
    (call $write (i32.const 0) (i32.const 32)) (i32.const 0)))
