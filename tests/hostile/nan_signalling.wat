;; Adds to a signalling NaN that it brings along: an invalid operation, so seen.
(module (import "tessera0" "write" (func $write (param i32 i32))) (memory (export "memory") 1)
  (data (i32.const 0) "\01\00\00\00\00\00\f0\7f")
  (func (export "run") (result i32)
    (f64.store (i32.const 8) (f64.add (f64.load (i32.const 0)) (f64.const 1)))
    (call $write (i32.const 8) (i32.const 8)) (i32.const 0)))
