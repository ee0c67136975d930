;; Traps three calls deep, on every leaf.
(module (memory (export "memory") 1)
  (func $inner (unreachable)) (func $middle (call $inner)) (func $outer (call $middle))
  (func (export "run") (result i32) (call $outer) (i32.const 0)))
