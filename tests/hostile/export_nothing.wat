;; Exports nothing that can be called.
(module (memory (export "memory") 1)
  (func (result i32) (i32.const 0)))
