;; Takes 128 MiB, which it may have, and fills them in one instruction again and again.
(module (memory (export "memory") 2048)
  (func (export "run") (result i32)
    (loop $again (memory.fill (i32.const 0) (i32.const 1) (i32.const 134217728)) (br $again))
    (i32.const 0)))
