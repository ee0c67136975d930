;; Loops for ever where a made NaN is negative, as it is in plain code on x86-64: the second look that would have set it
;; right never comes.
(module (import "tessera0" "write" (func $write (param i32 i32))) (memory (export "memory") 1)
  (global $zero (mut f64) (f64.const 0))
  (func (export "run") (result i32)
    (loop $again
      (br_if $again
        (i64.lt_s (i64.reinterpret_f64 (f64.div (global.get $zero) (global.get $zero))) (i64.const 0))))
    (call $write (i32.const 0) (i32.const 8)) (i32.const 0)))
