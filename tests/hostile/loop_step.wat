;; A job of rounds whose first step never ends.
(module (memory (export "memory") 1)
  (func (export "run") (result i32) (i32.const 0))
  (func (export "merge") (result i32) (i32.const 0))
  (func (export "step") (result i32) (loop $again (br $again)) (i32.const 0)))
