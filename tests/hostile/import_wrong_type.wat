;; The right name, of another type.
(module (import "tessera0" "write" (func (param i64 i64))) (memory (export "memory") 1)
  (func (export "run") (result i32) (i32.const 0)))
