;; step is a global.
(module (memory (export "memory") 1)
  (func (export "run") (result i32) (i32.const 0))
  (global (export "step") i32 (i32.const 0)))
