;; merge wants two arguments.
(module (memory (export "memory") 1)
  (func (export "run") (result i32) (i32.const 0))
  (func (export "merge") (param i32 i32) (result i32) (i32.const 0)))
