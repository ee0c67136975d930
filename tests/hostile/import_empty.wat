;; Names of no letters.
(module (import "" "" (func)) (memory (export "memory") 1)
  (func (export "run") (result i32) (i32.const 0)))
