;; A name that tessera0 does not have.
(module (import "tessera0" "system" (func (param i32 i32) (result i32))) (memory (export "memory") 1)
  (func (export "run") (result i32) (i32.const 0)))
