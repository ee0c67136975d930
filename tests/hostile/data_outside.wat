;; Its data lies outside of its memory.
(module (memory (export "memory") 1) (data (i32.const 65530) "past the end")
  (func (export "run") (result i32) (i32.const 0)))
