;; _initialize answers.
(module (memory (export "memory") 1)
  (func (export "run") (result i32) (i32.const 0))
  (func (export "_initialize") (result i32) (i32.const 0)))
