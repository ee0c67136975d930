;; Adds two quiet NaNs that it brings along: no operation is invalid, and CPUs differ in which payload wins.
(module (import "tessera0" "write" (func $write (param i32 i32))) (memory (export "memory") 1)
  (data (i32.const 0) "\01\00\00\00\00\00\f8\7f\02\00\00\00\00\00\f8\ff")
  (func (export "run") (result i32)
    (f64.store (i32.const 16) (f64.add (f64.load (i32.const 0)) (f64.load (i32.const 8))))
    (call $write (i32.const 16) (i32.const 8)) (i32.const 0)))
