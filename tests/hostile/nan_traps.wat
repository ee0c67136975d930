;; Traps where a made NaN is negative: an honest module that fails in plain code only.
(module (import "tessera0" "write" (func $write (param i32 i32))) (memory (export "memory") 1)
  (global $zero (mut f64) (f64.const 0))
  (func (export "run") (result i32)
    (if (i64.lt_s (i64.reinterpret_f64 (f64.div (global.get $zero) (global.get $zero))) (i64.const 0))
      (then (unreachable)))
    (call $write (i32.const 0) (i32.const 8)) (i32.const 0)))
