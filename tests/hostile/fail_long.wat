;; Its last words are the 128 MiB that it may have.
(module (import "tessera0" "fail" (func $fail (param i32 i32))) (memory (export "memory") 2048)
  (func (export "run") (result i32)
    (memory.fill (i32.const 0) (i32.const 65) (i32.const 134217728))
    (call $fail (i32.const 0) (i32.const 134217728)) (i32.const 0)))
