;; Reads past the end of its memory.
(module (memory (export "memory") 1)
  (func (export "run") (result i32) (i32.load offset=0xffffffff (i32.const 0xffffffff))))
